using Jobs.Tests.Cleanup;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.CleanupLogs;

/// <summary>Old runs, delivered mails and log files: what goes, and what is still of use.</summary>
public sealed class CleanupLogsTests(PostgresFixture fixture)
{
    private static readonly DateTime Now = new(2026, 11, 22, 3, 0, 0, DateTimeKind.Utc);
    private static readonly TimeSpan Moment = TimeSpan.FromMicroseconds(1);

    private static Task<JobResult> CleanAsync(JobWorld world, params string[] args) =>
        world.RunAsync("cleanup-logs", ["--as-of", "2026-11-22T03:00:00Z", .. args]);

    private static async Task<Guid> RunAsync(
        JobWorld world, DateTime startedAt, string status = "failed", string job = "autopayment", string? shard = null, bool partial = false)
    {
        var id = Guid.NewGuid();
        await world.ExecuteAsync(
            "INSERT INTO job_runs (id, job, status, started_at, finished_at, shard, partial) VALUES (@id, @job, @status, @startedAt, @startedAt, @shard, @partial)",
            new { id, job, status, startedAt, shard, partial });
        return id;
    }

    private static async Task<IReadOnlyList<Guid>> RunsAsync(JobWorld world) =>
        [.. (await world.QueryAsync("SELECT id FROM job_runs WHERE job NOT IN ('cleanup-logs', 'migrate') ORDER BY started_at")).Select(r => (Guid)r.id)];

    [Fact]
    public async Task Runs_older_than_90_days_go_and_one_of_exactly_that_stays()
    {
        await using var world = await fixture.WorldAsync();
        await RunAsync(world, Now.AddDays(-90) - Moment);
        await RunAsync(world, Now.AddDays(-900), "skipped");
        await RunAsync(world, Now.AddDays(-800), "interrupted");
        var exactly = await RunAsync(world, Now.AddDays(-90));
        var last = await RunAsync(world, Now.AddDays(-1), "succeeded");

        var run = await CleanAsync(world);

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(3, run.Counter("runs_deleted"));
        Assert.Equal([exactly, last], await RunsAsync(world));
        Assert.Equal(0, (await CleanAsync(world)).Counter("runs_deleted"));
    }

    [Fact]
    public async Task The_last_run_and_the_last_success_of_each_job_and_slice_stay_however_old()
    {
        await using var world = await fixture.WorldAsync();
        await RunAsync(world, Now.AddDays(-410), "succeeded");
        var success = await RunAsync(world, Now.AddDays(-400), "succeeded");
        await RunAsync(world, Now.AddDays(-390), "succeeded", partial: true);
        var lastPartial = await RunAsync(world, Now.AddDays(-380), "succeeded", partial: true);
        await RunAsync(world, Now.AddDays(-300));
        var last = await RunAsync(world, Now.AddDays(-200));
        var ofSlice = await RunAsync(world, Now.AddDays(-199), "succeeded", "expire-subscriptions", "0/2");
        var ofOther = await RunAsync(world, Now.AddDays(-198), "succeeded", "expire-subscriptions", "1/2");

        Assert.Equal(3, (await CleanAsync(world)).Counter("runs_deleted"));

        Assert.Equal([success, lastPartial, last, ofSlice, ofOther], await RunsAsync(world));
    }

