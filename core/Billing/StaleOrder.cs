namespace Jobs.Billing;

/// <summary>An unpaid order past its time, with everything at the provider that could still pay it.</summary>
public sealed class StaleOrder
{
    public long Id { get; init; }
    public string Status { get; init; } = "";
    public DateTime CreatedAt { get; init; }
    public DateTime ExpiresAt { get; init; }
    public string? ProviderCustomerId { get; init; }

    /// <summary>PaymentIntents, or Checkout Sessions, that the order or any payment of it names, whatever became of that payment.</summary>
    public string[] IntentIds { get; init; } = [];

    /// <summary>Payments under way whose PaymentIntent is not known here.</summary>
    public long[] UnnamedPaymentIds { get; init; } = [];

    /// <summary>Being paid at a card terminal, or paid already: not this order's time to expire.</summary>
    public bool Held { get; init; }

    /// <summary>Of orders AS o.</summary>
    public const string IsHeld =
        """
        EXISTS (
            SELECT FROM payments AS p
            WHERE p.order_id = o.id
              AND (p.status IN ('succeeded', 'disputed')
                   OR EXISTS (SELECT FROM payment_queue AS q WHERE q.payment_id = p.id AND q.status IN ('waiting', 'processing', 'unknown'))))
        """;

    /// <summary>Of orders AS o: unpaid past its time. Needs @Now.</summary>
    public const string IsPastItsTime = "o.status IN ('pending_payment', 'expiring') AND o.expires_at < @Now";

    /// <summary>Rows of orders AS o.</summary>
    public const string Select =
        $"""
        SELECT o.id, o.status, o.created_at, o.expires_at, u.provider_customer_id,
               ARRAY(
                   SELECT o.payment_intent_id WHERE o.payment_intent_id IS NOT NULL
                   UNION
                   SELECT p.provider_payment_id FROM payments AS p
                   WHERE p.order_id = o.id AND p.provider_payment_id IS NOT NULL AND p.provider IS DISTINCT FROM 'sumup') AS intent_ids,
               ARRAY(
                   SELECT p.id FROM payments AS p
                   WHERE p.order_id = o.id AND p.provider_payment_id IS NULL AND p.method = 'card' AND p.provider IS DISTINCT FROM 'sumup'
                     AND p.status IN ('pending', 'processing', 'requires_action')) AS unnamed_payment_ids,
               {IsHeld} AS held
        FROM orders AS o
        JOIN users AS u ON u.id = o.user_id
        """;
}
