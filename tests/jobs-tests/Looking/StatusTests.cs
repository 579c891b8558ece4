using System.Text.Json;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;

namespace Jobs.Tests.Looking;

/// <summary>`jobctl status`: how every job stands, what is wrong and what to do.</summary>
public sealed class StatusTests(PostgresFixture fixture)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task On_a_fresh_database_nothing_ever_ran_and_nothing_is_late()
    {
        await using var world = await fixture.WorldAsync();
        await world.MigratedNowAsync();
        var status = await world.LookAsJsonAsync(0, "status");

        Assert.True(status.GetProperty("ok").GetBoolean());
        Assert.Equal(0, status.GetProperty("problems").GetArrayLength());
        Assert.Equal(Catalogue.Jobs.Where(j => j.Kind != JobKind.Tool).Select(j => j.Name), status.Strings("jobs", "job"));
        Assert.All(status.GetProperty("jobs").EnumerateArray(), job => Assert.Equal(job.Text("job") == "migrate" ? "ok" : "never_ran", job.Text("state")));
        Assert.Equal(JsonValueKind.Null, status.Job("autopayment").GetProperty("last_run").ValueKind);
        var text = await world.LookAsync("status");
        Assert.True(text is { ExitCode: 0, Stderr: "" }, text.ToString());
        Assert.Contains("✓ all is well", text.Stdout, StringComparison.Ordinal);
        Assert.Equal(("", 0), ((await world.LookAsync("status", "--quiet")).Stdout, (await world.LookAsync("status", "--quiet")).ExitCode));
    }

    [Fact]
    public async Task Each_job_says_its_last_run_its_next_and_what_it_counted()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        var run = await world.RunRowAsync("expire-subscriptions", "succeeded", TimeSpan.FromSeconds(10), counters: """{"expired": 12, "held": 1}""");
        var status = await world.LookAsJsonAsync(0, "status");

        var job = status.Job("expire-subscriptions");
        Assert.Equal(("ok", "45 6 * * *", 0), (job.Text("state"), job.Text("schedule"), job.GetProperty("failures_in_a_row").GetInt32()));
        var last = job.GetProperty("last_run");
        Assert.Equal((run.ToString(), "succeeded", "schedule", 2000), (last.Text("run_id"), last.Text("status"), last.Text("trigger"), last.GetProperty("duration_ms").GetInt32()));
        Assert.Equal(12, last.GetProperty("counters").GetProperty("expired").GetInt32());
        Assert.Equal(last.Text("started_at"), job.Text("last_success_at"));
        var next = job.GetProperty("next_due_at").GetDateTime();
        Assert.InRange(next, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow.AddHours(25));
        Assert.Equal("06:45", new Jobs.Billing.BusinessZone("Europe/Paris").OnTheWall(next).ToString("HH:mm", System.Globalization.CultureInfo.InvariantCulture));
        world.Environment["COLUMNS"] = "200";
        Assert.Contains("1 held, 12 expired", (await world.LookAsync("status", "--job", "expire-subscriptions")).Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_without_success_for_longer_than_its_schedule_and_time_limit_is_late_and_a_minute_before_it_is_not()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        foreach (var name in new[] { "send-notifications", "match-pending-payments" })
        {
            var job = Catalogue.Find(name);
            var limit = job.LateAfter!.Value;
            await world.ForgetAsync(name);
            await world.RunRowAsync(name, "succeeded", limit - Minute);
            Assert.Equal("ok", (await world.LookAsJsonAsync(0, "status")).Job(name).Text("state"));

            await world.ForgetAsync(name);
            await world.RunRowAsync(name, "succeeded", limit + Minute);
            // What proves nothing: a part of it, a replay of the past, a run that was skipped.
            await world.RunRowAsync(name, "succeeded", Minute, partial: true);
            await world.RunRowAsync(name, "succeeded", Minute, asOf: DateTime.UtcNow.AddDays(-3));
            await world.RunRowAsync(name, "skipped", Minute, "another run holds the lease");
            var status = await world.LookAsJsonAsync(1, "status");
            Assert.Equal(("late", true, false), (status.Job(name).Text("state"), status.Job(name).GetProperty("late").GetBoolean(), status.Job(name).GetProperty("failing").GetBoolean()));
            var problem = Assert.Single(status.GetProperty("problems").EnumerateArray());
            Assert.StartsWith($"{name} is late: its last success was ", problem.Text("what"), StringComparison.Ordinal);
            Assert.Contains("was skipped: another run holds the lease", problem.Text("what"), StringComparison.Ordinal);
            await world.RunRowAsync(name, "succeeded", Minute);
        }

        Assert.True((await world.LookAsJsonAsync(0, "status")).GetProperty("ok").GetBoolean());
    }

    [Fact]
    public async Task One_that_never_ran_is_late_only_when_the_ledger_is_old_enough_to_know()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync("UPDATE job_runs SET started_at = now() - interval '24 hours 10 minutes'");
        // A day and half an hour are not over yet; two minutes and ten are.
        var status = await world.LookAsJsonAsync(1, "status");
        Assert.Equal(("never_ran", "late"), (status.Job("daily-stats").Text("state"), status.Job("match-pending-payments").Text("state")));
        await world.ExecuteAsync("UPDATE job_runs SET started_at = now() - interval '27 hours'");
        status = await world.LookAsJsonAsync(1, "status");
        Assert.Equal(("late", "never_ran"), (status.Job("daily-stats").Text("state"), status.Job("cleanup").Text("state")));
        Assert.Equal("never_ran", status.Job("record-payment").Text("state"));
    }

    [Fact]
    public async Task A_job_that_fails_says_how_often_and_why_until_it_succeeds()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        Guid last = default;
        for (var n = 3; n >= 1; n--)
        {
            last = await world.RunRowAsync("autopayment", n == 2 ? "interrupted" : "failed", n * TimeSpan.FromSeconds(5), LedgerScene.Hostile);
        }

        // Skipped and partial runs end no episode of failures, nor does somebody's mistake on an on-demand job begin one.
        await world.RunRowAsync("autopayment", "skipped", TimeSpan.FromSeconds(1));
        await world.RunRowAsync("record-payment", "failed", TimeSpan.FromSeconds(1), "--user is missing");
        var status = await world.LookAsJsonAsync(1, "status");

        var job = status.Job("autopayment");
        Assert.Equal(("failing", 3), (job.Text("state"), job.GetProperty("failures_in_a_row").GetInt32()));
        Assert.Equal(LedgerScene.Hostile, job.GetProperty("last_run").Text("error"));
        Assert.Equal("ok", status.Job("record-payment").Text("state"));
        var problem = Assert.Single(status.GetProperty("problems").EnumerateArray());
        Assert.Contains("failed 3 times in a row", problem.Text("what"), StringComparison.Ordinal);
        Assert.Equal($"jobctl show {last}", problem.GetProperty("todo")[0].GetString());

        foreach (var columns in new[] { "132", "60" })
        {
            world.Environment["COLUMNS"] = columns;
            var text = await world.LookAsync("status");
            Assert.True(text is { ExitCode: 1, Stderr: "" }, text.ToString());
            LedgerScene.Harmless(text.Stdout);
            Assert.All(text.Stdout.Split('\n'), line => Assert.True(line.Length <= int.Parse(columns, System.Globalization.CultureInfo.InvariantCulture), line));
        }

        var quiet = await world.LookAsync("status", "--quiet");
        Assert.True(quiet.ExitCode == 1 && quiet.Stdout.StartsWith("✗ autopayment failed 3 times in a row", StringComparison.Ordinal), quiet.ToString());

        await world.RunRowAsync("autopayment", "succeeded", TimeSpan.Zero);
        Assert.Equal("ok", (await world.LookAsJsonAsync(0, "status")).Job("autopayment").Text("state"));
    }

    [Fact]
    public async Task A_paused_job_is_neither_late_nor_failing_and_says_by_whom()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        await world.RunRowAsync("autopayment", "failed", TimeSpan.FromSeconds(5), "no");
        await world.ForgetAsync("daily-stats");
        await world.ExecuteAsync(
            "INSERT INTO job_pauses (job, reason, actor, until) VALUES ('autopayment', @Hostile, 'Zoé', NULL), ('daily-stats', 'x', 'x', now() + interval '1 hour'), ('cleanup', 'over', 'x', now() - interval '1 hour')",
            new { LedgerScene.Hostile });
        var status = await world.LookAsJsonAsync(0, "status");

        Assert.Equal(("paused", "paused", "ok"), (status.Job("autopayment").Text("state"), status.Job("daily-stats").Text("state"), status.Job("cleanup").Text("state")));
        var pause = status.Job("autopayment").GetProperty("paused");
        Assert.Equal((LedgerScene.Hostile, "Zoé", JsonValueKind.Null), (pause.Text("reason"), pause.Text("actor"), pause.GetProperty("until").ValueKind));
        Assert.Equal([false, false], status.GetProperty("problems").EnumerateArray().Select(p => p.GetProperty("wrong").GetBoolean()));
        Assert.Contains("jobctl resume autopayment", (await world.LookAsync("status", "--quiet")).Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_sharded_job_is_fresh_when_every_shard_is_and_fails_when_one_does()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        await world.ForgetAsync("send-notifications");
        await world.RunRowAsync("send-notifications", "succeeded", Minute, shard: "0/2");
        Assert.Equal("late", (await world.LookAsJsonAsync(1, "status")).Job("send-notifications").Text("state"));
        await world.RunRowAsync("send-notifications", "succeeded", Minute, shard: "1/2");
        Assert.Equal("ok", (await world.LookAsJsonAsync(0, "status")).Job("send-notifications").Text("state"));
        await world.RunRowAsync("send-notifications", "failed", TimeSpan.FromSeconds(20), shard: "1/2");
        Assert.Equal("failing", (await world.LookAsJsonAsync(1, "status")).Job("send-notifications").Text("state"));
    }

    [Fact]
    public async Task A_run_under_way_is_shown_with_its_lease_and_one_whose_process_is_gone_is_told()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        var alive = await world.RunRowAsync("autopayment", "running", Minute);
        var gone = await world.RunRowAsync("expire-payments", "running", Minute);
        await world.ExecuteAsync(
            "INSERT INTO leases (name, holder, expires_at) VALUES ('autopayment', 'node-7/boot/pid:[1] 4711 99 ' || @alive, now() + interval '30 seconds'), ('expire-payments', 'node-7/boot/pid:[1] 4712 99 ' || @other, now() + interval '30 seconds')",
            new { alive = alive.ToString("N"), other = Guid.NewGuid().ToString("N") });
        var status = await world.LookAsJsonAsync(0, "status");

        Assert.Equal("running", status.Job("autopayment").Text("state"));
        var running = status.Job("autopayment").GetProperty("running")[0];
        Assert.Equal((alive.ToString(), true), (running.Text("run_id"), running.GetProperty("lease_alive").GetBoolean()));
        Assert.False(status.Job("expire-payments").GetProperty("running")[0].GetProperty("lease_alive").GetBoolean());
        var problem = Assert.Single(status.GetProperty("problems").EnumerateArray());
        Assert.Contains($"the run {gone} is on record as running", problem.Text("what"), StringComparison.Ordinal);
        Assert.Contains("held by node-7, process 4711", (await world.LookAsync("status")).Stdout, StringComparison.Ordinal);

        world.Environment["COLUMNS"] = "500";
        await world.ExecuteAsync("UPDATE leases SET expires_at = now() - interval '1 second' WHERE name = 'autopayment'");
        Assert.Contains($"{alive}, its lease has run out\n", (await world.LookAsync("status")).Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_last_run_that_never_ended_is_named_with_what_was_skipped_after_it_until_one_succeeds()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        Assert.Equal(JsonValueKind.Null, (await world.LookAsJsonAsync(0, "status")).Job("autopayment").GetProperty("never_ended").ValueKind);
        var lost = await world.RunRowAsync("autopayment", "failed", TimeSpan.FromSeconds(20), RunLedger.WithoutAWord, shard: "1/2");
        var open = await world.RunRowAsync("cleanup", "running", TimeSpan.FromSeconds(20));
        await world.ExecuteAsync("UPDATE job_runs SET host = 'worker-3' WHERE id = @lost", new { lost });

        var status = await world.LookAsJsonAsync(1, "status");
        var named = status.Job("autopayment").GetProperty("never_ended");
        Assert.Equal((lost.ToString(), "1/2", "worker-3", 0), (named.Text("run_id"), named.Text("shard"), named.Text("host"), named.GetProperty("skipped_since").GetInt32()));
        Assert.Equal(JsonValueKind.String, named.GetProperty("closed_at").ValueKind);
        named = status.Job("cleanup").GetProperty("never_ended");
        Assert.Equal((open.ToString(), JsonValueKind.Null), (named.Text("run_id"), named.GetProperty("closed_at").ValueKind));
        Assert.Contains(status.GetProperty("problems").EnumerateArray(), p => p.Text("what")!.StartsWith($"autopayment: the run {lost} of ", StringComparison.Ordinal)
            && p.Text("what")!.EndsWith(" on worker-3 never ended, and no run has succeeded since", StringComparison.Ordinal));

        await world.RunRowAsync("autopayment", "skipped", TimeSpan.FromSeconds(5), "another run holds the lease: run 1", shard: "1/2");
        status = await world.LookAsJsonAsync(1, "status");
        Assert.Equal(1, status.Job("autopayment").GetProperty("never_ended").GetProperty("skipped_since").GetInt32());
        world.Environment["COLUMNS"] = "500";
        var text = (await world.LookAsync("status", "--quiet")).Stdout;
        Assert.Contains("never ended, and no run has succeeded since; 1 run after it was skipped", text, StringComparison.Ordinal);
        Assert.Contains("docker/runbooks/job-never-ended.md", text, StringComparison.Ordinal);

        await world.RunRowAsync("autopayment", "succeeded", TimeSpan.Zero);
        await world.RunRowAsync("cleanup", "succeeded", TimeSpan.Zero);
        status = await world.LookAsJsonAsync(0, "status");
        Assert.All(["autopayment", "cleanup"], job => Assert.Equal(JsonValueKind.Null, status.Job(job).GetProperty("never_ended").ValueKind));
    }

    [Fact]
    public async Task What_waits_is_counted_by_the_conditions_of_the_jobs_that_work_it_off()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO users (id, email) VALUES (1, 'a@example.test');
            INSERT INTO plans (id, code, amount_minor) VALUES (1, 'monthly', 1000);
            -- Two due, one of them lapsed; near misses: not renewing (and lapsed), retries spent, Stripe's own, in flight.
            INSERT INTO subscriptions (id, user_id, plan_id, status, ended_at, auto_renew, next_attempt_at, provider_subscription_id) VALUES
                (1, 1, 1, 'active', now() - interval '1 hour', true, NULL, NULL), (2, 1, 1, 'past_due', now() - interval '4 days', true, NULL, NULL),
                (3, 1, 1, 'active', now() - interval '5 days', false, NULL, NULL), (4, 1, 1, 'past_due', now() - interval '1 day', true, 'infinity', NULL),
                (5, 1, 1, 'active', now() - interval '9 days', true, NULL, 'sub_1'), (6, 1, 1, 'active', now() - interval '1 hour', true, NULL, NULL);
            INSERT INTO payments (id, user_id, subscription_id, amount_minor, status, method, provider, created_at, next_check_at) VALUES
                (1, 1, 6, 1000, 'pending', 'card', 'stripe', now() - interval '1 minute', now() + interval '1 hour'),
                (2, 1, NULL, 1000, 'pending', 'card', 'stripe', now() - interval '8 days', now() + interval '1 hour'),
                (3, 1, NULL, 1000, 'pending', 'cash', NULL, now() - interval '9 days', NULL),
                (4, 1, NULL, 1000, 'pending', 'card_terminal', 'sumup', now() - interval '20 minutes', NULL);
            INSERT INTO payment_queue (payment_id, status, created_at) VALUES (4, 'unknown', now() - interval '20 minutes');
            INSERT INTO orders (user_id, total_minor, status, expires_at) VALUES
                (1, 1, 'pending_payment', now() - interval '1 minute'), (1, 1, 'pending_payment', NULL), (1, 1, 'refund_due', now());
            INSERT INTO notifications (kind, status) SELECT 'payment_receipt', 'pending' FROM generate_series(1, 1200);
            INSERT INTO notifications (kind, status) VALUES ('payment_receipt', 'unknown'), ('payment_receipt', 'sent'), ('payment_receipt', 'failed');
            INSERT INTO unmatched_payments (reason, resolved_at) VALUES ('duplicate', NULL), ('duplicate', now());
            INSERT INTO job_item_failures (job, item, failures, parked_at) VALUES ('autopayment', '17', 5, now()), ('autopayment', '18', 2, NULL)
            """);
        var status = await world.LookAsJsonAsync(0, "status");

        Assert.Equal(
            [
                "autopayment due 2", "expire-payments pending_too_long 1", "expire-stale-orders past_their_time 1", "expire-stale-orders refund_due 1",
                "expire-subscriptions lapsed 2", "match-pending-payments to_check 1", "match-successful-payments unmatched 1", "process-payment-queue unknown 1",
                "send-notifications unknown 1", "send-notifications waiting 1000 or more",
            ],
            status.GetProperty("jobs").EnumerateArray().SelectMany(j => j.GetProperty("backlog").EnumerateArray()
                .Select(b => $"{j.Text("job")} {b.Text("name")} {b.GetProperty("count")}{(b.GetProperty("or_more").GetBoolean() ? " or more" : "")}")).Order(StringComparer.Ordinal));
        Assert.Equal(1, status.Job("autopayment").GetProperty("parked_items").GetInt32());
        Assert.Equal(
            ["autopayment", "expire-stale-orders", "match-successful-payments", "process-payment-queue", "send-notifications"],
            status.Strings("problems", "job").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_page_that_is_named_is_there()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync("UPDATE job_runs SET started_at = now() - interval '1 year'");
        await world.RunRowAsync("autopayment", "failed", Minute, "no");
        var named = (await world.LookAsJsonAsync(1, "status")).GetProperty("problems").EnumerateArray()
            .SelectMany(p => p.GetProperty("todo").EnumerateArray()).Select(todo => todo.GetString()!).Where(todo => todo.EndsWith(".md", StringComparison.Ordinal)).Distinct().ToList();
        Assert.Equal(2, named.Count);
        Assert.All(named, page => Assert.True(File.Exists(PostgresFixture.RepositoryFile(page)), page));
    }

    [Theory]
    [InlineData("status")]
    [InlineData("history")]
    [InlineData("show", "last", "autopayment")]
    [InlineData("explain", "payment", "1")]
    [InlineData("report", "--html", "/tmp/never-written.html")]
    public async Task Without_a_database_its_tables_or_its_newest_script_it_is_one_sentence(params string[] args)
    {
        Assert.StartsWith("the database cannot be reached (Connection refused)", await Mistake.SentenceAsync("jobctl", JobWorld.Nowhere, args), StringComparison.Ordinal);
        var server = await fixture.ServerAsync();
        var database = await server.CreateDatabaseAsync();
        Assert.EndsWith(
            "run the job `migrate` first",
            await Mistake.SentenceAsync("jobctl", JobWorld.EnvironmentOf(server.UrlFor(database)), args), StringComparison.Ordinal);
        await server.DropDatabaseAsync(database);

        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync("DELETE FROM schemaversions WHERE scriptname = (SELECT max(scriptname) FROM schemaversions)");
        Assert.Equal("the database lacks migrations of this version; run the job `migrate` first", Mistake.OneSentence("jobctl", await world.LookAsync(args), world.Environment));
    }

    [Theory]
    [InlineData("--job must be migrate, ", "status", "--job", "autopaiment")]
    [InlineData("'nightly' is none of the jobs: migrate, ", "history", "nightly")]
    [InlineData("'autopaymet' is none of the jobs; did you mean autopayment?", "history", "autopaymet")]
    [InlineData("--limit must be a whole number above 0, not '0'", "history", "--limit", "0")]
    [InlineData("--since must be an instant with its zone, such as 2026-11-20T06:00:00Z, not 'monday'", "history", "--since", "monday")]
    [InlineData("--html is missing; give it, or set JOBS_REPORT_HTML", "report")]
    [InlineData("--html must name a file; '/tmp' is a folder", "report", "--html", "/tmp")]
    public async Task A_mistake_is_one_line(string sentence, params string[] args) =>
        Assert.StartsWith(
            sentence, await Mistake.SentenceAsync("jobctl", JobWorld.Nowhere, args), StringComparison.Ordinal);

    [Fact]
    public async Task Looking_leaves_no_trace()
    {
        await using var world = await fixture.WorldAsync();
        await world.AllWellAsync();
        await world.ExecuteAsync("INSERT INTO users (id, email) VALUES (1, 'a@example.test')");
        const string Ledger = "SELECT (SELECT count(*) FROM job_runs) || ' runs, ' || (SELECT count(*) FROM leases) || ' leases'";
        var (before, ledger) = (await world.StateAsync(), await world.ScalarAsync<string>(Ledger));
        await world.LookAsJsonAsync(0, "status");
        await world.LookAsJsonAsync(0, "history");
        await world.LookAsJsonAsync(0, "show", "last", "autopayment");
        await world.LookAsJsonAsync(0, "explain", "user", "1");
        Assert.Equal((before, ledger), (await world.StateAsync(), await world.ScalarAsync<string>(Ledger)));
    }
}