    [Fact]
    public async Task What_runs_or_is_named_by_something_stays()
    {
        await using var world = await fixture.WorldAsync();
        var old = Now.AddDays(-200);
        var running = await RunAsync(world, old, "running");
        var audited = await RunAsync(world, old.AddMinutes(1));
        var mailing = await RunAsync(world, old.AddMinutes(2));
        var asking = await RunAsync(world, old.AddMinutes(3));
        var backup = await RunAsync(world, old.AddMinutes(4));
        var (sent, answered, deleted) = (await RunAsync(world, old.AddMinutes(5)), await RunAsync(world, old.AddMinutes(6)), await RunAsync(world, old.AddMinutes(7)));
        var last = await RunAsync(world, Now);
        await world.ExecuteAsync(
            """
            INSERT INTO audit_logs (action, run_id) VALUES ('x', @audited);
            INSERT INTO notifications (kind, status, claimed_by) VALUES ('x', 'sending', @mailing), ('x', 'sent', @sent);
            INSERT INTO users DEFAULT VALUES;
            INSERT INTO payments (user_id, amount_minor) VALUES (1, 1);
            INSERT INTO payment_queue (payment_id) VALUES (1);
            INSERT INTO terminal_attempts (queue_id, payment_id, client_reference, amount_minor, currency, run_id, settled_at)
            VALUES (1, 1, 'a', 1, 'eur', @asking, NULL), (1, 1, 'b', 1, 'eur', @answered, now());
            INSERT INTO backups (name, location, run_id, deleted_at) VALUES ('a', 'a', @backup, NULL), ('b', 'b', @deleted, now());
            """,
            new { audited, mailing, sent, asking, answered, backup, deleted });

        Assert.Equal(3, (await CleanAsync(world)).Counter("runs_deleted"));

        Assert.Equal([running, audited, mailing, asking, backup, last], await RunsAsync(world));
    }

    private static Task<long> MailAsync(
        JobWorld world, DateTime? sentAt, string kind = "payment_failed", string? key = null, string payload = """{"x": 1}""", string status = "sent") =>
        world.ScalarAsync<long>(
            """
            INSERT INTO notifications (kind, to_address, payload, dedupe_key, status, sent_at)
            VALUES (@kind, 'a@example.test', @payload::jsonb, @key, @status, @sentAt) RETURNING id
            """,
            new { kind, payload, key, status, sentAt });

    [Fact]
    public async Task A_mail_whose_key_may_come_up_again_is_emptied_and_any_other_is_deleted()
    {
        await using var world = await fixture.WorldAsync();
        var (old, edge) = (Now.AddDays(-200), Now.AddDays(-180));
        await world.ExecuteAsync(
            """
            INSERT INTO users (email) VALUES ('u@example.test');
            INSERT INTO payments (user_id, amount_minor, status) VALUES (1, 1, 'succeeded'), (1, 1, 'failed');
            """);
        await MailAsync(world, old);
        await MailAsync(world, edge - Moment, "payment_receipt", "payment_receipt:1", """{"payment_id": 1}""");
        await MailAsync(world, old, "renewal_reminder", "renewal_reminder:subscription:1:2026-05-20:5", """{"ends_on": "2026-05-20"}""");
        var emptied = new[]
        {
            await MailAsync(world, old, key: "payment_failed:2"),
            await MailAsync(world, old, "payment_receipt", "payment_receipt:2", """{"payment_id": 2}"""),
            await MailAsync(world, old, "staff_unmatched_payments", "staff_unmatched_payments:1"),
        };
        var left = new[]
        {
            await MailAsync(world, edge, key: "exactly"),
            await MailAsync(world, old, "renewal_reminder", "renewal_reminder:subscription:1:2026-12-31:300", """{"ends_on": "2026-12-31"}"""),
            await MailAsync(world, old, key: "failed", status: "failed"),
            await MailAsync(world, null, key: "unknown", status: "unknown"),
            await MailAsync(world, null, key: "waits", status: "pending"),
        };

        var run = await CleanAsync(world);

        Assert.Equal((3, 3), (run.Counter("mails_deleted"), run.Counter("mails_emptied")));
        Assert.Equal(
            emptied, (await world.QueryAsync("SELECT id FROM notifications WHERE payload = '{}' AND to_address = '' AND dedupe_key IS NOT NULL AND status = 'sent' ORDER BY id")).Select(r => (long)r.id));
        Assert.Equal(left, (await world.QueryAsync("SELECT id FROM notifications WHERE payload <> '{}' AND to_address <> '' ORDER BY id")).Select(r => (long)r.id));
        var second = await CleanAsync(world);
        Assert.Equal((0, 0), (second.Counter("mails_deleted"), second.Counter("mails_emptied")));
    }

