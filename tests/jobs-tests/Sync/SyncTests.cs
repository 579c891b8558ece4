using System.Globalization;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;
using static Jobs.Tests.Sync.SyncScene;

namespace Jobs.Tests.Sync;

/// <summary>The sweep, the way by Events, the clock, and what older news may not do.</summary>
public sealed class SyncTests(PostgresFixture fixture)
{
    private async Task<(JobWorld World, long User)> WorldAsync()
    {
        var world = await fixture.WorldAsync();
        await world.PriceAsync();
        return (world, await world.UserAsync("ada"));
    }

    private static async Task<DateTime?> CursorAsync(JobWorld world) =>
        await world.ScalarAsync<string?>("SELECT max(value) FROM job_cursors WHERE job = 'subscription-sync'") is { } value
            ? DateTime.Parse(value, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal)
            : null;

    [Theory]
    [InlineData("active", 1, true)]
    [InlineData("past_due", 1, true)]
    [InlineData("active", 0, false)]
    [InlineData("paused", 1, false)]
    [InlineData("pending", 1, false)]
    public async Task One_of_ours_that_was_to_end_with_its_period_ends_by_the_clock(string status, int microsecondsPast, bool ends)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var id = await world.SubscriptionAsync(user, await world.PlanAsync(), Morning.AddMicroseconds(-microsecondsPast), status);
        await world.ExecuteAsync("UPDATE subscriptions SET cancel_at_period_end = true");

        var run = (await world.SyncAsync("--as-of", AsOf(Morning))).Done();

        Assert.Equal(ends ? 1 : 0, run.Counter("canceled"));
        Assert.Equal(ends ? "canceled" : status, await world.StatusAsync("subscriptions", id));
        Assert.Equal(ends ? 1 : 0, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE action = 'subscription.canceled' AND run_id IS NOT NULL"));
    }

    [Fact]
    public async Task The_clock_ends_neither_one_that_renews_nor_one_with_a_charge_in_flight_nor_Stripes_own()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var plan = await world.PlanAsync();
        await world.SubscriptionAsync(user, plan, Morning.AddHours(-1));
        var inFlight = await world.SubscriptionAsync(user, plan, Morning.AddHours(-1));
        await world.PaymentAsync(user, columns: "subscription_id", values: Text(inFlight));
        var followed = await world.FollowingAsync(user, "sub_1", endedAt: Morning.AddHours(-1));
        await world.ExecuteAsync("UPDATE subscriptions SET cancel_at_period_end = true WHERE id IN (@inFlight, @followed)", new { inFlight, followed });
        await world.AtStripeAsync("sub_1", periodEnd: Morning.AddHours(-1), cancelAtPeriodEnd: true);

        Assert.Equal(0, (await world.SyncAsync("--as-of", AsOf(Morning))).Done().Counter("canceled"));

        Assert.Equal(3, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'active'"));
    }

    [Fact]
    public async Task However_they_lie_in_time_a_sweep_sees_each_once()
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;
        // A crowd in one second, a crowd over years, a few of today.
        await world.Stripe.SeedAsync(new
        {
            subscriptions = new object[]
            {
                new { id = "sub_a{n}", customer = "cus_ada", price = "price_1", created = 1_600_000_000, repeat = 350 },
                new { id = "sub_b{n}", customer = "cus_ada", price = "price_1", created = 1_400_000_000, created_step = 700_000, repeat = 450 },
                new { id = "sub_c{n}", customer = "cus_ada", price = "price_1", repeat = 7 },
            },
        });
        world.Environment["STRIPE_MAX_REQUESTS_PER_SECOND"] = "80";

        var run = (await world.SyncAsync()).Done();

        Assert.Equal((807, 807), (run.Counter("seen"), run.Counter("created")));
        Assert.Equal(807, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions"));
    }

