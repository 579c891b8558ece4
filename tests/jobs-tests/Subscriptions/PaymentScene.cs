using System.Text.Json;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Subscriptions;

/// <summary>Payments as an application and its customers leave them, for the jobs that match and expire them.</summary>
internal static class PaymentScene
{
    /// <summary>A PaymentIntent at Stripe, with its charge and events dated as told.</summary>
    public static Task IntentAsync(
        this JobWorld world, string id, string status = "succeeded", string? customer = "cus_ada", object? metadata = null,
        long amount = 1000, string currency = "eur", DateTime? created = null, DateTime? succeededAt = null, string? method = "pm_ada") =>
        world.Stripe.SeedAsync(new
        {
            payment_intents = new[]
            {
                new
                {
                    id,
                    amount,
                    currency,
                    customer,
                    payment_method = status == "requires_payment_method" ? null : method,
                    status,
                    metadata = metadata ?? new { },
                    created = Seconds(created ?? DateTime.UtcNow.AddMinutes(-5)),
                    succeeded_at = Seconds(succeededAt ?? created ?? DateTime.UtcNow.AddMinutes(-5)),
                },
            },
        });

    private static long Seconds(DateTime at) => new DateTimeOffset(at).ToUnixTimeSeconds();

    /// <summary>An attempt of autopayment as it stands after its answer was lost.</summary>
    public static async Task<long> LostAttemptAsync(this JobWorld world, long subscription, TimeSpan sentAgo) =>
        await world.ScalarAsync<long>(
            """
            INSERT INTO payments (user_id, subscription_id, plan_id, purpose, amount_minor, provider, provider_customer_id,
                                  provider_payment_method_id, idempotency_key, provider_request, period_start, created_at, sent_at)
            SELECT s.user_id, s.id, s.plan_id, 'subscription', 1000, 'stripe', u.provider_customer_id,
                   u.default_payment_method_id, 'key-' || s.id, 'amount=1000', s.ended_at::date, clock_timestamp() - @sentAgo, clock_timestamp() - @sentAgo
            FROM subscriptions AS s JOIN users AS u ON u.id = s.user_id WHERE s.id = @subscription RETURNING id
            """,
            new { subscription, sentAgo });

    /// <summary>An order of two pieces of a product (5 on hand), reserved while it is pending.</summary>
    public static async Task<(long Order, long Product)> OrderAsync(this JobWorld world, long userId, string status = "pending_payment", bool reserved = true, long onHand = 5)
    {
        var product = await world.ScalarAsync<long>(
            "INSERT INTO products (sku, stock_on_hand, stock_reserved) VALUES (gen_random_uuid()::text, @onHand, @held) RETURNING id",
            new { onHand, held = reserved ? 2 : 0 });
        var order = await world.ScalarAsync<long>(
            """
            WITH ordered AS (INSERT INTO orders (user_id, status, total_minor) VALUES (@userId, @status, 1000) RETURNING id),
                 items AS (INSERT INTO order_items (order_id, product_id, quantity, unit_amount_minor) SELECT id, @product, 2, 500 FROM ordered)
            INSERT INTO stock_reservations (order_id, product_id, quantity, released_at)
            SELECT id, @product, 2, CASE WHEN @reserved THEN NULL ELSE now() END FROM ordered RETURNING order_id
            """,
            new { userId, status, product, reserved });
        return (order, product);
    }

    public static async Task<(long OnHand, long Reserved)> StockAsync(this JobWorld world, long product)
    {
        var row = await world.RowAsync("products", product);
        return ((long)row.stock_on_hand, (long)row.stock_reserved);
    }

    public static Task<JobResult> MatchPendingAsync(this JobWorld world, params string[] args) => world.RunAsync("match-pending-payments", args);

    public static Task<JobResult> MatchSuccessfulAsync(this JobWorld world, params string[] args) => world.RunAsync("match-successful-payments", args);

    public static async Task<string> IntentStatusAsync(this JobWorld world, string id) =>
        (await world.Stripe.DumpAsync()).Single(i => i.GetProperty("id").GetString() == id).GetProperty("status").GetString()!;

    public static JsonElement Items(this JobResult run) => run.Json.GetProperty("items");
}
