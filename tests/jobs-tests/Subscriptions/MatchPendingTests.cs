using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Unresolved here, decided at Stripe.</summary>
public sealed class MatchPendingTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_pending_payment_with_a_plan_only_creates_the_subscription()
    {
        await using var world = await fixture.WorldAsync();
        var plan = await world.PlanAsync();
        var user = await world.UserAsync("ada");
        var payment = await world.PaymentAsync(user, "pi_1", columns: "purpose, plan_id", values: $"'subscription', {plan}");
        await world.IntentAsync("pi_1");

        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("matched"));

        var row = await world.OneAsync("SELECT * FROM subscriptions");
        Assert.Equal(("active", user, plan, payment), ((string)row.status, (long)row.user_id, (long)row.plan_id, (long)row.payment_id));
        Assert.InRange((DateTime)row.started_at, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow.AddMinutes(1));
        Assert.InRange((DateTime)row.ended_at - (DateTime)row.started_at, TimeSpan.FromDays(27.9), TimeSpan.FromDays(31.1));
        Assert.Equal((long)row.id, (long)(await world.RowAsync("payments", payment)).subscription_id);
        Assert.Equal(1, await world.MailsAsync("payment_receipt"));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
        var after = await world.StateAsync();

        (await world.MatchPendingAsync()).Done();

        Assert.Equal(after, await world.StateAsync());
    }

    [Theory]
    [InlineData("active")]
    [InlineData("past_due")]
    public async Task The_user_s_own_live_subscription_of_the_plan_is_extended_instead(string status)
    {
        await using var world = await fixture.WorldAsync();
        var plan = await world.PlanAsync();
        var user = await world.UserAsync("ada");
        var end = DateTime.UtcNow.Date.AddDays(-1).AddHours(12);
        var subscription = await world.SubscriptionAsync(user, plan, end, status);
        await world.PaymentAsync(user, "pi_1", columns: "purpose, plan_id", values: $"'subscription', {plan}");
        await world.IntentAsync("pi_1");

        (await world.MatchPendingAsync()).Done();

        var row = await world.OneAsync("SELECT * FROM subscriptions");
        Assert.Equal((subscription, "active"), ((long)row.id, (string)row.status));
        Assert.InRange((DateTime)row.ended_at - end, TimeSpan.FromDays(27.9), TimeSpan.FromDays(31.1));
    }

    [Theory]
    [InlineData("canceled", "canceled")]
    [InlineData("processing", "processing")]
    [InlineData("requires_action", "requires_action")]
    [InlineData("requires_confirmation", "pending")]
    public async Task What_is_not_paid_is_recorded_as_it_is(string atStripe, string here)
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", columns: "purpose, plan_id", values: $"'subscription', {await world.PlanAsync()}");
        await world.IntentAsync("pi_1", atStripe);

        (await world.MatchPendingAsync()).Done();

        Assert.Equal(here, await world.StatusAsync("payments", payment));
        var after = await world.StateAsync();
        (await world.MatchPendingAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions"));
    }

    [Fact]
    public async Task A_declined_payment_fails_and_its_success_afterwards_is_still_fulfilled()
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", columns: "purpose, plan_id", values: $"'subscription', {await world.PlanAsync()}");
        await world.IntentAsync("pi_1", "requires_confirmation");
        await world.Stripe.ActAsync("pi_1", "fail", new { decline = "insufficient_funds" });
        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("declined"));
        var failed = await world.RowAsync("payments", payment);
        Assert.Equal(("failed", "insufficient_funds"), ((string)failed.status, (string)failed.failure_code));
        // The customer's own try: no dunning.
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM notifications"));

        await world.Stripe.ActAsync("pi_1", "pay", new { });
        (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal("succeeded", await world.StatusAsync("payments", payment));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'active'"));
    }

    [Theory]
    [InlineData("failed")]
    [InlineData("expired")]
    [InlineData("canceled")]
    public async Task A_success_for_a_closed_row_is_fulfilled(string status)
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(
            await world.UserAsync("ada"), "pi_1", columns: "purpose, plan_id, status", values: $"'subscription', {await world.PlanAsync()}, '{status}'");
        await world.IntentAsync("pi_1");

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        Assert.Equal("succeeded", await world.StatusAsync("payments", payment));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'active'"));
    }

    [Theory]
    [InlineData("succeeded")]
    [InlineData("refunded")]
    [InlineData("disputed")]
    public async Task A_late_cancel_undoes_no_success(string status)
    {
        await using var world = await fixture.WorldAsync();
        await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", columns: "status", values: $"'{status}'");
        await world.IntentAsync("pi_1", "canceled");
        var before = await world.StateAsync();

        (await world.MatchPendingAsync()).Done();

        Assert.Equal(before, await world.StateAsync());
    }

    [Fact]
    public async Task An_id_that_was_never_learned_is_found_by_listing_the_customer()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow.AddHours(-1));
        var attempt = await world.LostAttemptAsync(subscription, TimeSpan.FromMinutes(20));
        await world.IntentAsync("pi_copy", metadata: new { payment_id = Text(attempt), attempt_key = "a restored copy's key" }, created: DateTime.UtcNow.AddMinutes(-19));
        await world.IntentAsync("pi_1", metadata: new { payment_id = Text(attempt), attempt_key = $"key-{subscription}", user_id = "1" }, created: DateTime.UtcNow.AddMinutes(-19));

        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("matched"));

        var row = await world.RowAsync("payments", attempt);
        Assert.Equal(("succeeded", "pi_1"), ((string)row.status, (string)row.provider_payment_id));
        Assert.DoesNotContain((await world.Stripe.RequestsAsync()).Recent, r => r.Path.Contains("search", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_unknown_id_at_the_provider_leaves_the_row_open()
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), "pi_gone", DateTime.UtcNow.AddDays(-3));

        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("still_open"));

        Assert.Equal("pending", await world.StatusAsync("payments", payment));
    }

    [Theory]
    [InlineData("customer_mismatch", "cus_ben", 1000, "eur")]
    [InlineData("amount_mismatch", "cus_ada", 999, "eur")]
    [InlineData("amount_mismatch", "cus_ada", 1001, "eur")]
    [InlineData("currency_mismatch", "cus_ada", 1000, "usd")]
    public async Task A_success_that_disagrees_is_parked_and_staff_told_once(string reason, string customer, long amount, string currency)
    {
        await using var world = await fixture.WorldAsync();
        await world.UserAsync("ben");
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", columns: "purpose, plan_id", values: $"'subscription', {await world.PlanAsync()}");
        await world.IntentAsync("pi_1", customer: customer, amount: amount, currency: currency, method: customer.Replace("cus", "pm", StringComparison.Ordinal));

        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("parked_payments"));

        Assert.Equal(reason, await world.UnmatchedReasonAsync("pi_1"));
        Assert.NotEqual("succeeded", await world.StatusAsync("payments", payment));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT (SELECT count(*) FROM receipts) + (SELECT count(*) FROM subscriptions)"));
        var after = await world.StateAsync();
        (await world.MatchPendingAsync()).Done();
        (await world.MatchSuccessfulAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
        Assert.Equal("staff@example.test", (string)(await world.OneAsync("SELECT to_address FROM notifications")).to_address);
    }

    [Fact]
    public async Task A_second_success_for_the_same_period_is_parked_as_a_duplicate()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow.AddHours(-1));
        var attempt = await world.LostAttemptAsync(subscription, TimeSpan.FromMinutes(20));
        await world.ExecuteAsync("UPDATE payments SET provider_payment_id = 'pi_2'");
        await world.IntentAsync("pi_2");
        await world.ExecuteAsync(
            """
            INSERT INTO payments (user_id, subscription_id, amount_minor, status, provider_payment_id, period_start)
            SELECT user_id, subscription_id, 1000, 'succeeded', 'pi_1', period_start FROM payments
            """);

        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("parked_payments"));

        Assert.Equal("duplicate", await world.UnmatchedReasonAsync("pi_2"));
        Assert.Equal("failed", await world.StatusAsync("payments", attempt));
        Assert.Equal(1, await world.MailsAsync("staff_unmatched_payments"));
    }

    [Fact]
    public async Task A_success_for_a_canceled_subscription_is_parked()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow.AddHours(-1));
        await world.LostAttemptAsync(subscription, TimeSpan.FromMinutes(20));
        await world.ExecuteAsync("UPDATE payments SET provider_payment_id = 'pi_1'; UPDATE subscriptions SET status = 'canceled'");
        await world.IntentAsync("pi_1");

        (await world.MatchPendingAsync()).Done();

        Assert.Equal("subscription_canceled", await world.UnmatchedReasonAsync("pi_1"));
        Assert.Equal("canceled", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
    }

    [Fact]
    public async Task A_dry_run_and_a_failing_provider_change_nothing_and_only_the_latter_fails()
    {
        await using var world = await fixture.WorldAsync();
        await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", columns: "purpose, plan_id", values: $"'subscription', {await world.PlanAsync()}");
        await world.IntentAsync("pi_1");
        var before = await world.StateAsync();

        var dry = (await world.MatchPendingAsync("--dry-run")).Done();
        Assert.Equal(1, dry.Items().GetArrayLength());
        Assert.Equal(0, await world.RunRowsAsync());
        await world.Stripe.FaultAsync("status_before:500", new { method = "GET" }, shouldRetry: false);
        Assert.Equal(1, (await world.MatchPendingAsync()).Failed().Counter("failed"));

        Assert.Equal(before, await world.StateAsync());
    }
}
