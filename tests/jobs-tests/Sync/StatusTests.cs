using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;
using static Jobs.Tests.Sync.SyncScene;

namespace Jobs.Tests.Sync;

/// <summary>What Stripe says of a subscription, and what the row says afterwards.</summary>
public sealed class StatusTests(PostgresFixture fixture)
{
    private async Task<(JobWorld World, long User)> WorldAsync()
    {
        var world = await fixture.WorldAsync();
        await world.PriceAsync();
        return (world, await world.UserAsync("ada"));
    }

    [Theory]
    [InlineData("trialing", "active")]
    [InlineData("active", "active")]
    [InlineData("past_due", "past_due")]
    [InlineData("unpaid", "past_due")]
    [InlineData("incomplete", "pending")]
    [InlineData("incomplete_expired", "expired")]
    [InlineData("canceled", "canceled")]
    [InlineData("paused", "paused")]
    public async Task Each_status_has_its_own_here_followed_or_created(string atStripe, string here)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var followed = await world.FollowingAsync(user, "sub_known", atStripe == "active" ? "past_due" : "active", PeriodEnd.AddMonths(-1));
        await world.AtStripeAsync("sub_known", atStripe);
        await world.AtStripeAsync("sub_new", atStripe);

        var run = (await world.SyncAsync()).Done();

        Assert.Equal((1, 1, 2), (run.Counter("updated"), run.Counter("created"), run.Counter("seen")));
        var row = await world.RowAsync("subscriptions", followed);
        Assert.Equal((here, PeriodEnd), ((string)row.status, (DateTime)row.ended_at));
        var created = await world.OneAsync("SELECT * FROM subscriptions WHERE provider_subscription_id = 'sub_new'");
        Assert.Equal((here, user, PeriodEnd), ((string)created.status, (long)created.user_id, (DateTime)created.ended_at));
        Assert.Equal(Utc(2026, 1, 15, 9), (DateTime)created.started_at);
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE subject_id = @followed AND action = 'subscription.synced' AND run_id IS NOT NULL", new { followed }));
        var after = await world.StateAsync();

        run = (await world.SyncAsync()).Done();

        Assert.Equal((0, 0), (run.Counter("updated"), run.Counter("created")));
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task A_status_that_Stripe_has_invented_since_changes_nothing_but_the_period_and_is_reported()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var followed = await world.FollowingAsync(user, "sub_1", endedAt: PeriodEnd.AddMonths(-1));
        await world.AtStripeAsync("sub_1", "hibernating");
        await world.AtStripeAsync("sub_2", "hibernating");

        var run = (await world.SyncAsync("--items")).Done();

