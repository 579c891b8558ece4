using System.Text;
using Jobs.Tests.Crash;
using Jobs.Tests.Mail;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Proof.Hostile;

/// <summary>Whatever people typed into an application's form: it is charged for, written about and shown, and never obeyed.</summary>
[Trait("Category", "Proof")]
public sealed class RowTests(PostgresFixture fixture)
{
    private const string Mark = "<script>alert(1)</script>";

    private static readonly string[] Texts =
    [
        Mark, "\"><img src=x onerror=alert(1)>", "Ada\r\nBcc: victim@example.test", "Ada\nX-Injected: 1\n\nbody", "\u001b[31mred\u001b]0;title\u0007\u009b2J", "\u202Etxt.exe\u202C\u2066",
        "'; DROP TABLE payments; --", "{{name}} {amount} ${HOME} %s %n $(id) `id`", "=HYPERLINK(\"http://example.test\")", "a\u0001b",
        "\uFEFF\u200B\u2028\u2029\u0085", "🏳️‍🌈👩‍👩‍👧‍👦e\u0301\u0301\u0301\u0301", ".\r\n.\r\nQUIT\r\n", "=?utf-8?B?QWRh?=", "[bold]x[/] [/]", "\\\", evil=\"1\"} 1\n# HELP", "😀", "<!--", "]]>", "ﷺ", "\t\v\f\b",
    ];

    private static readonly string[] Addresses =
    [
        "{0}@example.test", "{0}@example.test\r\nBcc: victim@example.test", "{0}@example.test,victim@example.test", "\"a b\"{0}@example.test", "{0}@exämple.test", "{0}", "<{0}@example.test>",
        "{0}@example.test>\r\nRCPT TO:<victim@example.test", "{0}@example.test\u0001", "<script>{0}</script>@example.test", " {0}@example.test ", "{0}@[127.0.0.1]", "\u202E{0}@example.test",
    ];

    private static string Text(Random random) => random.Next(8) switch
    {
        0 => new string('Ä', 10_000),
        1 => Texts[random.Next(Texts.Length)] + Texts[random.Next(Texts.Length)],
        2 => string.Concat(Enumerable.Range(0, random.Next(1, 60)).Select(_ => char.ConvertFromUtf32(Any(random)))),
        _ => Texts[random.Next(Texts.Length)],
    };

