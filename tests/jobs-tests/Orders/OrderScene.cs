using System.Globalization;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;

namespace Jobs.Tests.Orders;

/// <summary>Orders as a shop leaves them, and what belongs to them at Stripe.</summary>
internal static class OrderScene
{
    public static readonly DateTime Now = BillingScene.Morning;
    public static readonly DateTime Overdue = Now.AddHours(-2);

    public static Task<JobResult> ExpireOrdersAsync(this JobWorld world, params string[] args) =>
        world.RunAsync("expire-stale-orders", ["--as-of", BillingScene.AsOf(Now), .. args]);

    public static Task<JobResult> CleanupAsync(this JobWorld world, params string[] args) =>
        world.RunAsync("cleanup-stale-payment-intents", ["--as-of", BillingScene.AsOf(Now), .. args]);

    /// <summary>An order of two pieces (5 on hand), reserved, past its time, on that PaymentIntent.</summary>
    public static async Task<(long Order, long Product)> StaleOrderAsync(
        this JobWorld world, long user, string? intent = null, DateTime? expiresAt = null, string status = "pending_payment")
    {
        var (order, product) = await world.OrderAsync(user, status);
        await world.ExecuteAsync(
            "UPDATE orders SET payment_intent_id = @intent, expires_at = @expiresAt, created_at = @createdAt WHERE id = @order",
            new { order, intent, expiresAt = expiresAt ?? Overdue, createdAt = Now.AddHours(-26) });
        return (order, product);
    }

    /// <summary>A card payment of the order, as the shop wrote it.</summary>
    public static Task<long> OrderPaymentAsync(this JobWorld world, long user, long order, string? intent, string status = "pending") =>
        world.PaymentAsync(user, intent, Now.AddHours(-26), "order_id, purpose, status", $"{order.ToString(CultureInfo.InvariantCulture)}, 'order', '{status}'");

    public static object ForOrder(long user, long order) =>
        new { user_id = BillingScene.Text(user), purpose = "order", order_id = BillingScene.Text(order) };

    public static Task OpenIntentAsync(this JobWorld world, string id, object? metadata = null, DateTime? created = null, string status = "requires_payment_method") =>
        world.IntentAsync(id, status, metadata: metadata, created: created ?? Now.AddHours(-26));

    public static Task SessionAsync(this JobWorld world, string id, string? intent = null, string status = "open") =>
        world.Stripe.SeedAsync(new { checkout_sessions = new[] { new { id, payment_intent = intent, status, customer = "cus_ada" } } });

    /// <summary>The promise of the stock counter: it is the sum of the open reservations.</summary>
    public static async Task CounterIsTrueAsync(this JobWorld world) => Assert.Empty(await world.QueryAsync(
        """
        SELECT p.id FROM products AS p
        WHERE p.stock_reserved <> (SELECT coalesce(sum(r.quantity), 0) FROM stock_reservations AS r WHERE r.product_id = p.id AND r.released_at IS NULL)
        """));
}
