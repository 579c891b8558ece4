using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Successes that cannot be tied to what they pay for, and those of Stripe Billing.</summary>
public sealed class UnmatchedPaymentTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData("{}", "cus_stranger", "user_unknown")]
    [InlineData("""{"user_id":"999999"}""", null, "user_unknown")]
    [InlineData("""{"user_id":"1"}""", "cus_ada", "plan_unknown")]
    [InlineData("""{"user_id":"one","payment_id":"-3","subscription_id":"1e3","period_start":"20-11-2026","plan":""}""", "cus_ada", "plan_unknown")]
    [InlineData("""{"user_id":"1","plan":"no_such_plan"}""", "cus_ada", "plan_unknown")]
    [InlineData("""{"user_id":"1","purpose":"subscription"}""", "cus_ada", "plan_unknown")]
    [InlineData("""{"user_id":"1","subscription_id":"999999"}""", "cus_ada", "subscription_unknown")]
    [InlineData("""{"user_id":"1","purpose":"order"}""", "cus_ada", "order_unknown")]
    [InlineData("""{"user_id":"1","order_id":"999999"}""", "cus_ada", "order_unknown")]
    [InlineData("""{"user_id":"1","plan":"dear"}""", "cus_ada", "amount_mismatch")]
    [InlineData("""{"user_id":"1","plan":"yen"}""", "cus_ada", "currency_mismatch")]
    [InlineData("""{"user_id":"1","plan":"monthly"}""", "cus_ben", "customer_mismatch")]
    [InlineData("""{"user_id":"3","plan":"monthly"}""", "cus_ben", "customer_mismatch")] // 3 has no customer yet; this one is another user's
    [InlineData("""{"user_id":"1","subscription_id":"1"}""", "cus_ada", "customer_mismatch")] // the subscription of user 2
    public async Task What_cannot_be_tied_is_parked_told_once_and_fails_nothing(string metadata, string? customer, string reason)
    {
        await using var world = await fixture.WorldAsync();
        Assert.Equal(1, await world.UserAsync("ada"));
        Assert.Equal(2, await world.UserAsync("ben"));
        await world.PersonAsync("cem");
        await world.PlanAsync("dear", 5000);
        await world.PlanAsync("yen", 1000, "jpy");
        Assert.Equal(1, await world.SubscriptionAsync(2, await world.PlanAsync(), DateTime.UtcNow));
        await world.Stripe.SeedAsync(new { customers = new[] { new { id = "cus_stranger", payment_methods = new[] { new { id = "pm_stranger" } } } } });
        await world.IntentAsync(
            "pi_1", customer: customer, metadata: JobWorld.ParseOne(metadata), method: customer?.Replace("cus", "pm", StringComparison.Ordinal) ?? "pm_card_visa");

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("parked_payments"));

        Assert.Equal(reason, await world.UnmatchedReasonAsync("pi_1"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT (SELECT count(*) FROM payments) + (SELECT count(*) FROM receipts)"));
        Assert.Equal("staff@example.test", (string)(await world.OneAsync("SELECT to_address FROM notifications")).to_address);
        var after = await world.StateAsync();
        (await world.MatchSuccessfulAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task A_dry_run_foretells_what_will_be_parked_for_its_payer_or_its_money()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.UserAsync("ben");
        await world.PlanAsync();
        // Old ones that succeeded today: announced by Events alone, so that a dry run comes upon each once.
        var created = DateTime.UtcNow.AddDays(-2);
        var succeeded = DateTime.UtcNow.AddMinutes(-5);
        await world.IntentAsync("pi_good", metadata: new { user_id = Text(user), plan = "monthly" }, created: created, succeededAt: succeeded);
        await world.IntentAsync("pi_nobody", customer: null, method: "pm_card_visa", created: created, succeededAt: succeeded);
        await world.IntentAsync("pi_other", customer: "cus_ben", method: "pm_ben", metadata: new { user_id = Text(user), plan = "monthly" }, created: created, succeededAt: succeeded);
        var payment = await world.PaymentAsync(user, "pi_less");
        await world.IntentAsync("pi_less", amount: 999, metadata: new { payment_id = Text(payment) }, created: created, succeededAt: succeeded);
        var before = await world.StateAsync();

        var pending = (await world.MatchPendingAsync("--dry-run")).Done();
        var dry = (await world.MatchSuccessfulAsync("--dry-run")).Done();
        Assert.Equal(before, await world.StateAsync());
        var real = (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal((0, 1), (pending.Counter("matched"), pending.Counter("parked_payments")));
        Assert.Equal((1, 3), (dry.Counter("matched"), dry.Counter("parked_payments")));
        Assert.Equal((1, 3), (real.Counter("matched"), real.Counter("parked_payments")));
    }

    [Fact]
    public async Task Malformed_metadata_does_not_hide_a_customer_and_plan_that_are_known()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.PlanAsync();
        await world.IntentAsync("pi_1", metadata: new { user_id = "ada", payment_id = "0x1", plan = "monthly", period_start = "tomorrow" });

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));
        Assert.Equal(user, (long)(await world.OneAsync("SELECT user_id FROM subscriptions")).user_id);
    }

    [Fact]
    public async Task A_payment_tied_to_parked_money_afterwards_leaves_the_flight_and_is_told_once()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var subscription = await world.SubscriptionAsync(user, await world.PlanAsync(), DateTime.UtcNow.AddDays(-1), "past_due");
        await world.IntentAsync("pi_1", amount: 700);
        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("parked_payments"));
        // The application writes down only now what it was for, and 1000 were asked.
        var payment = await world.PaymentAsync(user, "pi_1", columns: "subscription_id, purpose", values: $"{subscription}, 'subscription'");

        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("parked_payments"));

        var row = await world.RowAsync("payments", payment);
        Assert.Equal(("failed", "amount_mismatch"), ((string)row.status, (string)row.failure_code));
        Assert.Equal(payment, (long)(await world.OneAsync("SELECT payment_id FROM unmatched_payments")).payment_id);
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE action = 'payment.parked'"));
        Assert.Equal(1, await world.MailsAsync("staff_unmatched_payments"));
        // Until it is resolved nothing is charged for the period; then the next charge is free to go.
        Assert.Equal(0, (await world.RunAsync("autopayment")).Done().Counter("charged"));
        var after = await world.StateAsync();
        Assert.Equal(0, (await world.MatchPendingAsync()).Done().Counter("parked_payments"));
        Assert.Equal(after, await world.StateAsync());
        await world.ExecuteAsync("UPDATE unmatched_payments SET resolved_at = now()");
        Assert.Equal(1, (await world.RunAsync("autopayment")).Done().Counter("charged"));
    }

    [Fact]
    public async Task A_payment_tied_to_parked_money_afterwards_is_booked_when_it_agrees()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.PlanAsync();
        await world.IntentAsync("pi_1");
        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("parked_payments"));
        var payment = await world.PaymentAsync(user, "pi_1", columns: "purpose, plan_id", values: "'subscription', (SELECT id FROM plans)");

        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("matched"));

        Assert.Equal("succeeded", await world.StatusAsync("payments", payment));
        // Nobody must refund it by hand now.
        var parked = await world.OneAsync("SELECT resolved_at IS NOT NULL AS resolved, resolution FROM unmatched_payments");
        Assert.Equal((true, "booked"), ((bool)parked.resolved, (string)parked.resolution));
        var after = await world.StateAsync();
        (await world.MatchPendingAsync()).Done();
        (await world.MatchSuccessfulAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task Many_parked_payments_are_one_mail_to_staff_and_none_without_an_address()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["STAFF_EMAIL"] = null;
        await world.UserAsync("ada");
        foreach (var i in Enumerable.Range(0, 5))
        {
            await world.IntentAsync($"pi_{i}");
        }

        Assert.Equal(5, (await world.MatchSuccessfulAsync()).Done().Counter("parked_payments"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM notifications"));

        world.Environment["STAFF_EMAIL"] = "staff@example.test";
        (await world.MatchSuccessfulAsync()).Done();
        (await world.MatchSuccessfulAsync()).Done();
        Assert.Equal(5, (int)(await world.OneAsync("SELECT (payload ->> 'count')::int AS count FROM notifications")).count);
    }

    [Fact]
    public async Task After_a_restored_backup_a_payment_id_of_another_row_ties_nothing_to_the_wrong_row()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var end = DateTime.UtcNow.AddHours(-1);
        var subscription = await world.SubscriptionAsync(user, await world.PlanAsync(), end);
        // The lost row had the id that this other payment got after the restore.
        var other = await world.PaymentAsync(user, null, columns: "idempotency_key, purpose", values: "'another key', 'other'");
        await world.IntentAsync("pi_1", metadata: new
        {
            payment_id = Text(other),
            user_id = Text(user),
            purpose = "subscription",
            subscription_id = Text(subscription),
            plan = "monthly",
            period_start = end.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture),
            attempt_key = "the lost row's key",
        });

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        Assert.Equal("pending", await world.StatusAsync("payments", other));
        Assert.Equal("pi_1", (string)(await world.OneAsync("SELECT provider_payment_id FROM payments WHERE status = 'succeeded'")).provider_payment_id);
        // Paid: autopayment has nothing left to charge.
        Assert.Equal(0, (await world.RunAsync("autopayment")).Done().Counter("charged"));
    }

    [Fact]
    public async Task A_stripe_billing_invoice_is_recorded_without_extending_its_subscription()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await BillingAsync(world, "sub_1");
        var end = (DateTime)(await world.RowAsync("subscriptions", subscription)).ended_at;

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        var payment = await world.OneAsync("SELECT * FROM payments");
        Assert.Equal((subscription, "succeeded", "subscription"), ((long)payment.subscription_id, (string)payment.status, (string)payment.purpose));
        Assert.Equal(end, (DateTime)(await world.RowAsync("subscriptions", subscription)).ended_at);
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
        var after = await world.StateAsync();
        (await world.MatchSuccessfulAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task A_stripe_billing_invoice_of_a_subscription_unknown_here_is_parked()
    {
        await using var world = await fixture.WorldAsync();
        await BillingAsync(world, "sub_elsewhere");

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("parked_payments"));

        Assert.Equal("subscription_unknown", await world.UnmatchedReasonAsync("pi_1"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM payments"));
    }

    private static async Task<long> BillingAsync(JobWorld world, string here)
    {
        var subscription = await world.SubscriptionAsync(await world.UserAsync("ada"), await world.PlanAsync(), DateTime.UtcNow.AddDays(20));
        await world.ExecuteAsync("UPDATE subscriptions SET provider_subscription_id = @here", new { here });
        await world.Stripe.SeedAsync(new
        {
            products = new[] { new { id = "prod_1", name = "Club" } },
            prices = new[] { new { id = "price_1", product = "prod_1", unit_amount = 1000, currency = "eur", interval = "month" } },
            subscriptions = new[] { new { id = "sub_1", customer = "cus_ada", price = "price_1", status = "active" } },
        });
        await world.IntentAsync("pi_1");
        await world.Stripe.SeedAsync(new { invoices = new[] { new { id = "in_1", subscription = "sub_1", status = "paid", amount_due = 1000, payment_intent = "pi_1" } } });
        return subscription;
    }
}
