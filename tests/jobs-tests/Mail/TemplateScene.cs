using System.Globalization;
using System.Text.RegularExpressions;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Mail;
using Jobs.Receipts;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>A composer over a database, as a job has it.</summary>
internal sealed class TemplateScene : IAsyncDisposable
{
    private readonly NpgsqlDataSource _source;
    private readonly Db _db;

    public TemplateScene(JobWorld world, params (string Name, string Value)[] settings)
    {
        _source = NpgsqlDataSource.Create(DatabaseUrl.Parse(world.Environment["DATABASE_URL"]!).ConnectionString);
        _db = new Db(_source, readOnly: false, NullLogger<Db>.Instance);
        Composer = With(ReceiptPdf.Render, NullLogger<MailComposer>.Instance, settings);
    }

    public MailComposer Composer { get; }

    public MailComposer With(Func<ReceiptDocument, byte[]> render, ILogger<MailComposer> log, params (string Name, string Value)[] settings) =>
        new(_db, Some(settings), new BusinessZone("Europe/Paris"), log) { Render = render };

    public static Settings Some(params (string Name, string Value)[] settings) => new(
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["BUSINESS_NAME"] = "Atelier du Chapiteau",
            ["BUSINESS_ADDRESS"] = "12 rue des Lilas | 75020 Paris",
            ["ACCOUNT_URL"] = "https://example.test/account",
        }.Concat(settings.Select(s => KeyValuePair.Create(s.Name, s.Value))).GroupBy(s => s.Key).ToDictionary(s => s.Key, s => s.Last().Value));

    public Task<MailContent> ComposeAsync(string kind, string payload, string locale = "fr", long? user = null) =>
        Composer.ComposeAsync(new Notification { Id = 1, Kind = kind, UserId = user, Locale = locale, Payload = payload }, CancellationToken.None);

    public async Task<string> RefusalAsync(string kind, string payload, string locale = "fr", long? user = null) =>
        (await Assert.ThrowsAsync<MailTemplateException>(() => ComposeAsync(kind, payload, locale, user))).Message;

    /// <summary>Every notification there is, in every language.</summary>
    public async Task<List<(string Kind, string Locale, MailContent Mail)>> ComposeAllAsync(JobWorld world)
    {
        var mails = new List<(string, string, MailContent)>();
        foreach (var row in await world.QueryAsync("SELECT id, kind, user_id, to_address, payload::text AS payload FROM notifications ORDER BY id"))
        {
            foreach (var locale in new[] { "fr", "en", "ru" })
            {
                var notification = new Notification
                {
                    Id = row.id,
                    Kind = row.kind,
                    UserId = row.user_id,
                    ToAddress = row.to_address,
                    Locale = locale,
                    Payload = row.payload,
                };
                mails.Add((row.kind, locale, await Composer.ComposeAsync(notification, CancellationToken.None)));
            }
        }

        return mails;
    }

    /// <summary>What holds for every mail, whatever was put into it.</summary>
    public static void IsWhole(MailContent mail)
    {
        Assert.NotEmpty(mail.Subject);
        Assert.DoesNotContain(mail.Subject, char.IsControl);
        Assert.DoesNotContain(mail.Text, c => char.IsControl(c) && c != '\n');
        Assert.DoesNotContain(mail.Html, c => char.IsControl(c) && c != '\n');
        foreach (var part in new[] { mail.Subject, mail.Text, WithoutStyle(mail.Html) })
        {
            Assert.DoesNotMatch(@"\{[a-z_]+\}|\|\||\.\.", part);
            // Well-formed UTF-16, and nothing that turns the text around it.
            Assert.DoesNotContain(part.EnumerateRunes(), r => r.Value is (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069));
            Assert.Equal(part, string.Concat(part.EnumerateRunes()));
        }

        // Each tag is one of ours, and all that are opened are closed.
        var open = new Stack<string>();
        foreach (Match tag in Regex.Matches(mail.Html, "<(?<close>/?)(?<name>[^ >]*)[^>]*>", RegexOptions.ExplicitCapture))
        {
            var name = tag.Groups["name"].Value;
            if (name is "!DOCTYPE" or "meta" or "br")
            {
                continue;
            }

            Assert.Contains(name, (string[])["html", "head", "title", "style", "body", "table", "tr", "td", "p", "a"]);
            if (tag.Groups["close"].Value.Length == 0)
            {
                open.Push(name);
            }
            else
            {
                Assert.Equal(open.Pop(), name);
            }
        }

        Assert.Empty(open);
        Assert.All(mail.Attachments, a => Assert.Matches("^receipt-[A-Za-z0-9-]+\\.pdf$", a.FileName));
    }

    /// <summary>Both parts say the same words.</summary>
    public static void SaysTheSameTwice(MailContent mail)
    {
        var words = Words(Regex.Replace(WithoutStyle(mail.Html).Split("</head>")[1], "<a [^>]*href=\"(?<url>[^\"]*)\"[^>]*>|<[^>]*>", " ${url} ")
            .Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal)
            .Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal));
        Assert.Empty(Words(mail.Text).Except(words));
    }

    private static HashSet<string> Words(string text) =>
        [.. text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(w => w.TrimEnd(':', ',')).Where(w => w.Any(char.IsLetterOrDigit))];

    private static string WithoutStyle(string html) => Regex.Replace(html, "<style>.*?</style>", "", RegexOptions.Singleline);

    /// <summary>A receipt of a cash payment; columns beyond the usual ones as SQL.</summary>
    public static async Task<long> ReceiptAsync(JobWorld world, string name, long amount = 1000, string columns = "", string values = "")
    {
        var payment = await world.ScalarAsync<long>(
            $"""
            WITH u AS (INSERT INTO users (email, name) VALUES ('payer@example.test', @name) RETURNING id)
            INSERT INTO payments (user_id, amount_minor, status, method, succeeded_at{(columns.Length > 0 ? ", " + columns : "")})
            SELECT id, @amount, 'succeeded', 'cash', now(){(values.Length > 0 ? ", " + values : "")} FROM u RETURNING id
            """,
            new { name, amount });
        await world.ExecuteAsync(
            """
            INSERT INTO receipts (number, payment_id, issued_at, amount_minor, currency)
            SELECT '2026-' || lpad(id::text, 6, '0'), id, '2026-11-20 23:30Z', amount_minor, currency FROM payments WHERE id = @payment
            """,
            new { payment });
        return payment;
    }

    public static string Payload(long payment) => string.Create(CultureInfo.InvariantCulture, $$"""{"payment_id": {{payment}}}""");

    public async ValueTask DisposeAsync()
    {
        await _db.DisposeAsync();
        await _source.DisposeAsync();
    }
}
