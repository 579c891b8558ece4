using System.Text.Json;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Subscriptions;

public sealed class ExpireSubscriptionsTests(PostgresFixture fixture)
{
    internal const string Job = "expire-subscriptions";
    internal const string AsOf = "2026-11-20T05:45:00Z";
    internal static readonly DateTime Now = new(2026, 11, 20, 5, 45, 0, DateTimeKind.Utc);

    [Fact]
    public async Task Three_days_are_72_hours_and_more_than_is_strict()
    {
        await using var world = await fixture.WorldAsync();
        var due = await AddAsync(world, ended: Now.AddHours(-72).AddMilliseconds(-1));
        var exactly = await AddAsync(world, ended: Now.AddHours(-72));
        var pastDue = await AddAsync(world, "status = 'past_due', retry_count = 3, next_attempt_at = 'infinity'", Now.AddDays(-4));

        var run = await RunAsync(world);

        Assert.Equal(2, run.Counter("expired"));
        Assert.Equal(["expired", "active", "expired"], await StatusesAsync(world, due, exactly, pastDue));
        var audit = await world.QueryAsync("SELECT actor, action, subject_type, subject_id, run_id FROM audit_logs ORDER BY subject_id");
        Assert.Equal([due, pastDue], audit.Select(a => (long)a.subject_id));
        Assert.All(audit, a => Assert.Equal((Job, "subscription.expired", "subscription", run.Json.GetProperty("run_id").GetGuid()), ((string)a.actor, (string)a.action, (string)a.subject_type, (Guid)a.run_id)));
        Assert.True(await world.ScalarAsync<bool>("SELECT next_attempt_at IS NULL AND updated_at > now() - interval '5 minutes' FROM subscriptions WHERE id = @pastDue", new { pastDue }));
    }

    [Theory]
    [InlineData("status = 'pending'")]
    [InlineData("status = 'paused'")]
    [InlineData("status = 'canceled'")]
    [InlineData("status = 'expired'")]
    [InlineData("provider_subscription_id = 'sub_1'")]
    [InlineData("ended_at = NULL")]
    [InlineData("ended_at = 'infinity'")]
    public async Task A_row_that_misses_one_condition_stays_as_it_is(string near)
    {
        await using var world = await fixture.WorldAsync();
        await AddAsync(world, near);
        var before = await world.StateAsync();

        Assert.Equal(0, (await RunAsync(world)).Counter("expired"));
        Assert.Equal(before, await world.StateAsync());
    }

    [Theory]
    [InlineData("pending", true)]
    [InlineData("processing", true)]
    [InlineData("requires_action", true)]
    [InlineData("failed", false)]
    [InlineData("canceled", false)]
    [InlineData("expired", false)]
    [InlineData("succeeded", false)]
    public async Task A_charge_in_flight_is_waited_for(string status, bool waits)
    {
        await using var world = await fixture.WorldAsync();
        var id = await AddAsync(world);
        await AttemptAsync(world, id, status);

        var run = await RunAsync(world);

        Assert.Equal(waits ? (0L, 1L) : (1L, 0L), (run.Counter("expired"), run.Counter("waiting")));
        Assert.Equal([waits ? "active" : "expired"], await StatusesAsync(world, id));
    }

    [Theory]
    [InlineData("amount_mismatch", "NULL", true)]
    [InlineData("subscription_canceled", "NULL", true)]
    [InlineData("amount_mismatch", "now()", false)]
    [InlineData("duplicate", "NULL", false)]
    public async Task Parked_money_is_waited_for_until_it_is_resolved(string reason, string resolved, bool waits)
    {
        await using var world = await fixture.WorldAsync();
        var id = await AddAsync(world);
        var payment = await AttemptAsync(world, id, "failed");
        await world.ExecuteAsync($"INSERT INTO unmatched_payments (provider_payment_id, payment_id, reason, resolved_at) VALUES ('pi_1', @payment, @reason, {resolved})", new { payment, reason });

        Assert.Equal(waits ? 0 : 1, (await RunAsync(world)).Counter("expired"));
    }

