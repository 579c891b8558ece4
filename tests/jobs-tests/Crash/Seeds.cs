using System.Globalization;
using System.Net.Http.Headers;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>Rows and PaymentIntents as an earlier run, an application or the customer left them.</summary>
internal static class Seeds
{
    /// <summary>Makes the payment a renewal attempt of ours: key and request frozen on the row, sent when told.</summary>
    /// <returns>The key and the request.</returns>
    public static async Task<(string Key, string Request)> AsAttemptAsync(this JobWorld world, long paymentId, string sentAgo)
    {
        var row = (await world.QueryAsync("SELECT user_id, subscription_id, period_start::text AS period_start, provider_customer_id, provider_payment_method_id FROM payments WHERE id = @paymentId", new { paymentId }))[0];
        var key = $"seeded-{paymentId}";
        (string Name, string Value)[] fields =
        [
            ("amount", "1000"), ("currency", "eur"), ("customer", (string)row.provider_customer_id),
            ("payment_method", (string)row.provider_payment_method_id), ("confirm", "true"), ("off_session", "true"),
            ("automatic_payment_methods[enabled]", "true"), ("automatic_payment_methods[allow_redirects]", "never"),
            ("metadata[payment_id]", Text(paymentId)), ("metadata[user_id]", Text((long)row.user_id)), ("metadata[purpose]", "subscription"),
            ("metadata[subscription_id]", Text((long)row.subscription_id)), ("metadata[plan]", "monthly"),
            ("metadata[period_start]", (string)row.period_start), ("metadata[attempt_key]", key),
        ];
        var request = string.Join('&', fields.Select(field => $"{Uri.EscapeDataString(field.Name)}={Uri.EscapeDataString(field.Value)}"));
        await world.ExecuteAsync(
            "UPDATE payments SET idempotency_key = @key, provider_request = @request, sent_at = clock_timestamp() - @sentAgo::interval WHERE id = @paymentId",
            new { paymentId, key, request, sentAgo });
        return (key, request);
    }

    /// <summary>Sends an attempt to Stripe as the killed run did; nobody here reads the answer.</summary>
    public static async Task SendAsync(this JobWorld world, (string Key, string Request) attempt)
    {
        using var client = world.Stripe.Client();
        using var message = new HttpRequestMessage(HttpMethod.Post, "v1/payment_intents")
        {
            Content = new StringContent(attempt.Request, MediaTypeHeaderValue.Parse("application/x-www-form-urlencoded")),
        };
        message.Headers.Add("Idempotency-Key", attempt.Key);
        using var answer = await client.SendAsync(message);
        // Paid or declined, but carried out.
        Assert.Contains((int)answer.StatusCode, new[] { 200, 402 });
    }

    /// <summary>A PaymentIntent of 10.00 EUR on the customer of <paramref name="user"/>, as the fake takes it.</summary>
    public static Task IntentAsync(
        this JobWorld world, string id, string user, string status, DateTime? created = null, object? metadata = null, string? decline = null,
        DateTime? succeededAt = null, long amount = 1000) =>
        world.Stripe.SeedAsync(new
        {
            payment_intents = new[]
            {
                new
                {
                    id,
                    amount,
                    currency = "eur",
                    customer = $"cus_{user}",
                    payment_method = $"pm_{user}",
                    status,
                    decline,
                    created = created?.ToString("O", CultureInfo.InvariantCulture),
                    succeeded_at = succeededAt?.ToString("O", CultureInfo.InvariantCulture),
                    metadata = metadata ?? new { },
                },
            },
        });

    /// <summary>Receipt and audit of a success, as the jobs write them.</summary>
    public static Task BookAsync(this JobWorld world, long payment, int year, int receipt) => world.ExecuteAsync(
        """
        UPDATE payments SET succeeded_at = created_at WHERE id = @payment;
        INSERT INTO receipts (number, payment_id, amount_minor, currency, issued_at)
        SELECT @year || '-' || lpad(@receipt::text, 6, '0'), id, amount_minor, currency, created_at FROM payments WHERE id = @payment;
        INSERT INTO receipt_counters (series, year, last_number) VALUES ('R', @year, @receipt) ON CONFLICT (series, year) DO UPDATE SET last_number = excluded.last_number;
        INSERT INTO audit_logs (action, subject_type, subject_id) VALUES ('payment.succeeded', 'payment', @payment);
        """,
        new { payment, year, receipt });

    /// <summary>A subscription's last payment, booked as the jobs book it, and what became of the money at Stripe.</summary>
    public static async Task LastPaidAsync(
        this JobWorld world, string name, long user, long subscription, DateTime at, DateTime periodStart, (int Year, int Number) receipt, DateTime reversedAt,
        long? refunded, string? dispute)
    {
        var payment = await world.PaymentAsync(user, subscription, "succeeded", at, $"pi_{name}", periodStart: periodStart);
        await world.BookAsync(payment, receipt.Year, receipt.Number);
        await world.ExecuteAsync("UPDATE subscriptions SET payment_id = @payment WHERE id = @subscription", new { payment, subscription });
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
                    created = at.ToString("O", CultureInfo.InvariantCulture),
                    amount_refunded = refunded,
                    dispute,
                    reversed_at = reversedAt.ToString("O", CultureInfo.InvariantCulture),
                },
            },
        });
    }

    private static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);
}
