using System.Globalization;
using Dapper;
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
    public async Task A_dry_run_writes_no_row_at_all_and_needs_no_lease()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        await HoldAsync(world, "somebody else", TimeSpan.FromMinutes(5));
        var before = await world.StateAsync();

        var run = await world.RunAsync(Job, "--dry-run");

        Assert.Equal("succeeded", run.Json.GetProperty("status").GetString());
        Assert.Equal(1, run.Counter("expired"));
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT (SELECT count(*) FROM job_runs WHERE job <> 'migrate') + (SELECT count(*) FROM job_totals)"));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Fact]
    public async Task While_another_run_holds_the_lease_a_second_is_skipped()
    {
        await using var world = await fixture.WorldAsync();
        await DueAsync(world, 1);
        await HoldAsync(world, "another host/1/2 3 4 " + Guid.NewGuid().ToString("N"), TimeSpan.FromMinutes(5));

        var run = await world.RunAsync(Job);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("skipped", Mistake.OneObject(run).GetProperty("status").GetString());
        Assert.Equal(("skipped", "another run holds the lease"), await LastRowAsync(world));
        Assert.Equal("active", await world.ScalarAsync<string>("SELECT status FROM subscriptions"));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM leases WHERE holder LIKE 'another host%'"));
    }

    [Fact]
    public async Task Two_real_runs_at_once_are_one_run_and_one_skip()
    {
        await using var world = await fixture.WorldAsync();
        await using var blocker = await BlockAsync(world);
        using var first = world.Start(Job, "--output", "json");
        await UntilAsync(world, "SELECT EXISTS (SELECT FROM leases)");

        var second = await world.RunAsync(Job);
        Assert.Equal("skipped", second.Json.GetProperty("status").GetString());

        await blocker.DisposeAsync();
        Assert.Equal("succeeded", (await first.EndAsync()).Json.GetProperty("status").GetString());
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
    public async Task A_living_holder_on_the_same_host_is_never_taken_for_dead()
    {
        await using var world = await fixture.WorldAsync();
        await using var blocker = await BlockAsync(world);
        using var frozen = world.StartPublished(Job, "--output", "json");
        await UntilAsync(world, "SELECT EXISTS (SELECT FROM leases)");
        frozen.Signal("STOP");
        Assert.Equal("skipped", (await world.RunAsync(Job)).Json.GetProperty("status").GetString());

        // Its lease runs out while it is frozen: another does the work, and the first, awake again, may not claim success.
        await world.ExecuteAsync("UPDATE leases SET expires_at = now() - interval '1 second'");
        await blocker.DisposeAsync();
        Assert.Equal("succeeded", (await world.RunAsync(Job)).Json.GetProperty("status").GetString());
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
        await HoldAsync(world, "another host 1 2 3", TimeSpan.FromMinutes(5), Job + " 0/2");

        Assert.Equal("skipped", (await world.RunAsync(Job, "--shard", "0/2")).Json.GetProperty("status").GetString());
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

    private static Task<int> HoldAsync(JobWorld world, string holder, TimeSpan length, string name = Job) =>
        world.ExecuteAsync("INSERT INTO leases (name, holder, expires_at) VALUES (@name, @holder, clock_timestamp() + @length)", new { name, holder, length });

    private static async Task<(string Status, string Error)> LastRowAsync(JobWorld world)
    {
        var row = (await world.QueryAsync("SELECT status, error FROM job_runs ORDER BY started_at DESC LIMIT 1"))[0];
        return (Convert.ToString(row.status, CultureInfo.InvariantCulture), Convert.ToString(row.error, CultureInfo.InvariantCulture));
    }
}
