using System.Text.Json;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Sync;

/// <summary>Stripe Billing's subscriptions and booked payments, for the job that follows Stripe.</summary>
internal static class SyncScene
{
    public static readonly DateTime PeriodEnd = Utc(2026, 12, 15, 9);

    public static Task<JobResult> SyncAsync(this JobWorld world, params string[] args) => world.RunAsync("subscription-sync", args);

    public static Task<JobResult> SyncSinceAsync(this JobWorld world, params string[] args) => world.RunAsync("subscription-sync", ["--since-cursor", .. args]);

    /// <summary>A price with the lookup key `monthly`, which is a plan here.</summary>
    public static async Task PriceAsync(this JobWorld world, string id = "price_1", string? lookupKey = "monthly")
    {
        await world.PlanAsync();
        await world.Stripe.SeedAsync(new
        {
            prices = new[] { new { id, product_data = new { name = "Club" }, unit_amount = 1000, currency = "eur", interval = "month", lookup_key = lookupKey } },
        });
    }

    /// <summary>A subscription at Stripe, or its next state.</summary>
    public static Task AtStripeAsync(
        this JobWorld world, string id, string status = "active", string customer = "cus_ada", DateTime? periodEnd = null, bool cancelAtPeriodEnd = false,
        string price = "price_1", object? metadata = null, DateTime? created = null) =>
        world.Stripe.SeedAsync(new
        {
            subscriptions = new[]
            {
                new
                {
                    id,
                    customer,
                    price,
                    status,
                    cancel_at_period_end = cancelAtPeriodEnd,
                    current_period_start = Seconds((periodEnd ?? PeriodEnd).AddMonths(-1)),
                    current_period_end = Seconds(periodEnd ?? PeriodEnd),
                    created = Seconds(created ?? Utc(2026, 1, 15, 9)),
                    metadata,
                },
            },
        });

    /// <summary>The row here that follows it.</summary>
    public static async Task<long> FollowingAsync(this JobWorld world, long userId, string providerId, string status = "active", DateTime? endedAt = null)
    {
        var id = await world.SubscriptionAsync(userId, await world.PlanAsync(), endedAt ?? PeriodEnd, status);
        await world.ExecuteAsync("UPDATE subscriptions SET provider_subscription_id = @providerId WHERE id = @id", new { id, providerId });
        return id;
    }

    /// <summary>A succeeded payment of 10.00 EUR here and at Stripe, for a subscription if one is given.</summary>
    public static async Task<long> PaidAsync(
        this JobWorld world, long userId, string intent, long? subscription = null, DateTime? periodStart = null, string columns = "", string values = "")
    {
        await world.IntentAsync(intent, created: periodStart ?? DateTime.UtcNow.AddDays(-3));
        var id = await world.ScalarAsync<long>(
            $"""
            INSERT INTO payments (user_id, subscription_id, purpose, amount_minor, status, provider, provider_payment_id, provider_customer_id,
                                  period_start, created_at, succeeded_at{(columns.Length > 0 ? ", " + columns : "")})
            VALUES (@userId, @subscription, @purpose, 1000, 'succeeded', 'stripe', @intent, 'cus_ada', (@periodStart::timestamptz AT TIME ZONE 'Europe/Paris')::date, @at, @at{(values.Length > 0 ? ", " + values : "")})
            RETURNING id
            """,
            new { userId, subscription, purpose = subscription is null ? "other" : "subscription", intent, periodStart, at = periodStart ?? DateTime.UtcNow.AddDays(-3) });
        await world.ExecuteAsync("UPDATE subscriptions SET payment_id = @id WHERE id = @subscription", new { id, subscription });
        return id;
    }

    /// <summary>A subscription of our own, paid for a month from three days ago.</summary>
    public static async Task<(long Subscription, long Payment)> PaidSubscriptionAsync(this JobWorld world, long userId, string intent = "pi_1")
    {
        var subscription = await world.SubscriptionAsync(userId, await world.PlanAsync(), DateTime.UtcNow.AddDays(27));
        return (subscription, await world.PaidAsync(userId, intent, subscription, DateTime.UtcNow.AddDays(-3)));
    }

    /// <summary>Somebody gives money back in the dashboard; without an amount, all that is left.</summary>
    /// <returns>The refund's id.</returns>
    public static async Task<string> RefundAsync(this JobWorld world, string intent, long? amount = null, string status = "succeeded") =>
        (await world.Stripe.ActAsync(intent, "refund", new { amount, status })).GetProperty("id").GetString()!;

    /// <summary>Opens the dispute of a payment, or moves it on.</summary>
    public static Task DisputeAsync(this JobWorld world, string intent, string status) => world.Stripe.ActAsync(intent, "dispute", new { status });

    public static async Task<(string Status, long Refunded, string? Dispute)> MoneyAsync(this JobWorld world, long payment)
    {
        var row = await world.RowAsync("payments", payment);
        return ((string)row.status, (long)row.amount_refunded_minor, (string?)row.provider_dispute_status);
    }

    public static async Task<string> RefundsAsync(this JobWorld world, long payment) =>
        await world.ScalarAsync<string?>("SELECT string_agg(amount_minor::text, ',' ORDER BY id) FROM payment_refunds WHERE payment_id = @payment", new { payment }) ?? "";

    public static JsonElement Item(this JobResult run, string id) => run.Items().EnumerateArray().Single(item => item.GetProperty("id").ToString() == id);

    public static string Outcome(this JsonElement item) => item.GetProperty("outcome").GetString()!;

    private static long Seconds(DateTime at) => new DateTimeOffset(at).ToUnixTimeSeconds();
}
