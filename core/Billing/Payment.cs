namespace Jobs.Billing;

/// <summary>A row of `payments`, as the money rules need it.</summary>
public sealed class Payment
{
    public long Id { get; init; }
    public long UserId { get; init; }
    public long? SubscriptionId { get; init; }
    public long? OrderId { get; init; }
    public long? MembershipId { get; init; }
    public long? PlanId { get; init; }
    public string Purpose { get; init; } = "";
    public long AmountMinor { get; init; }
    public string Currency { get; init; } = "";
    public string Status { get; init; } = "";
    public string? Provider { get; init; }
    public string? ProviderPaymentId { get; init; }
    public string? ProviderPaymentMethodId { get; init; }
    public string? ProviderCustomerId { get; init; }
    public string? IdempotencyKey { get; init; }
    public string? ProviderRequest { get; init; }
    public DateTime? SentAt { get; init; }
    public DateOnly? PeriodStart { get; init; }
    public string? MembershipType { get; init; }
    public bool ReducedPrice { get; init; }
    public long? RecordedBy { get; init; }
    public DateTime CreatedAt { get; init; }

    /// <summary>An off-session charge of ours, as opposed to a payment the customer makes in an application.</summary>
    public bool IsRenewalAttempt => ProviderRequest is not null && SubscriptionId is not null;

    /// <summary>Succeeded, refunded and disputed are final; a success found for any other status is still fulfilled.</summary>
    public bool IsTerminal => PaymentStatus.IsTerminal(Status);

    /// <summary>The columns of this type, for a SELECT or RETURNING.</summary>
    public const string Columns =
        """
        id, user_id, subscription_id, order_id, membership_id, plan_id, purpose, amount_minor, currency, status, provider,
        provider_payment_id, provider_payment_method_id, provider_customer_id, idempotency_key, provider_request, sent_at,
        period_start, membership_type, reduced_price, recorded_by, created_at
        """;

    /// <summary>Rows of payments AS p; a customer that the row does not name is the user's (u).</summary>
    public const string SelectWithCustomer =
        """
        SELECT p.id, p.user_id, p.subscription_id, p.order_id, p.membership_id, p.plan_id, p.purpose, p.amount_minor, p.currency,
               p.status, p.provider, p.provider_payment_id, p.provider_payment_method_id,
               coalesce(p.provider_customer_id, u.provider_customer_id) AS provider_customer_id, p.idempotency_key,
               p.provider_request, p.sent_at, p.period_start, p.membership_type, p.reduced_price, p.recorded_by, p.created_at
        FROM payments AS p
        JOIN users AS u ON u.id = p.user_id
        """;
}

public static class PaymentStatus
{
    public const string Pending = "pending";
    public const string Processing = "processing";
    public const string RequiresAction = "requires_action";
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string Canceled = "canceled";
    public const string Expired = "expired";

    public static bool IsTerminal(string status) => status is Succeeded or "refunded" or "disputed";

    public static bool IsInFlight(string status) => status is Pending or Processing or RequiresAction;
}
