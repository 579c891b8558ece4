using Jobs.Tests.Orders;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

internal static class OrderScenarios
{
    public static readonly Scenario Stale = new(
        "expire-stale-orders", "expire-stale-orders",
        [("orders_expired", 2), ("payment_intents_canceled", 3), ("stock_released", 4), ("paid_in_race", 1), ("left", 1), ("failed", 0)], SeedStaleAsync);

    public static readonly Scenario Abandoned = new(
        "cleanup-stale-payment-intents", "cleanup-stale-payment-intents",
        [("payment_intents_canceled", 2), ("payments_canceled", 2), ("left", 1), ("failed", 0)], SeedAbandonedAsync);

    /// <summary>Two PaymentIntents; a Checkout Session; paid in the race; processing, in the hands of a killed run.</summary>
    private static async Task SeedStaleAsync(JobWorld world)
    {
        var user = await world.UserAsync("ada");
        var (two, _) = await world.StaleOrderAsync(user, "pi_first");
        await world.OrderPaymentAsync(user, two, "pi_second");
        await world.OpenIntentAsync("pi_first");
        await world.OpenIntentAsync("pi_second");

        await world.StaleOrderAsync(user, "pi_page");
        await world.OpenIntentAsync("pi_page");
        await world.SessionAsync("cs_1", "pi_page");

        var (paid, _) = await world.StaleOrderAsync(user, "pi_paid");
        await world.IntentAsync("pi_paid", "ada", "succeeded", OrderScene.Overdue, OrderScene.ForOrder(user, paid));

        await world.StaleOrderAsync(user, "pi_busy", status: "expiring");
        await world.OpenIntentAsync("pi_busy", status: "processing");
    }

    private static async Task SeedAbandonedAsync(JobWorld world)
    {
        var old = Scenario.Now.AddDays(-8);
        var user = await world.UserAsync("ada");
        foreach (var (intent, status) in new[] { ("pi_open", "pending"), ("pi_declined", "failed"), ("pi_canceled", "pending") })
        {
            var (order, _) = await world.StaleOrderAsync(user, status: "canceled");
            await world.OrderPaymentAsync(user, order, intent, status);
            await world.OpenIntentAsync(intent, created: old, status: intent == "pi_canceled" ? "canceled" : "requires_payment_method");
        }

        await world.ExecuteAsync("UPDATE payments SET created_at = @old", new { old });
        await world.StaleOrderAsync(user, "pi_in_time", Scenario.Now);
        await world.OpenIntentAsync("pi_in_time", created: old);
    }
}
