using System.Globalization;
using System.Text.Json;
using Jobs.Testing;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;

namespace Jobs.Tests.Mail;

public sealed class SendNotificationsTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_mail_is_delivered_once_and_a_second_run_has_nothing_to_do()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        var id = await scene.MailAsync(subject: "Reçu n° 1", text: "Merci !\n.\nLe club");

        var result = await scene.SucceedAsync();
        Assert.Equal(1, result.Counter("sent"));
        var mail = Assert.Single(scene.Server.Mails);
        Assert.Equal(("office@example.test", "ada@example.test"), (mail.From, mail.To));
        var read = MimeReader.Read(mail.Bytes);
        Assert.Equal("Reçu n° 1", read["Subject"]);
        Assert.Equal("Merci !\r\n.\r\nLe club", read.Leaves().First().Text);
        var row = await scene.RowAsync(id);
        Assert.Equal(("sent", 1), ((string)row.status, (int)row.attempts));
        Assert.NotNull(row.sent_at);
        Assert.Equal(await scene.World.ScalarAsync<Guid>("SELECT id FROM job_runs WHERE job = 'send-notifications'"), (Guid)row.claimed_by);

        var before = await scene.World.StateAsync();
        Assert.Equal(0, (await scene.SucceedAsync()).Counter("sent"));
        Assert.Single(scene.Server.Mails);
        Assert.Equal(before, await scene.World.StateAsync());
    }

    [Fact]
    public async Task A_run_without_mail_talks_to_no_server()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        await scene.SucceedAsync();
        Assert.Equal(0, scene.Server.Connections);
    }

    [Fact]
    public async Task A_dry_run_says_what_the_run_does_and_does_nothing()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        var user = await scene.UserAsync("ada");
        await scene.MailAsync();
        await scene.MailAsync(to: "nobody");
        await scene.ReminderAsync(user);
        await scene.ReminderAsync(user);
        await scene.MailAsync(subject: "left behind");
        await scene.MailAsync(subject: "handed over");
        await scene.World.ExecuteAsync(
            """
            UPDATE notifications SET status = 'sending', claimed_by = gen_random_uuid(),
                   handed_over_at = CASE WHEN payload ->> 'subject' = 'handed over' THEN now() END
            WHERE payload ->> 'subject' IN ('left behind', 'handed over')
            """);
        var before = await scene.World.ScalarAsync<string>("SELECT json_agg(n ORDER BY id)::text FROM notifications AS n");

        var dry = await scene.SucceedAsync(MailScene.Noon, "--dry-run", "--connections", "1");
        Assert.Empty(scene.Server.Mails);
        Assert.Equal(before, await scene.World.ScalarAsync<string>("SELECT json_agg(n ORDER BY id)::text FROM notifications AS n"));
        // Over several connections either of the two reminders may be the one that goes out.
        var real = await scene.SucceedAsync(MailScene.Noon, "--items", "--connections", "1");
        Assert.Equal(dry.Json.GetProperty("counters").GetRawText(), real.Json.GetProperty("counters").GetRawText());
        Assert.Equal(Items(dry), Items(real));
        Assert.Equal((3, 1, 1, 1), (real.Counter("sent"), real.Counter("postponed"), real.Counter("dead_letters"), real.Counter("unknown")));

        static List<string> Items(JobResult result) => [.. result.Json.GetProperty("items").EnumerateArray()
            .Select(i => $"{i.GetProperty("id")} {i.GetProperty("outcome").GetString()}").Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task What_is_not_due_is_left()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        var due = await scene.MailAsync(subject: "due");
        await scene.World.ExecuteAsync("UPDATE notifications SET next_attempt_at = @Noon::timestamptz WHERE id = @due", new { MailScene.Noon, due });
        foreach (var status in new[] { "sent", "failed", "unknown" })
            await scene.World.ExecuteAsync("UPDATE notifications SET status = @status WHERE id = @id", new { status, id = await scene.MailAsync(subject: status) });
        var later = await scene.MailAsync(subject: "later");
        await scene.World.ExecuteAsync("UPDATE notifications SET next_attempt_at = @Noon::timestamptz + interval '1 minute' WHERE id = @later", new { MailScene.Noon, later });
        var elsewhere = await scene.MailAsync(subject: "in another run's hand");
        await scene.World.ExecuteAsync(
            """
            WITH run AS (SELECT gen_random_uuid() AS id),
            lease AS (INSERT INTO leases (name, holder, expires_at) SELECT 'send-notifications 1/2', 'host 1 2 ' || replace(id::text, '-', ''), now() + interval '1 minute' FROM run)
            UPDATE notifications SET status = 'sending', claimed_by = run.id FROM run WHERE notifications.id = @elsewhere
            """,
            new { elsewhere });

        Assert.Equal(1, (await scene.SucceedAsync()).Counter("sent"));
        Assert.Equal("due", Assert.Single(scene.Server.Mails).Header("Subject"));

        // Its lease ran out: it died.
        await scene.World.ExecuteAsync("UPDATE leases SET expires_at = now() - interval '1 second'");
        Assert.Equal(1, (await scene.SucceedAsync()).Counter("taken_back"));
        Assert.Equal(["due", "in another run's hand"], scene.Server.Mails.Where(m => m.To != "staff@example.test").Select(m => m.Header("Subject")));
    }

    [Fact]
    public async Task The_oldest_first_and_what_can_wait_last()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        await scene.ReminderAsync(await scene.UserAsync("ada"));
        for (var i = 0; i < 6; i++)
            await scene.MailAsync(subject: $"{i}");
        await scene.SucceedAsync(MailScene.Noon, "--connections", "1", "--batch-size", "4");
        Assert.Equal(["0", "1", "2", "3", "4", "5", "Hello"], scene.Server.Mails.Select(m => m.Header("Subject")));
        Assert.Equal(1, scene.Server.Connections);
    }

    [Fact]
    public async Task Only_and_limit_and_shards_take_their_part_and_give_the_rest_back()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        for (var i = 1; i <= 8; i++)
            await scene.MailAsync(subject: $"{i}");
        await scene.SucceedAsync(MailScene.Noon, "--only", "3");
        await scene.SucceedAsync(MailScene.Noon, "--limit", "2");
        Assert.Equal("pending 5, sent 3", await scene.OutboxAsync());
        await scene.SucceedAsync(MailScene.Noon, "--shard", "0/2");
        Assert.Equal("1, 2, 3, 4, 6, 8", string.Join(", ", scene.Server.Mails.Select(m => m.Header("Subject")).Order(StringComparer.Ordinal)));
    }

    [Fact]
    public async Task What_cannot_be_delivered_is_a_dead_letter_and_stops_nobody()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        scene.Server.Fault(new SmtpFault(SmtpStep.Rcpt, SmtpTrouble.Reply, "550 5.1.1 no such\u0007 user"));
        var refused = await scene.MailAsync(to: "gone@example.test");
        string[] bad = ["", "nobody", "a@b@c.test", "ada@example.test\r\nRCPT TO:<eve@evil.test>", "ada@example.test\nBcc: eve@evil.test", "ada,eve@evil.test", "jürgen@example.test"];
        var dead = new List<long>();
        foreach (var to in bad)
            dead.Add(await scene.MailAsync(to: to));
        dead.Add(await scene.World.ScalarAsync<long>("INSERT INTO notifications (kind, to_address) VALUES (E'no such\nkind\u202E', 'ada@example.test') RETURNING id"));
        var good = await scene.MailAsync(to: "bea@example.test");

        var result = await scene.SucceedAsync(MailScene.Noon, "--connections", "1");
        Assert.Equal((1, bad.Length + 2), (result.Counter("sent"), (int)result.Counter("dead_letters")));
        Assert.Equal("bea@example.test", Assert.Single(scene.Server.Mails).To);
        Assert.Equal("sent", await scene.StatusAsync(good));
        Assert.Equal("RCPT: 550 5.1.1 no such user", (string)(await scene.RowAsync(refused)).last_error);
        foreach (var id in dead)
        {
            var row = await scene.RowAsync(id);
            Assert.Equal(("failed", 1, true), ((string)row.status, (int)row.attempts, ((string)row.last_error).Length > 0));
            Assert.DoesNotContain((string)row.last_error, c => char.IsControl(c) || c == '\u202E');
        }

        Assert.DoesNotContain(scene.Server.Said, line => line.Contains("evil", StringComparison.Ordinal));
        Assert.All(result.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => JsonDocument.Parse(line));
        // Staff are told once, in one mail; of that mail nobody is told.
        await scene.SucceedAsync();
        var told = await scene.World.QueryAsync("SELECT to_address, (payload ->> 'count')::int AS count FROM notifications WHERE kind = 'staff_undelivered_mails'");
        var one = Assert.Single(told);
        Assert.Equal(("staff@example.test", bad.Length + 2), ((string)one.to_address, (int)one.count));
    }

    [Fact]
    public async Task A_mail_that_is_not_taken_now_is_tried_three_times_more_ten_minutes_apart()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        scene.Server.Fault(new SmtpFault(SmtpStep.Rcpt, SmtpTrouble.Reply, "450 4.2.0 later", Times: 100));
        var id = await scene.MailAsync();
        var at = new DateTime(2026, 11, 20, 11, 0, 0, DateTimeKind.Utc);
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            Assert.Equal(1, (await scene.SucceedAsync(Text(at))).Counter("deferred"));
            var row = await scene.RowAsync(id);
            Assert.Equal(("pending", attempt, "RCPT: 450 4.2.0 later"), ((string)row.status, (int)row.attempts, (string)row.last_error));
            var next = (DateTime)row.next_attempt_at;
            Assert.InRange(next, at.AddMinutes(10), at.AddMinutes(10).AddSeconds(30));
            // A second early: nothing.
            Assert.Equal(0, (await scene.SucceedAsync(Text(next.AddSeconds(-2)))).Counter("deferred"));
            at = next;
        }

        Assert.Equal(1, (await scene.SucceedAsync(Text(at))).Counter("dead_letters"));
        Assert.Equal("failed", await scene.StatusAsync(id));
        Assert.Equal(4, scene.Server.Said.Count(line => line.StartsWith("C: RCPT", StringComparison.Ordinal)));

        static string Text(DateTime t) => t.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
    }

    [Fact]
    public async Task An_answer_lost_after_the_last_byte_leaves_it_unknown_and_it_is_never_sent_again()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        scene.Server.Fault(new SmtpFault(SmtpStep.Stored, SmtpTrouble.Drop));
        var id = await scene.MailAsync();
        Assert.Equal(1, (await scene.SucceedAsync()).Counter("unknown"));
        await scene.SucceedAsync("2026-11-21T11:00:00Z");
        Assert.Equal("unknown", await scene.StatusAsync(id));
        Assert.Single(scene.Server.Mails, m => m.To == "ada@example.test");
        Assert.Equal(1, await scene.World.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE kind = 'staff_undelivered_mails'"));
    }

    [Theory]
    [InlineData("nobody listens")]
    [InlineData("wrong password")]
    [InlineData("sender refused")]
    [InlineData("silence")]
    public async Task A_server_that_takes_no_mail_at_all_is_one_sentence_and_no_mail_pays_for_it(string trouble)
    {
        await using var scene = await MailScene.SetAsync(fixture, trouble == "wrong password" ? new SmtpServerOptions { User = "u", Password = "right" } : null);
        if (trouble == "sender refused")
            scene.Server.Fault(new SmtpFault(SmtpStep.Mail, SmtpTrouble.Reply, "550 5.7.1 not from you", Times: 100));
        if (trouble == "silence")
            scene.Server.Fault(new SmtpFault(SmtpStep.Greeting, SmtpTrouble.Hang, Times: 100));
        scene.World.Environment["SMTP_URL"] = trouble switch
        {
            "nobody listens" => "smtp://127.0.0.1:1",
            "wrong password" => $"smtp://u:hunter2hunter2@127.0.0.1:{scene.Server.Port}",
            _ => $"smtp://127.0.0.1:{scene.Server.Port}?timeout=1s",
        };
        var ids = new[] { await scene.MailAsync(), await scene.MailAsync(), await scene.ReminderAsync(await scene.UserAsync("ada")) };

        var result = await scene.RunAsync();
        Assert.Contains("SMTP_URL", Mistake.OneSentenceAmongWarnings(result, scene.World.Environment), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", result.ToString(), StringComparison.Ordinal);
        Assert.Equal(3, await scene.World.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE status = 'pending' AND attempts = 0 AND next_attempt_at IS NULL AND claimed_by IS NULL AND id = ANY(@ids)", new { ids }));

        // Mended.
        scene.Server.ClearFaults();
        scene.Server.Release();
        scene.World.Environment["SMTP_URL"] = $"smtp://{(trouble == "wrong password" ? "u:right@" : "")}127.0.0.1:{scene.Server.Port}";
        Assert.Equal(3, (await scene.SucceedAsync()).Counter("sent"));
        Assert.Equal(3, scene.Server.Mails.Count);
    }

    [Fact]
    public async Task A_server_that_breaks_off_every_conversation_ends_the_run_before_all_mails_have_paid_for_it()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        scene.Server.Fault(new SmtpFault(SmtpStep.Data, SmtpTrouble.Drop, Times: 1000));
        for (var i = 0; i < 30; i++)
            await scene.MailAsync();
        var result = await scene.RunAsync();
        Assert.Contains("10 mails in a row", Mistake.OneSentenceAmongWarnings(result, scene.World.Environment), StringComparison.Ordinal);
        Assert.InRange(await scene.World.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE attempts = 1"), 10, 14);
        Assert.Equal("pending 30", await scene.OutboxAsync());
    }

    [Theory]
    [InlineData("2026-11-20T06:59:50Z", "2026-11-20T07:00:00Z")]
    [InlineData("2026-11-20T07:00:00Z", null)]
    [InlineData("2026-11-20T19:59:40Z", null)]
    [InlineData("2026-11-20T20:00:00Z", "2026-11-21T07:00:00Z")]
    [InlineData("2026-03-28T20:00:00Z", "2026-03-29T06:00:00Z")]
    [InlineData("2026-10-24T19:00:00Z", "2026-10-25T07:00:00Z")]
    public async Task In_the_quiet_hours_only_what_cannot_wait_is_sent(string asOf, string? until)
    {
        await using var scene = await MailScene.SetAsync(fixture);
        var reminder = await scene.ReminderAsync(await scene.UserAsync("ada"));
        await scene.MailAsync(to: "bea@example.test");
        var result = await scene.SucceedAsync(asOf);
        Assert.Equal((until is null ? 2 : 1, until is null ? 0 : 1), (result.Counter("sent"), result.Counter("postponed")));
        if (until is null)
            return;
        var row = await scene.RowAsync(reminder);
        Assert.Equal(("pending", 0), ((string)row.status, (int)row.attempts));
        Assert.Equal(DateTimeOffset.Parse(until, CultureInfo.InvariantCulture).UtcDateTime, (DateTime)row.next_attempt_at);
        Assert.Equal(1, (await scene.SucceedAsync(until)).Counter("sent"));
    }

    [Fact]
    public async Task A_person_is_reminded_at_most_twice_a_day_and_four_hours_apart()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        var ada = await scene.UserAsync("ada");
        var bea = await scene.UserAsync("bea");
        foreach (var user in new long?[] { ada, ada, ada, bea, null, null })
            await scene.ReminderAsync(user, user is null ? "cyd@example.test" : "x@example.test");
        await scene.MailAsync(user: ada);

        Assert.Equal(4, (await scene.SucceedAsync("2026-11-20T08:00:00Z")).Counter("sent"));
        Assert.Equal(0, (await scene.SucceedAsync("2026-11-20T11:59:50Z")).Counter("sent"));
        Assert.Equal(2, (await scene.SucceedAsync("2026-11-20T12:00:30Z")).Counter("sent"));
        // Ada's third waits for the next day.
        Assert.Equal(0, (await scene.SucceedAsync("2026-11-20T17:00:00Z")).Counter("sent"));
        Assert.Equal(1, (await scene.SucceedAsync("2026-11-21T07:00:00Z")).Counter("sent"));
        Assert.Equal("sent 7", await scene.OutboxAsync());
    }

    [Fact]
    public async Task Mails_are_files_where_a_folder_is_named()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        var folder = Directory.CreateTempSubdirectory("mails");
        scene.World.Environment["SMTP_URL"] = null;
        scene.World.Environment["STAFF_EMAIL"] = null;
        scene.World.Environment["MAIL_PICKUP_DIR"] = folder.FullName;
        await scene.MailAsync(subject: "one");
        await scene.MailAsync(subject: "two", to: "no");
        Assert.Equal(1, (await scene.SucceedAsync()).Counter("sent"));
        await scene.SucceedAsync();
        var file = Assert.Single(folder.GetFiles());
        var read = MimeReader.Read(await File.ReadAllBytesAsync(file.FullName));
        Assert.Equal($"<{Path.GetFileNameWithoutExtension(file.Name)}>", read["Message-ID"]);

        folder.Delete(recursive: true);
        await scene.MailAsync();
        Assert.Contains("MAIL_PICKUP_DIR", Mistake.OneSentence("send-notifications", await scene.RunAsync(), scene.World.Environment), StringComparison.Ordinal);
        Assert.Equal("failed 1, pending 1, sent 1", await scene.OutboxAsync());
    }

    [Fact]
    public async Task Outside_production_all_mail_can_go_to_one_address()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        scene.World.Environment["MAIL_REDIRECT_TO"] = "dev@example.test";
        await scene.MailAsync(to: "ada@example.test");
        await scene.SucceedAsync();
        var mail = Assert.Single(scene.Server.Mails);
        Assert.Equal(("dev@example.test", "dev@example.test", "ada@example.test"), (mail.To, mail.Header("To"), mail.Header("X-Original-To")));
    }

    [Theory]
    [InlineData("neither SMTP_URL nor MAIL_PICKUP_DIR", "SMTP_URL=")]
    [InlineData("both SMTP_URL and MAIL_PICKUP_DIR", "MAIL_PICKUP_DIR=/tmp")]
    [InlineData("MAIL_FROM is not set", "MAIL_FROM=")]
    [InlineData("MAIL_FROM must be an address", "MAIL_FROM=office")]
    [InlineData("SMTP_URL must begin with", "SMTP_URL=mail.example.test")]
    [InlineData("MAIL_UNSUBSCRIBE_URL must be", "MAIL_UNSUBSCRIBE_URL=https://example.test/")]
    [InlineData("MAIL_REDIRECT_TO must be an address", "MAIL_REDIRECT_TO=dev")]
    [InlineData("MAIL_REDIRECT_TO is set in production", "MAIL_REDIRECT_TO=dev@example.test,APP_ENV=production")]
    [InlineData("which is no folder", "SMTP_URL=,MAIL_PICKUP_DIR=/no/such/folder")]
    public async Task A_mistake_in_the_settings_is_one_sentence(string sentence, string changes)
    {
        await using var scene = await MailScene.SetAsync(fixture);
        foreach (var change in changes.Split(','))
            scene.World.Environment[change.Split('=')[0]] = change.Split('=', 2)[1];
        var environment = scene.World.Environment;
        Assert.Contains(sentence, Mistake.OneSentence("send-notifications", await scene.World.RunAsync("send-notifications"), environment), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task By_TLS_with_a_certificate_that_is_vouched_for(bool implicitTls)
    {
        var certificates = ThrowawayCertificates.Create();
        using var pem = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(certificates.ServerPem, certificates.ServerKeyPem);
        await using var scene = await MailScene.SetAsync(fixture, new SmtpServerOptions { Certificate = pem, ImplicitTls = implicitTls, User = "u", Password = "secret-word" });
        var root = Path.GetTempFileName();
        await File.WriteAllTextAsync(root, certificates.RootPem);
        scene.World.Environment["SSL_CERT_FILE"] = root;
        scene.World.Environment["SMTP_URL"] = $"smtp{(implicitTls ? "s" : "")}://u:secret-word@localhost:{scene.Server.Port}";
        for (var i = 0; i < 5; i++)
            await scene.MailAsync();
        // OpenSSL reads SSL_CERT_FILE once for a whole process.
        var run = await scene.World.RunPublishedAsync("send-notifications", "--as-of", MailScene.Noon);
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(5, scene.Server.Mails.Count(m => m.Encrypted));
        File.Delete(root);
    }

    [Fact]
    public async Task Words_slipped_in_before_the_encryption_are_not_heard()
    {
        var certificates = ThrowawayCertificates.Create();
        using var pem = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(certificates.ServerPem, certificates.ServerKeyPem);
        await using var scene = await MailScene.SetAsync(fixture, new SmtpServerOptions { Certificate = pem });
        // Believed as the answer to the EHLO after the encryption, this would refuse every mail as too large.
        scene.Server.Fault(new SmtpFault(SmtpStep.StartTls, SmtpTrouble.Reply, "220 go ahead\r\n250-fake-smtp\r\n250 SIZE 1"));
        var root = Path.GetTempFileName();
        await File.WriteAllTextAsync(root, certificates.RootPem);
        scene.World.Environment["SSL_CERT_FILE"] = root;
        scene.World.Environment["SMTP_URL"] = $"smtp://localhost:{scene.Server.Port}";
        await scene.MailAsync();
        Assert.Equal(1, (await scene.SucceedAsync()).Counter("sent"));
        Assert.True(Assert.Single(scene.Server.Mails).Encrypted);
        File.Delete(root);
    }

    [Fact]
    public async Task Two_runs_at_once_deliver_each_mail_once_and_remind_nobody_too_often()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        await scene.World.ExecuteAsync(
            """
            CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
            CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
            """);
        for (var round = 0; round < 3; round++)
        {
            scene.Server.Reset();
            await scene.World.ExecuteAsync("DELETE FROM notifications");
            var user = await scene.UserAsync($"ada{round}");
            for (var i = 0; i < 150; i++)
                await scene.MailAsync();
            for (var i = 0; i < 10; i++)
                await scene.ReminderAsync(user, "reminded@example.test");
            using var first = scene.World.Start("send-notifications", "--as-of", MailScene.Noon, "--output", "json");
            await Task.Delay(60 * round);
            using var second = scene.World.Start("send-notifications", "--as-of", MailScene.Noon, "--output", "json");
            foreach (var result in new[] { await first.EndAsync(), await second.EndAsync() })
                Assert.True(result.ExitCode == 0, result.ToString());
            await scene.SucceedAsync();

            Assert.All(scene.Delivered(), pair => Assert.Equal(1, pair.Value));
            Assert.Equal(1, scene.Server.Mails.Count(m => m.To == "reminded@example.test"));
            // What the second run took for unknown while the first waited for the answer, the first knew in the end.
            Assert.Equal("pending 9, sent 151", await scene.OutboxAsync());
            Assert.Equal(151, scene.Server.Mails.Count);
        }
    }
}