    private static int Any(Random random)
    {
        int[] ranges = [0x80, 0x400, 0x2100, 0x10000, 0x1F700];
        for (; ; )
        {
            var rune = random.Next(1, ranges[random.Next(ranges.Length)]);
            if (Rune.IsValid(rune))
                return rune;
        }
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, Evidence.Times(1, proof: 12, endless: 25))];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task What_people_typed_is_text_in_mails_pages_metrics_and_on_the_terminal(int seed)
    {
        await using var world = await fixture.WorldAsync();
        var random = new Random(seed);
        var mails = Directory.CreateTempSubdirectory("mails");
        world.Environment["MAIL_PICKUP_DIR"] = mails.FullName;
        world.Environment["MAIL_FROM"] = "Club <office@example.test>";
        world.Environment["METRICS_TEXTFILE_DIR"] = mails.CreateSubdirectory("metrics").FullName;
        const int people = 40;
        for (var n = 0; n < people; n++)
            await PersonAsync(world, n, random);
        // The first of them ended more than a month ahead, so that it is reminded of.
        await world.ExecuteAsync("UPDATE subscriptions SET ended_at = @Morning + interval '5 days' WHERE id % 3 = 0", new { Morning });

        await RunAsync(world, "autopayment", "--as-of", AsOf(Morning), "--items", "--max-charges", "1000");
        await RunAsync(world, "renewal-reminder", "--as-of", AsOf(Morning.AddHours(2)), "--items");
        await RunAsync(world, "match-successful-payments");
        // Twice: those that are new because the first run could not deliver some.
        await RunAsync(world, "send-notifications", "--as-of", AsOf(Morning.AddHours(6)), "--items");
        await RunAsync(world, "send-notifications", "--as-of", AsOf(Morning.AddHours(7)));
        await RunAsync(world, "record-payment", "--as-of", AsOf(Morning), "--user", "1", "--amount", "12.50", "--currency", "eur", "--method", "cash", "--purpose", "other",
            "--recorded-by", "1", "--reference", Texts[seed % Texts.Length] + seed);
        await RunAsync(world, "daily-stats", "--as-of", AsOf(Morning.AddDays(1)));

        CheckMails(mails);
        foreach (var file in mails.GetFiles("*.prom", SearchOption.AllDirectories))
            Assert.All(await File.ReadAllLinesAsync(file.FullName, TestContext.Current.CancellationToken), line => Assert.Matches("^(#|[a-z_]+(\\{[^{}]*\\})? [-+0-9.eNaInf]+$)", line));
        foreach (var id in Enumerable.Range(1, Evidence.Full ? people : 3))
            await ShowAsync(world, "explain", "user", $"{id}");
        await ShowAsync(world, "status");
        await ShowAsync(world, "resolve", "list");
        await ShowAsync(world, "history");
        await ShowAsync(world, "metrics");
        await ShowAsync(world, "doctor");
        var page = Path.Combine(mails.FullName, "page.html");
        await ShowAsync(world, "report", "--html", page);
        NoMarkup(await File.ReadAllTextAsync(page, TestContext.Current.CancellationToken));

        Assert.Equal(people, await world.ScalarAsync<long>("SELECT count(*) FROM users"));
        await Truth.CheckAsync(world);
        mails.Delete(recursive: true);
        foreach (var job in new[] { "autopayment", "renewal-reminder", "send-notifications", "match-successful-payments", "record-payment", "daily-stats", "jobctl" })
            Evidence.Record(job, Trouble.HostileInput, people);
    }

    private static async Task PersonAsync(JobWorld world, int n, Random random)
    {
        await world.Stripe.SeedAsync(new
        {
            customers = new[] { new { id = $"cus_{n}", payment_methods = new[] { new { id = $"pm_{n}", behaviour = random.Next(3) == 0 ? "insufficient_funds" : "success" } } } },
        });
        var address = string.Format(System.Globalization.CultureInfo.InvariantCulture, Addresses[n % Addresses.Length], $"p{n}");
        var user = await world.ScalarAsync<long>(
            "INSERT INTO users (email, name, locale, role, provider_customer_id, default_payment_method_id) VALUES (@address, @name, @locale, @role, @customer, @method) RETURNING id",
            new { address, name = Text(random), locale = n % 4 == 0 ? Text(random) : "en", role = n == 0 ? "staff" : "member", customer = $"cus_{n}", method = $"pm_{n}" });
        var plan = await world.ScalarAsync<long>(
            "INSERT INTO plans (code, name, amount_minor, currency) VALUES (@code, @name, 1000, 'eur') RETURNING id", new { code = $"plan-{n}", name = Text(random) });
        await world.SubscriptionAsync(user, plan, Morning.AddHours(-1));
        // Taken at the provider under metadata that is nobody's.
        await world.Stripe.SeedAsync(new
        {
            payment_intents = new[]
            {
                new
                {
                    id = $"pi_odd{n}", amount = 700, currency = "eur", customer = $"cus_{n}", payment_method = $"pm_{n}", status = "succeeded",
                    description = Text(random), metadata = new { note = Text(random), plan = Texts[n % Texts.Length], user_id = n % 3 == 0 ? $"{user}" : Texts[(n + 1) % Texts.Length], purpose = n % 2 == 0 ? "subscription" : Mark },
                },
            },
        });
    }

    private static async Task RunAsync(JobWorld world, string job, params string[] args)
    {
        var result = await world.RunPublishedAsync(job, args);
        Assert.True(result.ExitCode is 0 or 1, result.ToString());
        Mistake.NothingToHide(result, world.Environment);
        Mistake.OneObject(result);
        Quiet(result);
        Assert.All(result.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.StartsWith("{", line, StringComparison.Ordinal));
    }

    private static async Task ShowAsync(JobWorld world, params string[] args)
    {
        foreach (var output in new[] { "text", "json" })
        {
            using var process = world.StartPublished("jobctl", [.. args, "--output", output]);
            var result = await process.EndAsync();
            Assert.True(result.ExitCode is 0 or 1, result.ToString());
            Mistake.NothingToHide(result, world.Environment);
            Quiet(result);
        }
    }

    /// <summary>Nothing that a terminal would obey, and nothing that turns the text around it.</summary>
    private static void Quiet(JobResult result)
    {
        var wild = (result.Stdout + result.Stderr).EnumerateRunes()
            .Where(rune => (Rune.IsControl(rune) && rune.Value is not ('\n' or '\r' or '\t')) || IsTurning(rune))
            .Select(rune => $"U+{rune.Value:X4}").Distinct().ToList();
        Assert.True(wild.Count == 0, $"{string.Join(' ', wild)} in the output: {result}");
    }

    private static bool IsTurning(Rune rune) => rune.Value is (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069);

    private static void NoMarkup(string html)
    {
        Assert.DoesNotContain(Mark, html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img src=x", html, StringComparison.OrdinalIgnoreCase);
    }

    private static void CheckMails(DirectoryInfo folder)
    {
        string[] known = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe-Post", "X-Auto-Response-Suppress", "Reply-To", "Content-Language", "Precedence", "Content-Disposition"];
        var files = folder.GetFiles("*.eml");
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var bytes = File.ReadAllBytes(file.FullName);
            Assert.All(bytes, b => Assert.True(b is >= 32 and < 127 or (byte)'\r' or (byte)'\n' or (byte)'\t', $"byte {b} in {file.Name}"));
            var mail = MimeReader.Read(bytes);
            Assert.Empty(mail.Headers.Select(h => h.Name).Except(known, StringComparer.OrdinalIgnoreCase));
            Assert.All(mail.Headers, h => Assert.DoesNotContain(h.Value, c => char.IsControl(c)));
            Assert.Equal(mail.Headers.Count, mail.Headers.Select(h => h.Name).Distinct(StringComparer.OrdinalIgnoreCase).Count());
            var to = System.Net.Mail.MailAddress.TryCreate(mail["To"], out var address) ? address.Address : mail["To"];
            Assert.False(mail["To"].Count(c => c == '@') > 1 && mail["To"].Contains("victim", StringComparison.Ordinal), $"to {mail["To"]} ({to})");
            foreach (var leaf in mail.Leaves().Where(leaf => leaf["Content-Type"].StartsWith("text/html", StringComparison.Ordinal)))
                NoMarkup(leaf.Text);
        }
    }
}
