namespace Jobs.SumUp;

/// <summary>A payment that a reader is asked to take.</summary>
public sealed record ReaderCheckoutOptions
{
    /// <summary>In the minor units that tables use, above 0. A currency that SumUp takes without decimals must come out whole.</summary>
    public required long AmountMinor { get; init; }

    /// <summary>Lower case.</summary>
    public required string Currency { get; init; }

    /// <summary>Ours, fresh for every attempt: the one id by which a payment is found when the answer is lost.</summary>
    public required string ForeignTransactionId { get; init; }

    /// <summary>Shown in the merchant's list of sales.</summary>
    public string? Description { get; init; }

    /// <summary>Asked at the last moment, when the connection asks for the body, which may be long after the call began. False: nothing is sent.</summary>
    public Func<bool>? MayStillBeSent { get; init; }
}

/// <summary>Accepted, which does not mean shown, let alone paid.</summary>
public sealed class ReaderCheckout
{
    /// <summary>SumUp's own id for the payment to come.</summary>
    public required string ClientTransactionId { get; init; }

    public string? CheckoutId { get; init; }
}

/// <summary>What SumUp knows of a checkout. It names no transaction.</summary>
public sealed class ReaderCheckoutState
{
    public string? CheckoutId { get; init; }

    public string? ClientTransactionId { get; init; }

    /// <summary>pending, successful, failed, cancelled; an open list.</summary>
    public required string Status { get; init; }

    public string? PaymentStatus { get; init; }

    public string? PaymentFailureReason { get; init; }

    /// <summary>Without tip; null when it cannot be read.</summary>
    public long? AmountMinor { get; init; }

    /// <summary>Lower case.</summary>
    public string? Currency { get; init; }

    public string? ReaderSerial { get; init; }

    /// <summary>Afterwards SumUp cancels it.</summary>
    public DateTimeOffset? ValidUntil { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }

    public DateTimeOffset? UpdatedAt { get; init; }

    public bool IsPending => Status == "pending";

    public bool IsSuccessful => Status == "successful";

    public bool IsNotPaid => Status is "failed" or "cancelled";
}