    [Fact]
    public async Task Log_files_of_jobs_older_than_30_days_go_and_nothing_else_in_the_folder()
    {
        await using var world = await fixture.WorldAsync();
        var folder = Directory.CreateTempSubdirectory("logs");
        world.Environment["LOG_DIR"] = folder.FullName;
        string[] old = ["autopayment-2026-10-22.log", "send-notifications-2026-01-01.log.gz", "cleanup-logs-2025-12-31.log"];
        string[] kept =
        [
            "autopayment-2026-10-23.log", "autopayment-2026-11-22.log", "autopayment-2027-01-01.log", "autopayment.log", "autopayment-2026-10-22.log.1",
            "autopayment-2026-13-40.log", "nginx-2026-01-01.log", "Autopayment-2026-01-01.log", "autopayment-2026-01-01.log.bz2", "my-autopayment-2026-01-01.log",
        ];
        foreach (var name in old.Concat(kept))
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, name), name, TestContext.Current.CancellationToken);
        Directory.CreateDirectory(Path.Combine(folder.FullName, "daily-stats-2026-01-01.log"));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "daily-stats-2026-01-01.log", "autopayment-2026-01-01.log"), "below", TestContext.Current.CancellationToken);
        File.CreateSymbolicLink(Path.Combine(folder.FullName, "cleanup-2026-01-01.log"), Path.Combine(folder.FullName, "autopayment.log"));

        var dry = await CleanAsync(world, "--dry-run");
        Assert.Equal(14, folder.GetFiles().Length);
        var run = await CleanAsync(world, "--items");

        Assert.Equal(3, run.Counter("log_files_deleted"));
        Assert.Equal(dry.Told(), run.Told());
        Assert.Equal(kept.Append("cleanup-2026-01-01.log").Order(StringComparer.Ordinal), folder.GetFiles().Select(f => f.Name).Order(StringComparer.Ordinal));
        Assert.Single(folder.GetDirectories().Single().GetFiles());
        folder.Delete(recursive: true);
        Assert.Contains("LOG_DIR names the folder", (await CleanAsync(world)).Error(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData]
    [InlineData("--batch-size", "2")]
    [InlineData("--batch-size", "2", "--limit", "3")]
    public async Task A_dry_run_tells_exactly_what_the_run_then_does(params string[] options)
    {
        await using var world = await fixture.WorldAsync();
        for (var n = 0; n < 7; n++)
        {
            await RunAsync(world, Now.AddDays(-200 + (n / 2)), n % 3 == 0 ? "succeeded" : "failed");
            await MailAsync(world, Now.AddDays(-200 + (n / 2)), key: n % 2 == 0 ? null : $"k{n}");
        }

        var dry = await CleanAsync(world, ["--dry-run", .. options]);
        Assert.Equal(7, (await RunsAsync(world)).Count);
        var real = await CleanAsync(world, ["--items", .. options]);

        Assert.Equal(dry.Told(), real.Told());
        Assert.Equal(options.Length == 4 ? 3 : 6, real.Counter("runs_deleted"));
    }

    [Fact]
    public async Task A_hundred_thousand_runs_are_gone_through_by_indexes()
    {
        await using var world = await fixture.FreshWorldAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO job_runs (id, job, status, started_at)
            SELECT gen_random_uuid(), 'job-' || n % 10, CASE WHEN n % 7 = 0 THEN 'failed' ELSE 'succeeded' END, @Now::timestamptz - interval '1 day' * (n / 300.0)
            FROM generate_series(1, 100000) AS n;
            INSERT INTO audit_logs (action, run_id) SELECT 'x', id FROM job_runs WHERE started_at < @Now::timestamptz - interval '300 days' LIMIT 1000;
            ANALYZE job_runs; ANALYZE audit_logs;
            """,
            new { Now });

        var run = await CleanAsync(world);

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(100_000 - 27_000 - 1000, run.Counter("runs_deleted"));
    }
}
