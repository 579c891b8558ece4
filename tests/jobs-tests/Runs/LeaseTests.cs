using System.Diagnostics;
using System.Globalization;
using Dapper;
using Jobs.Tests.Rendering;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>The lease, the ledger's rows and the pauses, seen through real processes.</summary>
public sealed class LeaseTests(PostgresFixture fixture)
{
    private const string Job = "expire-subscriptions";

    [Fact]
    public async Task Every_run_leaves_a_row_with_its_counters_and_the_totals_add_up()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 3);
        var first = await world.RunAsync(Job, "--limit", "2");
        var second = await world.RunAsync(Job);

        var rows = await world.QueryAsync("SELECT id, status, trigger, partial, as_of, shard, host, version, error, (counters ->> 'expired')::int AS expired, finished_at >= started_at AS ordered FROM job_runs WHERE job = @Job ORDER BY started_at", new { Job });
        Assert.Equal([first.Json.GetProperty("run_id").GetGuid(), second.Json.GetProperty("run_id").GetGuid()], rows.Select(r => (Guid)r.id));
        Assert.Equal([2, 1], rows.Select(r => (int)r.expired));
        Assert.Equal([true, false], rows.Select(r => (bool)r.partial));
        Assert.All(rows, r =>
        {
            Assert.Equal("succeeded", (string)r.status);
            Assert.Equal("manual", (string)r.trigger);
            Assert.Equal(Environment.MachineName, (string)r.host);
            Assert.Equal(Jobs.Runs.JobProgram.Version, (string)r.version);
            Assert.Null(r.error);
            Assert.True((bool)r.ordered);
        });
        Assert.Equal(3, await world.ScalarAsync<long>("SELECT value FROM job_totals WHERE job = @Job AND counter = 'expired'", new { Job }));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Fact]
    public async Task A_dry_run_writes_no_row_at_all_and_neither_takes_a_lease_nor_waits_for_one()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        await HoldAsync(world, "somebody else", TimeSpan.FromMinutes(5));
        var before = await world.StateAsync();

        var run = await world.RunAsync(Job, "--dry-run");

        Assert.Equal("succeeded", run.Json.GetProperty("status").GetString());
        Assert.Equal(1, run.Counter("expired"));
        Assert.DoesNotContain("Waiting", run.Stderr, StringComparison.Ordinal);
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT (SELECT count(*) FROM job_runs WHERE job <> 'migrate') + (SELECT count(*) FROM job_totals)"));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Fact]
    public async Task Two_real_runs_at_once_are_one_run_and_one_skip_that_says_who_runs()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        world.Environment["JOBS_LEASE"] = "6s";
        world.Environment["TERMINATION_MESSAGE_PATH"] = folder.Write("termination-log", "");
        await using var blocker = await BlockAsync(world);
        using var first = world.Start(Job, "--output", "json");
        await UntilAsync(world, "SELECT EXISTS (SELECT FROM leases)");
        var (holder, since) = (await world.ScalarAsync<Guid>("SELECT id FROM job_runs WHERE status = 'running'"), await world.ScalarAsync<DateTime>("SELECT started_at FROM job_runs WHERE status = 'running'"));

        var second = await world.RunAsync(Job);

        Assert.Equal((0, "skipped"), (second.ExitCode, Mistake.OneObject(second).GetProperty("status").GetString()));
        var why = second.Json.GetProperty("error").GetString()!;
        Assert.StartsWith(
            $"another run holds the lease: run {holder} on host {Environment.MachineName}, since {since.ToUniversalTime():yyyy-MM-dd'T'HH:mm:ss'Z'}, renewed until 20", why, StringComparison.Ordinal);
        Assert.DoesNotContain("not renewed", why, StringComparison.Ordinal);
        Mistake.NothingToHide(second, world.Environment);
        Assert.Contains($"Skipped: {why}", second.Stderr, StringComparison.Ordinal);
        Assert.EndsWith($" - {why}", folder.Read()["termination-log"].TrimEnd(), StringComparison.Ordinal);
        Assert.Equal(("skipped", why), await LastRowAsync(world));

        await blocker.DisposeAsync();
        Assert.Equal("succeeded", (await first.EndAsync()).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_lease_that_passes_to_a_third_run_is_that_runs()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        await HoldAsync(world, Elsewhere(Guid.NewGuid()), TimeSpan.FromSeconds(40));
        using var waiting = world.Start(Job, "--output", "json");
        await WaitsAsync(world);
        var third = Guid.NewGuid();

        await world.ExecuteAsync("UPDATE leases SET holder = @holder, expires_at = clock_timestamp() + interval '40 seconds'", new { holder = Elsewhere(third) });
        var run = await waiting.EndAsync();

        Assert.Equal((0, "skipped"), (run.ExitCode, run.Json.GetProperty("status").GetString()));
        Assert.StartsWith($"another run holds the lease: run {third} on host worker-3, renewed until ", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal("active", await world.ScalarAsync<string>("SELECT status FROM subscriptions"));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM leases WHERE holder LIKE 'worker-3/%'"));
    }

    /// <summary>The full life of a lease, as it is in production.</summary>
    [Fact]
    public async Task The_next_run_waits_until_a_killed_one_has_lost_its_lease_and_does_its_work()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 3);
        using (var killed = world.StartPublished(Job))
        {
            await using var blocker = await BlockAsync(world);
            await UntilAsync(world, "SELECT EXISTS (SELECT FROM leases)");
            killed.Kill();
            // The server has its statement and COMMIT, and would carry them out once nothing blocks them.
            await HangUpAsync(world);
        }

        await MoveElsewhereAsync(world);
        var (lost, end) = (await world.ScalarAsync<Guid>("SELECT id FROM job_runs WHERE status = 'running'"), await world.ScalarAsync<DateTime>("SELECT expires_at FROM leases"));

        var run = await world.RunAsync(Job);

        Assert.Equal(("succeeded", 3), (run.Json.GetProperty("status").GetString(), run.Counter("expired")));
        Assert.Contains($"Waiting, for another run holds the lease: run {lost} on host {Environment.MachineName}, since ", run.Stderr, StringComparison.Ordinal);
        var row = Assert.Single(await world.QueryAsync("SELECT status, error, finished_at FROM job_runs WHERE id = @lost", new { lost }));
        Assert.Equal(("failed", "ended without a word: killed, or its host was lost"), ((string)row.status, (string)row.error));
        Assert.True(row.finished_at >= end);
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Fact]
    public async Task When_the_other_run_ends_the_one_that_waits_goes_on()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        await HoldAsync(world, Elsewhere(Guid.NewGuid()), TimeSpan.FromMinutes(5));
        using var waiting = world.Start(Job, "--output", "json");
        await WaitsAsync(world);
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = @Job", new { Job }));

        await world.ExecuteAsync("DELETE FROM leases");
        var run = await waiting.EndAsync();

        Assert.Equal(("succeeded", 1), (run.Json.GetProperty("status").GetString(), run.Counter("expired")));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = @Job", new { Job }));
    }

    [Fact]
    public async Task Of_two_that_wait_for_a_dead_run_one_goes_on_and_the_other_sees_it_at_work()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        world.Environment["JOBS_LEASE"] = "20s";
        await HoldAsync(world, Elsewhere(Guid.NewGuid()), TimeSpan.FromSeconds(8));
        await using var blocker = await BlockAsync(world);
        using var one = world.Start(Job, "--output", "json");
        using var other = world.Start(Job, "--output", "json");
        var (first, second) = (one.EndAsync(), other.EndAsync());

        var ended = await Task.WhenAny(first, second);
        await blocker.DisposeAsync();
        var (skipped, worked) = (await ended, await (ended == first ? second : first));

        Assert.Equal("skipped", skipped.Json.GetProperty("status").GetString());
        Assert.Contains($"run {worked.Json.GetProperty("run_id").GetString()} on host", skipped.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(("succeeded", 1), (worked.Json.GetProperty("status").GetString(), worked.Counter("expired")));
    }

    [Theory]
    [InlineData("5 minutes")]
    [InlineData("infinity")]
    public async Task A_lease_that_nobody_renews_and_that_does_not_run_out_is_not_waited_for_any_longer(string end)
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        world.Environment["JOBS_LEASE"] = "2s";
        await world.ExecuteAsync("INSERT INTO leases (name, holder, expires_at) VALUES (@Job, 'somebody', CASE WHEN @end = 'infinity' THEN 'infinity' ELSE now() + interval '5 minutes' END)", new { Job, end });

        var run = await world.RunAsync(Job);

        Assert.Equal((0, "skipped"), (run.ExitCode, Mistake.OneObject(run).GetProperty("status").GetString()));
        var why = run.Json.GetProperty("error").GetString()!;
        Assert.StartsWith("another run holds the lease: somebody, renewed until ", why, StringComparison.Ordinal);
        Assert.EndsWith("; it was not renewed in the 3s that this run waited: where that run is dead, delete its row of `leases`", why, StringComparison.Ordinal);
        Assert.Equal(("skipped", why), await LastRowAsync(world));
        Assert.Equal("active", await world.ScalarAsync<string>("SELECT status FROM subscriptions"));
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_signal_ends_the_wait_at_once(string signal)
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        var holder = Guid.NewGuid();
        await HoldAsync(world, Elsewhere(holder), TimeSpan.FromMinutes(5));
        using var waiting = world.StartPublished(Job, "--output", "json");
        await WaitsAsync(world);
        var clock = Stopwatch.StartNew();

        waiting.Signal(signal);
        var run = await waiting.EndAsync();

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(4));
        Assert.Equal((1, "interrupted"), (run.ExitCode, Mistake.OneObject(run).GetProperty("status").GetString()));
        Mistake.NothingToHide(run, world.Environment);
        var why = run.Json.GetProperty("error").GetString()!;
        Assert.StartsWith($"stopped by SIG{signal} before it did anything: another run holds the lease: run {holder} on host worker-3", why, StringComparison.Ordinal);
        Assert.Equal(("interrupted", why), await LastRowAsync(world));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM leases WHERE holder LIKE 'worker-3/%'"));
        Assert.Equal("active", await world.ScalarAsync<string>("SELECT status FROM subscriptions"));
    }

    [Fact]
    public async Task A_pause_that_is_set_meanwhile_ends_the_wait()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        await HoldAsync(world, Elsewhere(Guid.NewGuid()), TimeSpan.FromMinutes(5));
        using var waiting = world.Start(Job, "--output", "json");
        await WaitsAsync(world);

        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason) VALUES (@Job, 'moving house')", new { Job });
        var run = await waiting.EndAsync();

        Assert.Equal((0, "skipped", "paused: moving house"), (run.ExitCode, run.Json.GetProperty("status").GetString(), run.Json.GetProperty("error").GetString()));
        Assert.Equal(("skipped", "paused"), await LastRowAsync(world));
    }

    [Fact]
    public async Task The_wait_is_no_part_of_the_time_limit_nor_of_the_runs_duration()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        world.Environment["JOBS_LEASE"] = "30s";
        await HoldAsync(world, Elsewhere(Guid.NewGuid()), TimeSpan.FromMinutes(5));
        using var waiting = world.Start(Job, "--output", "json", "--timeout", "8s");
        await WaitsAsync(world);
        await Task.Delay(TimeSpan.FromSeconds(9), TestContext.Current.CancellationToken);
        await world.ExecuteAsync("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'");

        var run = await waiting.EndAsync();

        Assert.Equal(("succeeded", 1), (run.Json.GetProperty("status").GetString(), run.Counter("expired")));
        Assert.InRange(run.Json.GetProperty("duration_ms").GetInt64(), 0, 7999);
        Assert.True(await world.ScalarAsync<bool>("SELECT finished_at - started_at < interval '8 seconds' FROM job_runs WHERE job = @Job", new { Job }));
    }

    [Fact]
    public async Task A_connection_that_is_lost_meanwhile_is_made_again()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        await HoldAsync(world, Elsewhere(Guid.NewGuid()), TimeSpan.FromMinutes(5));
        using var waiting = world.Start(Job, "--output", "json");
        await WaitsAsync(world);

        await HangUpAsync(world);
        await Task.Delay(TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        await world.ExecuteAsync("DELETE FROM leases");
        var run = await waiting.EndAsync();

        Assert.Equal(("succeeded", 1), (run.Json.GetProperty("status").GetString(), run.Counter("expired")));
    }

    [Fact]
    public async Task One_that_is_killed_while_it_waits_leaves_nothing()
    {
        await using var world = await fixture.WorldAsync();
        var holder = Elsewhere(Guid.NewGuid());
        await HoldAsync(world, holder, TimeSpan.FromMinutes(5));
        using var waiting = world.StartPublished(Job, "--output", "json");
        await WaitsAsync(world);

        waiting.Kill();

        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = @Job", new { Job }));
        Assert.Equal(holder, await world.ScalarAsync<string>("SELECT holder FROM leases"));
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("1 hour", true)]
    [InlineData("-1 second", false)]
    public async Task A_pause_skips_until_it_is_over(string? until, bool skips)
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason, until) VALUES (@Job, 'moving house', now() + @until::interval)", new { Job, until });

        var run = await world.RunAsync(Job);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(skips ? "skipped" : "succeeded", run.Json.GetProperty("status").GetString());
        Assert.Equal(skips ? 0 : 1, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'expired'"));
        if (skips)
        {
            Assert.Contains("moving house", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
            Assert.Equal(("skipped", "paused"), await LastRowAsync(world));
        }
    }

    [Fact]
    public async Task Another_jobs_pause_is_not_ours()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason) VALUES ('expire-payments', 'x')");
        Assert.Equal("succeeded", (await world.RunAsync(Job)).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task An_expired_lease_is_taken_over_and_the_lost_run_closed()
    {
        await using var world = await fixture.WorldAsync();
        var lost = Guid.NewGuid();
        await world.ExecuteAsync("INSERT INTO job_runs (id, job) VALUES (@lost, @Job)", new { lost, Job });
        await HoldAsync(world, $"another/host 1 2 {lost:N}", TimeSpan.FromSeconds(-1));

        Assert.Equal("succeeded", (await world.RunAsync(Job)).Json.GetProperty("status").GetString());

        var row = Assert.Single(await world.QueryAsync("SELECT status, error, finished_at FROM job_runs WHERE id = @lost", new { lost }));
        Assert.Equal("failed", row.status);
        Assert.Equal("ended without a word: killed, or its host was lost", row.error);
        Assert.NotNull(row.finished_at);
    }

    [Fact]
    public async Task A_killed_runs_lease_is_taken_at_once_on_the_same_host()
    {
        await using var world = await fixture.WorldAsync();
        await using var blocker = await BlockAsync(world);
        using var killed = world.StartPublished(Job);
        await UntilAsync(world, "SELECT EXISTS (SELECT FROM leases)");
        var lost = await world.ScalarAsync<Guid>("SELECT id FROM job_runs WHERE status = 'running'");
        killed.Kill();
        await blocker.DisposeAsync();

        var run = await world.RunAsync(Job);

        Assert.Equal("succeeded", run.Json.GetProperty("status").GetString());
        Assert.Equal("failed", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE id = @lost", new { lost }));
        Assert.Equal("succeeded", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE id = @id", new { id = run.Json.GetProperty("run_id").GetGuid() }));
    }

    [Fact]
    public async Task A_living_holder_on_the_same_host_is_not_taken_for_dead_before_its_lease_runs_out()
    {
        await using var world = await fixture.WorldAsync();
        await using var blocker = await BlockAsync(world);
        using var frozen = world.StartPublished(Job, "--output", "json");
        await UntilAsync(world, "SELECT EXISTS (SELECT FROM leases)");
        frozen.Signal("STOP");
        await blocker.DisposeAsync();
        await world.ExecuteAsync("UPDATE leases SET expires_at = clock_timestamp() + interval '5 seconds'");
        var end = await world.ScalarAsync<DateTime>("SELECT expires_at FROM leases");

        // Its lease runs out while it is frozen: another does the work, and the first, awake again, may not claim success.
        var second = await world.RunAsync(Job);
        Assert.Equal("succeeded", second.Json.GetProperty("status").GetString());
        Assert.True(second.Json.GetProperty("started_at").GetDateTime() >= end);
        frozen.Signal("CONT");
        await frozen.EndAsync();
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = @Job AND status = 'succeeded'", new { Job }));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = @Job AND status = 'failed'", new { Job }));
    }

    [Fact]
    public async Task Shards_have_leases_of_their_own()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 10);
        world.Environment["JOBS_LEASE"] = "1s";
        await HoldAsync(world, "another host 1 2 3", TimeSpan.FromMinutes(5), Job + " 0/2");

        Assert.Equal("skipped", (await world.RunAsync(Job, "--shard", "0/2")).Json.GetProperty("status").GetString());
        Assert.Equal("0/2", await world.ScalarAsync<string>("SELECT shard FROM job_runs WHERE status = 'skipped' AND job = @Job", new { Job }));
        world.Environment["JOB_COMPLETION_INDEX"] = "1";
        world.Environment["JOB_SHARDS"] = "2";
        Assert.Equal(5, (await world.RunAsync(Job)).Counter("expired"));

        Assert.Equal(5, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'expired' AND id % 2 = 1"));
        Assert.Equal("1/2", await world.ScalarAsync<string>("SELECT shard FROM job_runs WHERE status = 'succeeded' AND job = @Job", new { Job }));
    }

    [Fact]
    public async Task The_heartbeat_renews_the_lease_of_a_long_run()
    {
        await using var world = await fixture.WorldAsync();
        await using var blocker = await BlockAsync(world);
        using var run = world.Start(Job, "--output", "json");
        await UntilAsync(world, "SELECT EXISTS (SELECT FROM leases)");
        var first = await world.ScalarAsync<DateTime>("SELECT expires_at FROM leases");

        await UntilAsync(world, "SELECT expires_at > @first FROM leases", new { first });

        var renewed = await world.ScalarAsync<DateTime>("SELECT expires_at FROM leases");
        Assert.InRange(renewed - first, TimeSpan.FromSeconds(14), TimeSpan.FromSeconds(25));
        await blocker.DisposeAsync();
        var result = await run.EndAsync();
        // The lock's time-outs on the way were repeated, not reported.
        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.Contains("55P03", result.Stderr, StringComparison.Ordinal);
    }

    internal static async Task DueAsync(JobWorld world, int count)
    {
        var plan = await world.PlanAsync();
        await world.ExecuteAsync(
            """
            WITH u AS (INSERT INTO users (email) VALUES ('a@example.test') RETURNING id)
            INSERT INTO subscriptions (user_id, plan_id, status, ended_at)
            SELECT u.id, @plan, 'active', now() - interval '10 days' FROM u, generate_series(1, @count)
            """,
            new { plan, count });
    }

    /// <summary>Keeps every job away from the subscriptions until disposed.</summary>
    internal static async Task<NpgsqlConnection> BlockAsync(JobWorld world, string table = "subscriptions")
    {
        var connection = new NpgsqlConnection(world.Server.ConnectionFor(world.Database).ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await connection.ExecuteAsync($"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        return connection;
    }

    internal static async Task UntilAsync(JobWorld world, string condition, object? parameters = null)
    {
        var end = DateTime.UtcNow.AddSeconds(40);
        while (!await world.ScalarAsync<bool>(condition, parameters))
        {
            Assert.True(DateTime.UtcNow < end, $"still not: {condition}");
            await Task.Delay(50);
        }
    }

    /// <summary>The holder of a lease is made to look as if it had died on another host: nobody can tell but by time.</summary>
    /// <param name="world">Where one run alone has a job's lease.</param>
    /// <param name="left">What is left of its life; null: as it is.</param>
    internal static async Task MoveElsewhereAsync(JobWorld world, TimeSpan? left = null) => Assert.Equal(1, await world.ExecuteAsync(
        "UPDATE leases SET holder = 'worker-3/boot/pid:[1] 7 1 ' || right(holder, 32), expires_at = coalesce(clock_timestamp() + @left::interval, expires_at) WHERE name NOT LIKE 'payment:%'",
        new { left }));

    private static Task<int> HangUpAsync(JobWorld world) =>
        world.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = @Job", new { Job });

    private static string Elsewhere(Guid run) => $"worker-3/boot/pid:[1] 7 1 {run:N}";

    /// <summary>Until the job has seen that another holds its lease: from then on it waits, with its connection idle.</summary>
    private static Task WaitsAsync(JobWorld world) => UntilAsync(
        world, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = @Job AND state = 'idle' AND query <> '')", new { Job });

    private static Task<int> HoldAsync(JobWorld world, string holder, TimeSpan length, string name = Job) =>
        world.ExecuteAsync("INSERT INTO leases (name, holder, expires_at) VALUES (@name, @holder, clock_timestamp() + @length)", new { name, holder, length });

    private static async Task<(string Status, string Error)> LastRowAsync(JobWorld world)
    {
        var row = (await world.QueryAsync("SELECT status, error FROM job_runs ORDER BY started_at DESC LIMIT 1"))[0];
        return (Convert.ToString(row.status, CultureInfo.InvariantCulture), Convert.ToString(row.error, CultureInfo.InvariantCulture));
    }
}
