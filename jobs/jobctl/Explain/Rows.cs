namespace Jobs.Explain;

internal sealed class UserRow
{
    public long Id { get; init; }
    public string Email { get; init; } = "";
    public string Name { get; init; } = "";
    public string Role { get; init; } = "";
    public string? ProviderCustomerId { get; init; }
    public string? DefaultPaymentMethodId { get; init; }
    public DateTime CreatedAt { get; init; }
}

internal sealed class SubscriptionRow
{
    public long Id { get; init; }
    public long UserId { get; init; }
    public string Status { get; init; } = "";
    public DateTime? StartedAt { get; init; }
    public DateTime? EndedAt { get; init; }
    public bool AutoRenew { get; init; }
    public bool CancelAtPeriodEnd { get; init; }
    public long? PaymentId { get; init; }
    public string? ProviderSubscriptionId { get; init; }
    public int RetryCount { get; init; }

    /// <summary>The end of time: the retries are spent.</summary>
    public DateTime? NextAttemptAt { get; init; }

    public string? LastDeclineCode { get; init; }
    public DateTime CreatedAt { get; init; }
    public string Plan { get; init; } = "";
    public string PlanName { get; init; } = "";
    public long AmountMinor { get; init; }
    public string Currency { get; init; } = "";
    public bool Recurring { get; init; }

    /// <summary>Of the last succeeded payment.</summary>
    public string? LastMethod { get; init; }
}

internal sealed class PaymentRow
{
    public long Id { get; init; }
    public long UserId { get; init; }
    public long? SubscriptionId { get; init; }
    public long? OrderId { get; init; }
    public long? MembershipId { get; init; }
    public string Purpose { get; init; } = "";
    public long AmountMinor { get; init; }
    public string Currency { get; init; } = "";
    public long AmountRefundedMinor { get; init; }
    public string Status { get; init; } = "";
    public string Method { get; init; } = "";
    public string? Provider { get; init; }
    public string? ProviderPaymentId { get; init; }
    public string? ProviderPaymentMethodId { get; init; }

    /// <summary>An off-session charge of ours, as opposed to a payment that the customer makes in an application.</summary>
    public bool ChargedByUs { get; init; }

    public DateOnly? PeriodStart { get; init; }
    public int Attempt { get; init; }
    public string? FailureCode { get; init; }
    public long? RecordedBy { get; init; }
    public string? Reference { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime? SentAt { get; init; }
    public DateTime? SucceededAt { get; init; }
    public DateTime? NextCheckAt { get; init; }
    public DateTime? ProviderEndedAt { get; init; }
    public string? ProviderDisputeStatus { get; init; }
    public string? Receipt { get; init; }
    public DateTime? IssuedAt { get; init; }

    /// <summary>By match-pending-payments.</summary>
    public bool AskedAbout { get; init; }

    /// <summary>By expire-payments, when it is old enough.</summary>
    public bool MayBeGivenUp { get; init; }
}

internal sealed class OrderRow
{
    public long Id { get; init; }
    public string Status { get; init; } = "";
    public long TotalMinor { get; init; }
    public string Currency { get; init; } = "";
    public string? PaymentIntentId { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime? ExpiresAt { get; init; }

    /// <summary>Paid already, or being paid at a card terminal.</summary>
    public bool Held { get; init; }
}

internal sealed class MembershipRow
{
    public long Id { get; init; }
    public string Type { get; init; } = "";
    public DateOnly StartDate { get; init; }

    /// <summary>Inclusive.</summary>
    public DateOnly EndDate { get; init; }

    public bool ReducedPrice { get; init; }
    public long? PaymentId { get; init; }
    public DateTime? CanceledAt { get; init; }
    public DateTime CreatedAt { get; init; }
    public long? RecordedBy { get; init; }
}

internal sealed class UnmatchedRow
{
    public long Id { get; init; }
    public string? ProviderPaymentId { get; init; }
    public long? PaymentId { get; init; }
    public string Reason { get; init; } = "";
    public string? Data { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime? ReportedAt { get; init; }
    public DateTime? ResolvedAt { get; init; }
    public string? Resolution { get; init; }
}

internal sealed class RefundRow
{
    public long PaymentId { get; init; }
    public string? ProviderRefundId { get; init; }
    public long AmountMinor { get; init; }
    public DateTime RefundedAt { get; init; }
}

internal sealed class QueueRow
{
    public long Id { get; init; }
    public long PaymentId { get; init; }
    public string Status { get; init; } = "";
    public long Position { get; init; }
    public string Reason { get; init; } = "";
    public int Attempts { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime? StartedAt { get; init; }
    public DateTime? FinishedAt { get; init; }
    public DateTime? ReportedAt { get; init; }
    public string? Reader { get; init; }
}

internal sealed class AttemptRow
{
    public long PaymentId { get; init; }
    public string ClientReference { get; init; } = "";
    public string? Outcome { get; init; }
    public string Reason { get; init; } = "";
    public string? ProviderTransactionId { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime? SentAt { get; init; }
    public DateTime? SettledAt { get; init; }
    public DateTime? WatchUntil { get; init; }
    public DateTime? NextCheckAt { get; init; }
    public Guid? RunId { get; init; }
    public string? Reader { get; init; }
}

internal sealed class StockRow
{
    public long OrderId { get; init; }
    public long ProductId { get; init; }
    public string? Product { get; init; }
    public long Quantity { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime? ReleasedAt { get; init; }
}

internal sealed class MailRow
{
    public long Id { get; init; }
    public string Kind { get; init; } = "";
    public long? UserId { get; init; }
    public string ToAddress { get; init; } = "";
    public string Status { get; init; } = "";
    public int Attempts { get; init; }
    public DateTime CreatedAt { get; init; }
    public DateTime? NextAttemptAt { get; init; }
    public DateTime? SentAt { get; init; }
    public DateTime? HandedOverAt { get; init; }
    public string? LastError { get; init; }
    public Guid? ClaimedBy { get; init; }
}

internal sealed class BlockedRow
{
    public string Method { get; init; } = "";
    public string Reason { get; init; } = "";
    public DateTime CreatedAt { get; init; }
}
