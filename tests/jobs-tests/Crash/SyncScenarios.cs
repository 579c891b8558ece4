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
        await world.LastPaidAsync(name, user, subscription, Scenario.Now.AddDays(-5), PeriodEnd.AddMonths(-1), (2026, receipt), Recently, refunded, dispute);
    }

    private static string Text(DateTime at) => at.ToString("O", CultureInfo.InvariantCulture);
}
