using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Sync;

/// <summary>Money given back: by the full sweep and by Events alike.</summary>
public sealed class RefundTests(PostgresFixture fixture)
{
    private async Task<(JobWorld World, long User)> WorldAsync()
    {
        var world = await fixture.WorldAsync();
        return (world, await world.UserAsync("ada"));
    }

    private static Task<JobResult> RunAsync(JobWorld world, bool byEvents) => byEvents ? world.SyncSinceAsync() : world.SyncAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_full_refund_ends_the_subscription_and_keeps_its_period(bool byEvents)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (subscription, payment) = await world.PaidSubscriptionAsync(user);
        await world.RefundAsync("pi_1");

        var run = (await RunAsync(world, byEvents)).Done();

        Assert.Equal(1, run.Counter("refunded"));
        Assert.Equal(("refunded", 1000, null), await world.MoneyAsync(payment));
        Assert.Equal("1000", await world.RefundsAsync(payment));
        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("canceled", false), ((string)row.status, (bool)row.auto_renew));
        Assert.NotNull((object?)(await world.RowAsync("payments", payment)).period_start);
        Assert.Equal("payment.refunded,subscription.canceled", await world.ScalarAsync<string>("SELECT string_agg(action, ',' ORDER BY action) FROM audit_logs WHERE run_id IS NOT NULL"));
        var after = await world.StateAsync();

        Assert.Equal(0, (await RunAsync(world, byEvents)).Done().Counter("refunded"));

        Assert.Equal(after, await world.StateAsync());
    }

    [Theory]
    [InlineData(999, "succeeded", "active")]
    [InlineData(1000, "refunded", "canceled")]
    public async Task A_cent_less_than_all_ends_nothing(long amount, string status, string subscriptionStatus)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (subscription, payment) = await world.PaidSubscriptionAsync(user);
        await world.RefundAsync("pi_1", 400);
        await world.RefundAsync("pi_1", amount - 400);

        var run = (await world.SyncAsync()).Done();

        Assert.Equal(1, run.Counter("refunded") + run.Counter("partially_refunded"));
        Assert.Equal((status, amount, null), await world.MoneyAsync(payment));
        Assert.Equal($"{amount - 400},400".Split(',').Order(), (await world.RefundsAsync(payment)).Split(',').Order());
        Assert.Equal(subscriptionStatus, await world.StatusAsync("subscriptions", subscription));
    }

    [Theory]
    [InlineData("failed")]
    [InlineData("canceled")]
    public async Task A_refund_that_fails_gives_the_amount_back_and_staff_are_told(string fate)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (subscription, payment) = await world.PaidSubscriptionAsync(user);
        var refund = await world.RefundAsync("pi_1", status: "pending");
        (await world.SyncAsync()).Done();
        Assert.Equal(("refunded", 1000, null), await world.MoneyAsync(payment));

        await world.Stripe.MoveRefundAsync(refund, fate);
        var run = (await world.SyncSinceAsync()).Done();

        Assert.Equal(1, run.Counter("refund_returned"));
        Assert.Equal(("succeeded", 0, null), await world.MoneyAsync(payment));
        Assert.Equal("", await world.RefundsAsync(payment));
        Assert.Equal(1, await world.MailsAsync("staff_reversal_review"));
        // Whether it goes on is for people to say.
        Assert.Equal("canceled", await world.StatusAsync("subscriptions", subscription));
        var after = await world.StateAsync();
        (await world.SyncAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task A_refund_that_failed_before_anybody_looked_is_nothing()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (subscription, payment) = await world.PaidSubscriptionAsync(user);
        await world.Stripe.MoveRefundAsync(await world.RefundAsync("pi_1"), "failed");

        var run = (await world.SyncAsync()).Done();

        Assert.Equal((0, 0), (run.Counter("refunded"), run.Counter("refund_returned")));
        Assert.Equal(("succeeded", 0, null), await world.MoneyAsync(payment));
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
    }

    [Fact]
    public async Task A_refund_of_last_months_payment_ends_nothing_while_this_month_is_paid()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var subscription = await world.SubscriptionAsync(user, await world.PlanAsync(), DateTime.UtcNow.AddDays(20));
        var last = await world.PaidAsync(user, "pi_last", subscription, DateTime.UtcNow.AddDays(-40));
        await world.PaidAsync(user, "pi_now", subscription, DateTime.UtcNow.AddDays(-10));
        await world.RefundAsync("pi_last");

        (await world.SyncAsync()).Done();

        Assert.Equal("refunded", (await world.MoneyAsync(last)).Status);
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
    }

    [Fact]
    public async Task A_subscription_that_Stripe_Billing_runs_is_left_to_it_and_staff_are_told()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.PriceAsync();
        var subscription = await world.FollowingAsync(user, "sub_1");
        await world.AtStripeAsync("sub_1");
        var payment = await world.PaidAsync(user, "pi_1", subscription, DateTime.UtcNow.AddDays(-3));
        await world.RefundAsync("pi_1");

        (await world.SyncAsync()).Done();

        Assert.Equal("refunded", (await world.MoneyAsync(payment)).Status);
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal("billed_by_stripe", await world.ScalarAsync<string>("SELECT payload ->> 'reason' FROM notifications WHERE kind = 'staff_reversal_review'"));
    }

    [Fact]
    public async Task A_membership_is_canceled_and_can_be_bought_again_an_order_is_canceled_and_its_stock_stays()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (order, product) = await world.OrderAsync(user, "paid", reserved: false, onHand: 3);
        await world.PaidAsync(user, "pi_order", columns: "order_id", values: Text(order));
        var membership = await world.ScalarAsync<long>(
            "INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (@user, 'basic', current_date - 10, current_date + 355) RETURNING id", new { user });
        await world.PaidAsync(user, "pi_member", columns: "membership_id", values: Text(membership));
        await world.RefundAsync("pi_order");
        await world.RefundAsync("pi_member");

        Assert.Equal(2, (await world.SyncAsync()).Done().Counter("refunded"));

        Assert.Equal("canceled", await world.StatusAsync("orders", order));
        Assert.Equal((3, 0), await world.StockAsync(product));
        Assert.NotNull((object?)(await world.RowAsync("memberships", membership)).canceled_at);
        await world.ExecuteAsync("INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (@user, 'basic', current_date, current_date + 364)", new { user });
    }

    [Fact]
    public async Task What_staff_gave_again_after_a_refund_is_not_taken_a_second_time()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (subscription, _) = await world.PaidSubscriptionAsync(user);
        await world.RefundAsync("pi_1");
        (await world.SyncAsync()).Done();
        await world.ExecuteAsync("UPDATE subscriptions SET status = 'active' WHERE id = @subscription", new { subscription });

        (await world.SyncAsync()).Done();
        (await world.SyncSinceAsync()).Done();

        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
    }

    [Fact]
    public async Task A_refunded_period_is_never_charged_again()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        // Renewed early, refunded, and given again by staff with the old end.
        var end = DateTime.UtcNow.AddHours(-2);
        var subscription = await world.SubscriptionAsync(user, await world.PlanAsync(), end);
        await world.PaidAsync(user, "pi_1", subscription, end);
        await world.RefundAsync("pi_1");
        (await world.SyncAsync()).Done();
        await world.ExecuteAsync("UPDATE subscriptions SET status = 'active', auto_renew = true WHERE id = @subscription", new { subscription });
        var charges = await world.ChargesAsync();

        Assert.Equal(0, (await world.RunAsync("autopayment")).Done().Counter("charged"));

        Assert.Equal(charges, await world.ChargesAsync());
    }

    [Fact]
    public async Task A_refund_recorded_by_hand_counts_along_and_is_never_removed()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (subscription, payment) = await world.PaidSubscriptionAsync(user);
        await world.ExecuteAsync("INSERT INTO payment_refunds (payment_id, amount_minor) VALUES (@payment, 600)", new { payment });
        await world.RefundAsync("pi_1", 400);

        (await world.SyncAsync()).Done();

        Assert.Equal(("refunded", 1000, null), await world.MoneyAsync(payment));
        Assert.Equal("600,400", await world.RefundsAsync(payment));
        Assert.Equal("canceled", await world.StatusAsync("subscriptions", subscription));
    }

    [Fact]
    public async Task A_refund_of_a_payment_unknown_here_is_reported()
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;
        await world.IntentAsync("pi_unknown");
        await world.RefundAsync("pi_unknown");

        var run = (await world.SyncAsync("--items")).Done();

        Assert.Equal(1, run.Counter("unbooked"));
        Assert.Equal("stripe", run.Item("pi_unknown").GetProperty("where").GetString());
    }

    [Fact]
    public async Task Two_runs_at_once_record_a_refund_once()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (_, payment) = await world.PaidSubscriptionAsync(user);
        await world.RefundAsync("pi_1", 300);
        await world.RefundAsync("pi_1", 700);
        await world.ExecuteAsync(
            """
            CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
            CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
            """);

        var runs = await Task.WhenAll(world.SyncAsync(), world.SyncSinceAsync());

        Assert.All(runs, r => r.Done());
        Assert.Equal(("refunded", 1000, null), await world.MoneyAsync(payment));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE subject_type = 'subscription' AND run_id IS NOT NULL"));
    }
}