    [Fact]
    public async Task Events_tell_of_changes_since_the_last_complete_run()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var followed = await world.FollowingAsync(user, "sub_1");
        await world.AtStripeAsync("sub_1");
        (await world.SyncAsync()).Done();
        Assert.InRange((await CursorAsync(world))!.Value, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow);
        await world.AtStripeAsync("sub_1", "past_due");
        await world.AtStripeAsync("sub_1", "unpaid", periodEnd: PeriodEnd.AddMonths(1));
        await world.AtStripeAsync("sub_2", created: DateTime.UtcNow);
        await world.Stripe.ClearRequestsAsync();

        var run = (await world.SyncSinceAsync()).Done();

        Assert.Equal((1, 1), (run.Counter("updated"), run.Counter("created")));
        Assert.Equal(0, (await world.Stripe.RequestsAsync()).Count("GET /v1/subscriptions"));
        var row = await world.RowAsync("subscriptions", followed);
        Assert.Equal(("past_due", PeriodEnd.AddMonths(1)), ((string)row.status, (DateTime)row.ended_at));
    }

    [Fact]
    public async Task Events_in_the_shape_of_an_older_version_are_as_good()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.Stripe.ConfigureAsync(new { event_api_version = "2024-06-20" });
        var followed = await world.FollowingAsync(user, "sub_1");
        await world.AtStripeAsync("sub_1", "canceled", created: DateTime.UtcNow.AddMinutes(-5));

        (await world.SyncSinceAsync()).Done();
        await world.Stripe.ConfigureAsync(new { event_api_version = "2026-10-28.endive" });

        Assert.Equal("canceled", await world.StatusAsync("subscriptions", followed));
    }

    [Theory]
    [InlineData("/v1/subscriptions", false)]
    [InlineData("/v1/refunds", false)]
    [InlineData("/v1/disputes", false)]
    [InlineData("/v1/events", true)]
    public async Task The_cursor_moves_only_when_every_list_was_read_to_its_end(string path, bool byEvents)
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;
        await world.Stripe.FaultAsync("status_before:500", new { path }, shouldRetry: false);

        (byEvents ? await world.SyncSinceAsync() : await world.SyncAsync()).Failed();
        Assert.Null(await CursorAsync(world));

        await world.Stripe.ClearFaultsAsync();
        (byEvents ? await world.SyncSinceAsync() : await world.SyncAsync()).Done();
        Assert.NotNull(await CursorAsync(world));
    }

    [Fact]
    public async Task One_window_that_fails_late_keeps_the_cursor_where_it_was()
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;
        await world.Stripe.SeedAsync(new
        {
            subscriptions = new[] { new { id = "sub_{n}", customer = "cus_ada", price = "price_1", created = 1_500_000_000, created_step = 100_000, repeat = 900 } },
        });
        await world.Stripe.FaultAsync("status_before:500", new { path = "/v1/subscriptions", nth = 7 }, shouldRetry: false);

        (await world.SyncAsync()).Failed();
        Assert.Null(await CursorAsync(world));
        // And nothing is taken for missing.
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'canceled'"));

        (await world.SyncAsync()).Done();
        Assert.Equal(900, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions"));
    }

    [Fact]
    public async Task An_item_that_fails_stops_nobody_else_and_is_done_by_the_next_run()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var bad = await world.FollowingAsync(user, "sub_bad");
        var good = await world.FollowingAsync(user, "sub_good");
        await world.AtStripeAsync("sub_bad", "past_due");
        await world.AtStripeAsync("sub_good", "past_due");
        await world.Stripe.FaultAsync("status_before:500", new { path = "/v1/subscriptions/sub_bad" }, shouldRetry: false);

        var run = (await world.SyncAsync()).Failed();

        Assert.Equal((1, 1), (run.Counter("updated"), run.Counter("failed")));
        Assert.Equal(("active", "past_due"), (await world.StatusAsync("subscriptions", bad), await world.StatusAsync("subscriptions", good)));
        await world.Stripe.ClearFaultsAsync();
        Assert.Equal(1, (await world.SyncAsync()).Done().Counter("updated"));
    }

    [Fact]
    public async Task A_dry_run_shows_the_same_and_changes_nothing()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.FollowingAsync(user, "sub_1");
        await world.FollowingAsync(user, "sub_gone");
        await world.AtStripeAsync("sub_1", "past_due");
        await world.AtStripeAsync("sub_new");
        var (_, payment) = await world.PaidSubscriptionAsync(user);
        var ending = await world.SubscriptionAsync(user, await world.PlanAsync(), DateTime.UtcNow.AddHours(-1));
        await world.ExecuteAsync("UPDATE subscriptions SET cancel_at_period_end = true WHERE id = @ending", new { ending });
        await world.RefundAsync("pi_1");
        var before = await world.StateAsync();

        var dry = (await world.SyncAsync("--dry-run")).Done();

        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.RunRowsAsync());
        Assert.Equal(0, await world.PostsAsync());
        var real = (await world.SyncAsync("--items")).Done();
        Assert.Equal(real.Json.GetProperty("counters").GetRawText(), dry.Json.GetProperty("counters").GetRawText());
        Assert.Equal(Items(real), Items(dry));
        Assert.Equal("refunded", (await world.MoneyAsync(payment)).Status);

        static IEnumerable<string> Items(JobResult run) => run.Items().EnumerateArray().Select(item => item.GetRawText()).Order(StringComparer.Ordinal);
    }

    [Fact]
    public async Task The_report_tells_what_differs_on_either_side()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.FollowingAsync(user, "sub_1", endedAt: PeriodEnd.AddMonths(-1));
        await world.FollowingAsync(user, "sub_same");
        await world.FollowingAsync(user, "sub_gone");
        await world.AtStripeAsync("sub_1", "past_due");
        await world.AtStripeAsync("sub_same");
        await world.AtStripeAsync("sub_new");

        var run = (await world.SyncAsync("--dry-run")).Done();

        Assert.Equal(3, run.Items().GetArrayLength());
        var differs = run.Item("sub_1");
        Assert.Equal(("updated", "both"), (differs.Outcome(), differs.GetProperty("where").GetString()));
        Assert.Equal("""{"status":"active","ended_at":"2026-11-15T09:00:00Z"}""", differs.GetProperty("here").GetRawText());
        Assert.Equal("""{"status":"past_due","ended_at":"2026-12-15T09:00:00Z"}""", differs.GetProperty("stripe").GetRawText());
        Assert.Equal(("created", "stripe"), (run.Item("sub_new").Outcome(), run.Item("sub_new").GetProperty("where").GetString()));
        Assert.Equal(("deleted_at_stripe", "here"), (run.Item("sub_gone").Outcome(), run.Item("sub_gone").GetProperty("where").GetString()));
    }

    [Fact]
    public async Task Only_one_is_looked_at_when_one_is_asked_for()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var one = await world.FollowingAsync(user, "sub_1");
        var other = await world.FollowingAsync(user, "sub_2");
        await world.AtStripeAsync("sub_1", "past_due");
        await world.AtStripeAsync("sub_2", "past_due");

        (await world.SyncAsync("--only", Text(one))).Done();

        Assert.Equal(("past_due", "active"), (await world.StatusAsync("subscriptions", one), await world.StatusAsync("subscriptions", other)));
        Assert.Null(await CursorAsync(world));
    }

    [Fact]
    public async Task A_limited_run_takes_nothing_for_missing_and_moves_no_cursor()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        for (var i = 0; i < 12; i++)
        {
            await world.FollowingAsync(user, $"sub_{i}");
            await world.AtStripeAsync($"sub_{i}", "past_due");
        }

        (await world.SyncAsync("--limit", "1")).Done();

        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'past_due'"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'canceled'"));
        Assert.Null(await CursorAsync(world));
    }

    [Fact]
    public async Task A_shard_of_the_one_list_is_refused()
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;

        var run = (await world.SyncAsync("--shard", "0/2")).Failed();

        Assert.Contains("--shard does not apply", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_waited_while_the_row_was_written_is_thrown_away(bool byEvents)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var followed = await world.FollowingAsync(user, "sub_1");
        await world.AtStripeAsync("sub_1", "past_due", created: DateTime.UtcNow.AddMinutes(-5));
        // Stripe has answered "past_due", and the answer is still on its way.
        await world.Stripe.FaultAsync("hang_after", new { path = "/v1/subscriptions/sub_1", nth = 1 });
        using var slow = world.Start("subscription-sync", ["--output", "json", .. byEvents ? new[] { "--since-cursor" } : []]);
        await world.Stripe.HeldAsync();
        // Meanwhile it was canceled, and the application's webhook has written so.
        await world.AtStripeAsync("sub_1", "canceled");
        await world.ExecuteAsync("UPDATE subscriptions SET status = 'canceled' WHERE id = @followed", new { followed });

        await world.Stripe.ReleaseAsync();
        var run = (await slow.EndAsync()).Done();

        Assert.Equal("canceled", await world.StatusAsync("subscriptions", followed));
        Assert.Equal(0, run.Counter("updated"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE action = 'subscription.synced'"));
    }

    [Fact]
    public async Task A_list_that_is_older_than_the_row_overwrites_nothing()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var followed = await world.FollowingAsync(user, "sub_1");
        await world.AtStripeAsync("sub_1", "past_due");
        await world.Stripe.FaultAsync("hang_after", new { path = "/v1/subscriptions", nth = 1 });
        using var slow = world.Start("subscription-sync", "--output", "json");
        await world.Stripe.HeldAsync();
        // Paid while the list was on its way; nothing here had to change.
        await world.AtStripeAsync("sub_1");

        await world.Stripe.ReleaseAsync();
        (await slow.EndAsync()).Done();

        Assert.Equal("active", await world.StatusAsync("subscriptions", followed));
    }

    [Fact]
    public async Task A_list_of_refunds_that_is_older_than_the_payment_overwrites_nothing()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (_, payment) = await world.PaidSubscriptionAsync(user);
        var refund = await world.RefundAsync("pi_1");
        await world.Stripe.FaultAsync("hang_after", new { path = "/v1/disputes", nth = 1 });
        using var slow = world.Start("subscription-sync", "--output", "json");
        await world.Stripe.HeldAsync();
        // The refund failed, and somebody has noted it on the row.
        await world.Stripe.MoveRefundAsync(refund, "failed");
        await world.ExecuteAsync("UPDATE payments SET updated_at = clock_timestamp() WHERE id = @payment", new { payment });

        await world.Stripe.ReleaseAsync();
        (await slow.EndAsync()).Done();

        Assert.Equal(("succeeded", 0, null), await world.MoneyAsync(payment));
    }

    [Fact]
    public async Task Two_runs_at_once_create_and_change_each_once()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        for (var i = 0; i < 5; i++)
        {
            await world.FollowingAsync(user, $"sub_known{i}");
            await world.AtStripeAsync($"sub_known{i}", "past_due", created: DateTime.UtcNow.AddMinutes(-5));
            await world.AtStripeAsync($"sub_new{i}", created: DateTime.UtcNow.AddMinutes(-5));
        }

        await world.ExecuteAsync(
            """
            CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
            CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
            """);

        var runs = await Task.WhenAll(world.SyncAsync(), world.SyncSinceAsync());

        Assert.All(runs, r => r.Done());
        Assert.Equal((5, 5), (runs.Sum(r => r.Counter("updated")), runs.Sum(r => r.Counter("created"))));
        Assert.Equal(10, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE run_id IS NOT NULL"));
    }
}