        Assert.Equal(2, run.Counter("unknown_status"));
        var row = await world.RowAsync("subscriptions", followed);
        Assert.Equal(("active", PeriodEnd), ((string)row.status, (DateTime)row.ended_at));
    }

    [Fact]
    public async Task The_wish_to_end_with_the_period_comes_along_and_goes_again()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var followed = await world.FollowingAsync(user, "sub_1");
        await world.AtStripeAsync("sub_1", cancelAtPeriodEnd: true);
        (await world.SyncAsync()).Done();
        Assert.True((bool)(await world.RowAsync("subscriptions", followed)).cancel_at_period_end);

        await world.AtStripeAsync("sub_1");
        (await world.SyncAsync()).Done();
        Assert.False((bool)(await world.RowAsync("subscriptions", followed)).cancel_at_period_end);
    }

    [Fact]
    public async Task The_plan_follows_the_price_and_stays_when_the_new_one_is_unknown()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var yearly = await world.PlanAsync("yearly", 9000, unit: "year");
        await world.PriceAsync("price_year", "yearly");
        await world.PriceAsync("price_odd", "odd");
        var switched = await world.FollowingAsync(user, "sub_switched");
        var odd = await world.FollowingAsync(user, "sub_odd");
        await world.AtStripeAsync("sub_switched", price: "price_year");
        await world.AtStripeAsync("sub_odd", price: "price_odd");

        var run = (await world.SyncAsync("--items")).Done();

        Assert.Equal(yearly, (long)(await world.RowAsync("subscriptions", switched)).plan_id);
        Assert.Equal("monthly", run.Item("sub_switched").GetProperty("here").GetProperty("plan").GetString());
        Assert.Equal("yearly", run.Item("sub_switched").GetProperty("stripe").GetProperty("plan").GetString());
        Assert.Equal(await world.PlanAsync(), (long)(await world.RowAsync("subscriptions", odd)).plan_id);
        Assert.Equal("unknown_plan", run.Item("sub_odd").Outcome());
    }

    [Fact]
    public async Task One_that_names_no_plan_keeps_its_own_without_a_word()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.PriceAsync("price_bare", null);
        await world.FollowingAsync(user, "sub_1");
        await world.AtStripeAsync("sub_1", price: "price_bare");

        var run = (await world.SyncAsync()).Done();

        Assert.Equal((0, 0), (run.Counter("updated"), run.Counter("unknown_plan")));
    }

    [Fact]
    public async Task Metadata_names_the_plan_before_the_price_does()
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;
        var yearly = await world.PlanAsync("yearly", 9000, unit: "year");
        await world.AtStripeAsync("sub_1", metadata: new { plan = "yearly" });

        (await world.SyncAsync()).Done();

        Assert.Equal(yearly, (long)(await world.OneAsync("SELECT * FROM subscriptions")).plan_id);
    }

    [Fact]
    public async Task Unknown_customers_and_plans_are_reported_and_created_once_they_are_known()
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;
        await world.PriceAsync("price_bare", null);
        await world.Stripe.SeedAsync(new { customers = new[] { new { id = "cus_stranger" } } });
        await world.AtStripeAsync("sub_stranger", customer: "cus_stranger");
        await world.AtStripeAsync("sub_bare", price: "price_bare");

        var run = (await world.SyncAsync("--items")).Done();

        Assert.Equal((1, 1, 0), (run.Counter("unknown_customer"), run.Counter("unknown_plan"), run.Counter("created")));
        Assert.Equal(("unknown_customer", "stripe"), (run.Item("sub_stranger").Outcome(), run.Item("sub_stranger").GetProperty("where").GetString()));

        await world.ExecuteAsync("INSERT INTO users (email, provider_customer_id) VALUES ('s@example.test', 'cus_stranger')");
        Assert.Equal(1, (await world.SyncAsync()).Done().Counter("created"));
    }

    [Fact]
    public async Task One_whose_customer_is_another_users_follows_Stripe_and_is_reported()
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;
        var bob = await world.UserAsync("bob");
        var followed = await world.FollowingAsync(bob, "sub_1");
        await world.AtStripeAsync("sub_1", "past_due", customer: "cus_ada");

        var run = (await world.SyncAsync()).Done();

        Assert.Equal((1, 1), (run.Counter("updated"), run.Counter("unknown_customer")));
        var row = await world.RowAsync("subscriptions", followed);
        Assert.Equal(("past_due", bob), ((string)row.status, (long)row.user_id));
    }

    [Fact]
    public async Task What_Stripe_does_not_know_is_canceled_with_its_reason_and_what_is_over_stays()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var gone = await world.FollowingAsync(user, "sub_gone");
        var expired = await world.FollowingAsync(user, "sub_expired", "expired");
        var ours = await world.SubscriptionAsync(user, await world.PlanAsync(), DateTime.UtcNow.AddDays(3));

        var run = (await world.SyncAsync("--items")).Done();

        Assert.Equal(1, run.Counter("deleted_at_stripe"));
        Assert.Equal("here", run.Item("sub_gone").GetProperty("where").GetString());
        Assert.Equal(("canceled", "expired", "active"), (await world.StatusAsync("subscriptions", gone), await world.StatusAsync("subscriptions", expired), await world.StatusAsync("subscriptions", ours)));
        Assert.Equal("deleted_at_stripe", await world.ScalarAsync<string>("SELECT data ->> 'reason' FROM audit_logs WHERE subject_id = @gone", new { gone }));
    }

    [Theory]
    [InlineData(10, null, true)]
    [InlineData(11, null, false)]
    [InlineData(11, "11", true)]
    [InlineData(11, "10", false)]
    public async Task Many_unknown_at_once_look_like_another_account_and_are_left_unless_allowed(int gone, string? allowed, bool canceled)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        for (var i = 0; i < gone; i++)
        {
            await world.FollowingAsync(user, $"sub_gone{i}");
        }

        var run = await world.SyncAsync(allowed is null ? [] : ["--max-missing", allowed]);

        Assert.Equal(canceled ? 0 : 1, run.ExitCode);
        Assert.Equal(canceled ? gone : 0, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'canceled'"));
        if (!canceled)
        {
            Assert.Contains("--max-missing 11", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Ending_one_never_touches_another_of_the_same_customer()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.FollowingAsync(user, "sub_old");
        var current = await world.FollowingAsync(user, "sub_new");
        var ours = await world.SubscriptionAsync(user, await world.PlanAsync(), DateTime.UtcNow.AddDays(3));
        await world.AtStripeAsync("sub_old", "canceled");
        await world.AtStripeAsync("sub_new");

        (await world.SyncAsync()).Done();

        Assert.Equal(("active", "active"), (await world.StatusAsync("subscriptions", current), await world.StatusAsync("subscriptions", ours)));
    }
}
