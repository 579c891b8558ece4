using System.Globalization;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

internal static class SyncScenarios
{
    private static readonly DateTime Recently = Scenario.Now.AddMinutes(-20);
    private static readonly DateTime PeriodEnd = Scenario.Now.AddDays(25);

    public static readonly Scenario Sweep = new(
        "subscription-sync", "subscription-sync",
        [("updated", 1), ("created", 1), ("deleted_at_stripe", 1), ("canceled", 1), ("refunded", 1), ("dispute_lost", 1), ("failed", 0)], SeedSweepAsync);

    public static readonly Scenario ByEvents = new(
        "subscription-sync --since-cursor", "subscription-sync",
        [("updated", 1), ("partially_refunded", 1), ("failed", 0)], SeedByEventsAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--since-cursor"],
    };

    private static async Task SeedSweepAsync(JobWorld world)
    {
        var plan = await PriceAsync(world);
        // Renewed at Stripe and not paid; bought there; gone there.
        await FollowingAsync(world, "ada", plan);
        await AtStripeAsync(world, "ada", "past_due");
        await world.UserAsync("bea");
        await AtStripeAsync(world, "bea", "active");
        await FollowingAsync(world, "cyd", plan);
        // Ours alone, and to end with its period.
        var ending = await world.SubscriptionAsync(await world.UserAsync("dan"), plan, Scenario.Now.AddHours(-1));
        await world.ExecuteAsync("UPDATE subscriptions SET cancel_at_period_end = true WHERE id = @ending", new { ending });
        await PaidAsync(world, "eva", plan, 1, refunded: 1000);
        await PaidAsync(world, "fay", plan, 2, dispute: "lost");
    }

    private static async Task SeedByEventsAsync(JobWorld world)
    {
        var plan = await PriceAsync(world);
        await FollowingAsync(world, "ada", plan);
        await AtStripeAsync(world, "ada", "canceled");
        await PaidAsync(world, "eva", plan, 1, refunded: 400);
    }

    private static async Task<long> PriceAsync(JobWorld world)
    {
        await world.Stripe.SeedAsync(new
        {
            prices = new[] { new { id = "price_1", product_data = new { name = "Club" }, unit_amount = 1000, currency = "eur", interval = "month", lookup_key = "monthly" } },
        });
        return await world.PlanAsync();
    }

    private static async Task FollowingAsync(JobWorld world, string name, long plan)
    {
        var id = await world.SubscriptionAsync(await world.UserAsync(name), plan, PeriodEnd.AddMonths(-1));
        await world.ExecuteAsync("UPDATE subscriptions SET provider_subscription_id = 'sub_' || @name WHERE id = @id", new { id, name });
    }

    private static Task AtStripeAsync(JobWorld world, string name, string status) =>
        world.Stripe.SeedAsync(new
        {
            subscriptions = new[]
            {
                new { id = $"sub_{name}", customer = $"cus_{name}", price = "price_1", status, current_period_end = Text(PeriodEnd), created = Text(Recently) },
            },
        });

    /// <summary>A subscription of our own with its last payment, booked as the jobs book it, and what became of the money at Stripe.</summary>
    private static async Task PaidAsync(JobWorld world, string name, long plan, int receipt, long? refunded = null, string? dispute = null)
    {
        var user = await world.UserAsync(name);
        var subscription = await world.SubscriptionAsync(user, plan, PeriodEnd);
        var payment = await world.PaymentAsync(user, subscription, "succeeded", Scenario.Now.AddDays(-5), $"pi_{name}", periodStart: PeriodEnd.AddMonths(-1));
        await world.ExecuteAsync(
            """
            UPDATE payments SET succeeded_at = created_at WHERE id = @payment;
            UPDATE subscriptions SET payment_id = @payment WHERE id = @subscription;
            INSERT INTO receipts (number, payment_id, amount_minor, currency, issued_at) SELECT '2026-00000' || @receipt, id, amount_minor, currency, created_at FROM payments WHERE id = @payment;
            INSERT INTO receipt_counters (series, year, last_number) VALUES ('R', 2026, @receipt) ON CONFLICT (series, year) DO UPDATE SET last_number = excluded.last_number;
            INSERT INTO audit_logs (action, subject_type, subject_id) VALUES ('payment.succeeded', 'payment', @payment);
            """,
            new { payment, subscription, receipt });
        await world.Stripe.SeedAsync(new
        {
            payment_intents = new[]
            {
                new
                {
                    id = $"pi_{name}",
                    amount = 1000,
                    currency = "eur",
                    customer = $"cus_{name}",
                    payment_method = $"pm_{name}",
                    status = "succeeded",
                    created = Text(Scenario.Now.AddDays(-5)),
                    amount_refunded = refunded,
                    dispute,
                    reversed_at = Text(Recently),
                },
            },
        });
    }

    private static string Text(DateTime at) => at.ToString("O", CultureInfo.InvariantCulture);
}