/// <summary>Money that banks take back.</summary>
public sealed class DisputeTests(PostgresFixture fixture)
{
    private async Task<(JobWorld World, long Subscription, long Payment)> WorldAsync()
    {
        var world = await fixture.WorldAsync();
        var (subscription, payment) = await world.PaidSubscriptionAsync(await world.UserAsync("ada"));
        return (world, subscription, payment);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_open_dispute_marks_the_payment_a_won_one_clears_it(bool byEvents)
    {
        var (world, subscription, payment) = await WorldAsync();
        await using var _ = world;
        Task<JobResult> RunAsync() => byEvents ? world.SyncSinceAsync() : world.SyncAsync();
        await world.DisputeAsync("pi_1", "needs_response");

        Assert.Equal(1, (await RunAsync()).Done().Counter("disputed"));
        Assert.Equal(("disputed", 0, "needs_response"), await world.MoneyAsync(payment));
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
        var open = await world.StateAsync();
        (await RunAsync()).Done();
        Assert.Equal(open, await world.StateAsync());

        await world.DisputeAsync("pi_1", "won");
        Assert.Equal(1, (await RunAsync()).Done().Counter("dispute_won"));
        Assert.Equal(("succeeded", 0, "won"), await world.MoneyAsync(payment));
        Assert.Equal(0, await world.MailsAsync("staff_reversal_review"));
    }

    [Fact]
    public async Task A_lost_dispute_ends_what_was_paid_for()
    {
        var (world, subscription, payment) = await WorldAsync();
        await using var _ = world;
        await world.DisputeAsync("pi_1", "under_review");
        (await world.SyncAsync()).Done();
        await world.DisputeAsync("pi_1", "lost");

        Assert.Equal(1, (await world.SyncAsync()).Done().Counter("dispute_lost"));

        Assert.Equal(("disputed", 0, "lost"), await world.MoneyAsync(payment));
        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("canceled", false), ((string)row.status, (bool)row.auto_renew));
        var after = await world.StateAsync();
        (await world.SyncAsync()).Done();
        Assert.Equal(after, await world.StateAsync());

        // An appeal brought it back: what was ended is for people to give again.
        await world.DisputeAsync("pi_1", "won");
        (await world.SyncAsync()).Done();
        Assert.Equal(("succeeded", 0, "won"), await world.MoneyAsync(payment));
        Assert.Equal("canceled", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal(1, await world.MailsAsync("staff_reversal_review"));
    }

    [Theory]
    [InlineData("warning_needs_response")]
    [InlineData("warning_under_review")]
    [InlineData("warning_closed")]
    [InlineData("prevented")]
    public async Task An_inquiry_takes_no_money_and_changes_nothing_but_its_note(string status)
    {
        var (world, subscription, payment) = await WorldAsync();
        await using var _ = world;
        await world.DisputeAsync("pi_1", status);

        (await world.SyncAsync()).Done();

        Assert.Equal(("succeeded", 0, status), await world.MoneyAsync(payment));
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
    }

    [Fact]
    public async Task Of_opened_and_lost_between_two_runs_only_the_end_counts()
    {
        var (world, subscription, payment) = await WorldAsync();
        await using var _ = world;
        await world.DisputeAsync("pi_1", "needs_response");
        await world.DisputeAsync("pi_1", "lost");

        Assert.Equal(1, (await world.SyncSinceAsync()).Done().Counter("dispute_lost"));

        Assert.Equal(("disputed", 0, "lost"), await world.MoneyAsync(payment));
        Assert.Equal("canceled", await world.StatusAsync("subscriptions", subscription));
    }
}
