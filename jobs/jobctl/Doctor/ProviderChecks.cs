using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Jobs.Billing;
using Jobs.Mail;
using Jobs.Runs;
using Jobs.Stripe;
using Jobs.SumUp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Jobs.Doctor;

/// <summary>Stripe, SumUp, the mail server and pg_dump: asked, never told to do anything.</summary>
internal sealed partial class ProviderChecks(ToolRun run, DatabaseChecks database)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    public IEnumerable<Check> All() => [new("stripe", StripeAsync), new("mail server", MailServerAsync), new("sumup", SumUpAsync), new("pg_dump", PgDumpAsync)];

    private async Task<Finding> StripeAsync(CancellationToken cancellation)
    {
        if (run.Settings.Optional("STRIPE_SECRET_KEY") is not { } key)
        {
            return Finding.Skipped("stripe", "STRIPE_SECRET_KEY is not set here");
        }

        // The mode of the key against APP_ENV, and the address: as every job checks them.
        using (StripeAccount.Connect(run.Settings, new RunOptions { DryRun = true }, NullLogger.Instance))
        {
        }

        using var http = new HttpClient { BaseAddress = new Uri(run.Settings.Optional("STRIPE_API_BASE") ?? "https://api.stripe.com"), Timeout = Patience };
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/payment_intents?limit=1");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key}");
        request.Headers.TryAddWithoutValidation("Stripe-Version", StripeClient.ApiVersion);
        HttpResponseMessage response;
        var asked = DateTimeOffset.UtcNow;
        try
        {
            response = await http.SendAsync(request, cancellation);
        }
        catch (HttpRequestException e)
        {
            return Finding.Wrong("stripe", $"it cannot be reached: {e.Message}", "look at the network, the firewall and STRIPE_API_BASE");
        }

        using (response)
        {
            return response.StatusCode switch
            {
                HttpStatusCode.Unauthorized => Finding.Wrong("stripe", "it does not know the key", "copy STRIPE_SECRET_KEY again: it may have been rolled"),
                HttpStatusCode.Forbidden => Finding.Wrong("stripe", "the key may not read PaymentIntents", "give the restricted key the rights that the README names"),
                HttpStatusCode.OK => OfClock(key, response.Headers.Date, asked),
                var other => Finding.Warning("stripe", $"it answered {(int)other}", "ask again; if it stays so, see status.stripe.com"),
            };
        }
    }

    /// <summary>Its clock tells whole seconds.</summary>
    private Finding OfClock(string key, DateTimeOffset? date, DateTimeOffset asked)
    {
        var mode = key.Contains("_live_", StringComparison.Ordinal) ? "live" : "test";
        if (date is not { } theirs)
        {
            return Finding.Ok("stripe", $"the {mode} key works");
        }

        var skew = (asked - theirs - (database.Skew ?? TimeSpan.Zero)).TotalSeconds;
        var says = string.Create(CultureInfo.InvariantCulture, $"the {mode} key works; PostgreSQL's clock and Stripe's are {Math.Abs(skew):0} s apart");
        return Math.Abs(skew) > 60
            ? Finding.Wrong("stripe", says, "set the database server's clock by NTP: it decides how old a key is")
            : Finding.Ok("stripe", says);
    }

    private async Task<Finding> MailServerAsync(CancellationToken cancellation)
    {
        if (run.Settings.Optional("SMTP_URL") is not { } text)
        {
            return Finding.Skipped("mail server", "SMTP_URL is not set here");
        }

        var url = SmtpUrl.Parse(text);
        url = url with { Timeout = url.Timeout < Patience ? url.Timeout : Patience };
        await SmtpReach.TryAsync(url, cancellation);
        return Finding.Ok("mail server", string.Create(
            CultureInfo.InvariantCulture, $"{url.Host}:{url.Port} takes us{(url.User is null ? "" : " after login")}{(url.ImplicitTls ? ", over TLS" : "")}; no mail was sent"));
    }

    private const string Terminals = "SELECT provider_reader_id FROM payment_terminals WHERE provider_reader_id IS NOT NULL";

    private async Task<Finding> SumUpAsync(CancellationToken cancellation)
    {
        if (run.Settings.Optional("SUMUP_API_KEY") is null)
        {
            return Finding.Skipped("sumup", "SUMUP_API_KEY is not set here");
        }

        using var sumUp = SumUpAccount.Connect(run.Settings, new RunOptions { DryRun = true }, NullLogger<SumUpClient>.Instance);
        IReadOnlyList<Reader> readers;
        try
        {
            readers = await sumUp.ListReadersAsync(cancellation);
        }
        catch (SumUpException e)
        {
            return Finding.Wrong("sumup", e.Message, e.Kind is SumUpErrorKind.Unauthorized or SumUpErrorKind.Forbidden
                ? "check SUMUP_API_KEY and SUMUP_MERCHANT_CODE" : "look at the network; if it stays so, `fallback-mode --activate` tells the counter");
        }

        if (!database.IsMigrated)
        {
            return Finding.Ok("sumup", $"the key works; {readers.Count} readers are paired");
        }

        var ours = await run.Database(readOnly: true).TransactionAsync(tx => tx.QueryAsync<string>(Terminals), cancellation);
        string[] lost = [.. ours.Except(readers.Select(reader => reader.Id), StringComparer.Ordinal)];
        return lost.Length > 0
            ? Finding.Warning("sumup", $"the key works; of payment_terminals these are not paired at SumUp: {string.Join(", ", lost)}", "pair them anew; a device is found again by its serial")
            : Finding.Ok("sumup", $"the key works; {readers.Count} readers are paired, {ours.Count} of them are terminals here");
    }

    private async Task<Finding> PgDumpAsync(CancellationToken cancellation)
    {
        if (run.Settings.Optional("BACKUP_URL") is null)
        {
            return Finding.Skipped("pg_dump", "BACKUP_URL is not set here: no backup is made from this place");
        }

        var found = new List<(string Path, int Major)>();
        foreach (var path in Candidates())
        {
            if (await MajorAsync(path, cancellation) is { } major)
            {
                found.Add((path, major));
            }
        }

        var server = await run.Database(readOnly: true).TransactionAsync(tx => tx.SingleAsync<int>("SELECT current_setting('server_version_num')::int / 10000"), cancellation);
        return found.Count == 0 ? Finding.Wrong("pg_dump", "it is not installed here", string.Create(CultureInfo.InvariantCulture, $"install the client tools of PostgreSQL {server}"))
            : found.MaxBy(one => one.Major) is var (newest, number) && number < server
                ? Finding.Wrong("pg_dump", string.Create(CultureInfo.InvariantCulture, $"{newest} is of PostgreSQL {number}, older than the server ({server}), and would refuse"), string.Create(CultureInfo.InvariantCulture, $"install the client tools of PostgreSQL {server}"))
                : Finding.Ok("pg_dump", string.Create(CultureInfo.InvariantCulture, $"{newest} is of PostgreSQL {number}, the server of {server}"));
    }

    private static IEnumerable<string> Candidates()
    {
        const string Installed = "/usr/lib/postgresql";
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(Directory.Exists(Installed) ? Directory.GetDirectories(Installed).Select(folder => Path.Combine(folder, "bin")) : []);
        return folders.Select(folder => Path.Combine(folder, "pg_dump")).Where(File.Exists).Distinct(StringComparer.Ordinal);
    }

    private static async Task<int?> MajorAsync(string path, CancellationToken cancellation)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(path, "--version") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            var said = await process.StandardOutput.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            return Major().Match(said) is { Success: true } match ? int.Parse(match.Groups["major"].Value, CultureInfo.InvariantCulture) : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    [GeneratedRegex(@"\(PostgreSQL\) (?<major>\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Major();
}