    [Fact]
    public async Task The_grace_is_the_policys()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["RENEWAL_GRACE_DAYS"] = "10";
        var within = await AddAsync(world, ended: Now.AddDays(-10));
        var after = await AddAsync(world, ended: Now.AddDays(-10).AddSeconds(-1));
        Assert.Equal(1, (await RunAsync(world)).Counter("expired"));
        Assert.Equal(["active", "expired"], await StatusesAsync(world, within, after));
    }

    [Fact]
    public async Task Batches_go_through_everything_oldest_end_first_and_a_second_run_changes_nothing()
    {
        await using var world = await fixture.WorldAsync();
        // Ends that are equal in threes: the order needs the id as well.
        await ManyAsync(world, 100, "@now::timestamptz - interval '10 days' - (n / 3) * interval '1 hour'");

        Assert.Equal(7, (await RunAsync(world, "--limit", "7", "--batch-size", "3")).Counter("expired"));
        Assert.True(await world.ScalarAsync<bool>("SELECT max(ended_at) FILTER (WHERE status = 'expired') <= min(ended_at) FILTER (WHERE status = 'active') FROM subscriptions"));
        Assert.Equal(93, (await RunAsync(world, "--batch-size", "4")).Counter("expired"));
        Assert.Equal(100, await world.ScalarAsync<long>("SELECT count(DISTINCT subject_id) FROM audit_logs"));

        var before = await world.StateAsync();
        Assert.Equal(0, (await RunAsync(world)).Counter("expired"));
        Assert.Equal(before, await world.StateAsync());
    }

    [Fact]
    public async Task Waiting_rows_neither_count_against_the_limit_nor_stop_the_batches()
    {
        await using var world = await fixture.WorldAsync();
        await ManyAsync(world, 30, "@now::timestamptz - interval '10 days' - n * interval '1 hour'");
        await world.ExecuteAsync("INSERT INTO payments (user_id, subscription_id, amount_minor, status) SELECT user_id, id, 1, 'pending' FROM subscriptions WHERE id > 5");

        var run = await RunAsync(world, "--batch-size", "2", "--limit", "5");
        Assert.Equal((5L, 25L), (run.Counter("expired"), run.Counter("waiting")));
    }

    [Fact]
    public async Task Only_and_shard_choose_and_shards_together_are_all()
    {
        await using var world = await fixture.WorldAsync();
        await ManyAsync(world, 20, "@now::timestamptz - interval '10 days'");

        Assert.Equal(1, (await RunAsync(world, "--only", "7")).Counter("expired"));
        Assert.Equal(["expired"], await StatusesAsync(world, 7));
        Assert.Equal(0, (await RunAsync(world, "--only", "999")).Counter("expired"));
        var shards = new List<long>();
        for (var i = 0; i < 3; i++)
        {
            shards.Add((await RunAsync(world, "--shard", $"{i}/3")).Counter("expired"));
        }

        Assert.Equal([6, 6, 7], shards);
    }

    [Theory]
    [InlineData]
    [InlineData("--batch-size", "2")]
    [InlineData("--batch-size", "2", "--limit", "2")]
    public async Task A_dry_run_tells_exactly_what_the_run_then_does(params string[] options)
    {
        await using var world = await fixture.WorldAsync();
        await ManyAsync(world, 5, "@now::timestamptz - interval '10 days' - n * interval '1 hour'");
        await AttemptAsync(world, 2, "processing");
        var before = await world.StateAsync();

        var dry = await RunAsync(world, ["--dry-run", .. options]);
        Assert.Equal(before, await world.StateAsync());
        var real = await RunAsync(world, ["--items", .. options]);

        Assert.Equal(dry.Json.GetProperty("counters").GetRawText(), real.Json.GetProperty("counters").GetRawText());
        Assert.Equal(Items(dry.Json), Items(real.Json));
        Assert.Contains("2 waiting 2026-11-10T03:45:00Z", options.Length < 4 ? Items(dry.Json) : ["2 waiting 2026-11-10T03:45:00Z"]);

        static List<string> Items(JsonElement json) =>
            [.. json.GetProperty("items").EnumerateArray().Select(i => $"{i.GetProperty("id")} {i.GetProperty("outcome")} {i.GetProperty("ended_at")}")];
    }

    [Fact]
    public async Task Two_shards_and_a_whole_run_at_once_leave_one_audit_row_for_each_subscription()
    {
        await using var world = await fixture.FreshWorldAsync();
        await ManyAsync(world, 20_000, "@now::timestamptz - interval '10 days' - n * interval '1 second'");

        // Leases of their own: what keeps them apart is the rows.
        var runs = await Task.WhenAll(
            RunAsync(world, "--batch-size", "500"), RunAsync(world, "--batch-size", "700", "--shard", "0/2"), RunAsync(world, "--shard", "1/2"));

        Assert.All(runs, r => Assert.True(r.ExitCode == 0, r.ToString()));
        await RunAsync(world);
        Assert.Equal(20_000, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'expired'"));
        Assert.Equal(20_000, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs"));
        Assert.Equal(20_000, await world.ScalarAsync<long>("SELECT count(DISTINCT subject_id) FROM audit_logs"));
        Assert.Equal(20_000, await world.ScalarAsync<long>("SELECT value FROM job_totals WHERE counter = 'expired'"));
    }

    [Fact]
    public async Task A_row_that_is_paid_at_this_moment_stays()
    {
        await using var world = await fixture.WorldAsync();
        var id = await AddAsync(world);
        await using var payer = await Runs.LeaseTests.BlockAsync(world, "settings");
        await using (var command = payer.CreateCommand())
        {
            command.CommandText = $"UPDATE subscriptions SET ended_at = now() + interval '1 month' WHERE id = {id}";
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, (await RunAsync(world)).Counter("expired"));
        await using (var command = payer.CreateCommand())
        {
            command.CommandText = "COMMIT";
            await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, (await RunAsync(world)).Counter("expired"));
        Assert.Equal(["active"], await StatusesAsync(world, id));
    }

    // Stops the job's statement where it looks at the row, with its snapshot taken and the row not yet locked.
    private const string Gate =
        """
        CREATE FUNCTION gate() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END $$;
        CREATE POLICY gate ON subscriptions USING (gate());
        ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY;
        """;

    private const string AtGate =
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database AS d ON d.oid = database WHERE locktype = 'advisory' AND NOT granted AND datname = current_database())";

    [Fact]
    public async Task A_charge_prepared_between_the_look_and_the_lock_is_waited_for()
    {
        await using var world = await fixture.WorldAsync();
        var id = await AddAsync(world);
        await world.ExecuteAsync(Gate);
        await using var gate = await Runs.LeaseTests.BlockAsync(world, "settings");
        await using var command = gate.CreateCommand();
        command.CommandText = "SELECT pg_advisory_xact_lock(7)";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var run = RunAsync(world);
        await world.UntilAsync(AtGate);
        await AttemptAsync(world, id, "pending");
        command.CommandText = "COMMIT";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        Assert.Equal((0, 1), ((await run).Done().Counter("expired"), (await run).Counter("waiting")));
        Assert.Equal(["active"], await StatusesAsync(world, id));
    }

    internal static Task<JobResult> RunAsync(JobWorld world, params string[] args) => world.RunAsync(Job, ["--as-of", AsOf, .. args]);

    internal static async Task<long> AddAsync(JobWorld world, string? change = null, DateTime? ended = null)
    {
        var plan = await world.PlanAsync();
        var id = await world.SubscriptionAsync(await world.PersonAsync(), plan, ended ?? Now.AddDays(-5));
        if (change is not null)
        {
            await world.ExecuteAsync($"UPDATE subscriptions SET {change} WHERE id = @id", new { id });
        }

        return id;
    }

    internal static Task ManyAsync(JobWorld world, int count, string ended) => world.SubscriptionsAsync(count, ended, Now);

    internal static Task<long> AttemptAsync(JobWorld world, long subscription, string status, string? periodStart = null) =>
        world.ScalarAsync<long>(
            """
            INSERT INTO payments (user_id, subscription_id, purpose, amount_minor, status, period_start)
            SELECT user_id, id, 'subscription', 1000, @status, @periodStart::date FROM subscriptions WHERE id = @subscription RETURNING id
            """,
            new { subscription, status, periodStart });

    internal static async Task<IReadOnlyList<string>> StatusesAsync(JobWorld world, params long[] ids) =>
        [.. (await world.QueryAsync("SELECT status FROM subscriptions WHERE id = ANY (@ids) ORDER BY id", new { ids })).Select(r => (string)r.status)];
}
