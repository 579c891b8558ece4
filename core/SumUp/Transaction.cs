namespace Jobs.SumUp;

/// <summary>By which of its ids a transaction is asked for.</summary>
public readonly record struct TransactionKey
{
    private TransactionKey(string name, string value)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(value);
        (Name, Value) = (name, value);
    }

    internal string Name { get; }

    internal string Value { get; }

    /// <summary>Our own id, sent with the checkout.</summary>
    public static TransactionKey Foreign(string id) => new("foreign_transaction_id", id);

    /// <summary>SumUp's id, from the answer to the checkout.</summary>
    public static TransactionKey Client(string id) => new("client_transaction_id", id);

    public static TransactionKey Id(string id) => new("id", id);

    /// <summary>What the receipt shows.</summary>
    public static TransactionKey Code(string code) => new("transaction_code", code);

    public override string ToString() => $"{Name} {Value}";
}

/// <summary>One payment, as SumUp knows it now.</summary>
public sealed class Transaction
{
    /// <summary>What a refund names.</summary>
    public required string Id { get; init; }

    /// <summary>What the receipt shows.</summary>
    public string? TransactionCode { get; init; }

    /// <summary>Minor units, tip included.</summary>
    public required long AmountMinor { get; init; }

    public long TipMinor { get; init; }

    /// <summary>Lower case.</summary>
    public required string Currency { get; init; }

    /// <summary>PENDING, SUCCESSFUL, CANCELLED, FAILED, REFUNDED (in full or in part); an open list.</summary>
    public required string Status { get; init; }

    public string? SimpleStatus { get; init; }

    public string? ClientTransactionId { get; init; }

    public string? ForeignTransactionId { get; init; }

    public DateTimeOffset? Timestamp { get; init; }

    public string? PaymentType { get; init; }

    public string? EntryMode { get; init; }

    public string? CardLast4 { get; init; }

    /// <summary>Given back or under way, failed refunds left out. Null: the answer does not tell, which is not zero.</summary>
    public long? RefundedMinor { get; init; }

    /// <summary>Money moved, even if it went back since.</summary>
    public bool IsPaid => Status is "SUCCESSFUL" or "REFUNDED";

    public bool IsNotPaid => Status is "FAILED" or "CANCELLED";
}
