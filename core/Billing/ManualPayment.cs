namespace Jobs.Billing;

/// <summary>A payment that somebody took by hand and wants recorded. All of it is compared when the reference comes again.</summary>
public sealed record ManualPayment
{
    /// <summary>Who paid.</summary>
    public required long UserId { get; init; }

    /// <summary>Above 0.</summary>
    public required long AmountMinor { get; init; }

    /// <summary>ISO 4217, lower case.</summary>
    public required string Currency { get; init; }

    /// <summary><c>cash</c>, <c>check</c> or <c>transfer</c>, which is recorded; or <c>card_terminal</c>, which is queued.</summary>
    public required string Method { get; init; }

    /// <summary><c>membership</c>, <c>order</c>, <c>subscription</c> or <c>other</c>.</summary>
    public required string Purpose { get; init; }

    /// <summary>The user, staff or admin, who takes the money.</summary>
    public required long RecordedBy { get; init; }

    /// <summary>The caller's name for this payment; the same one again is the same payment.</summary>
    public required string Reference { get; init; }

    /// <summary>For a membership: <c>basic</c> or <c>circus</c>.</summary>
    public string? MembershipType { get; init; }

    /// <summary>Whoever records has seen the proof, which is kept nowhere.</summary>
    public bool ReducedPrice { get; init; }

    /// <summary>For an order.</summary>
    public long? OrderId { get; init; }

    /// <summary>For a subscription: the code of its plan.</summary>
    public string? Plan { get; init; }

    /// <exception cref="RefusedException">Something is missing, malformed or does not fit the rest.</exception>
    internal void Check()
    {
        if (AmountMinor <= 0)
        {
            throw Invalid("the amount must be above 0");
        }

        if (!Amount.IsWritten(Currency))
        {
            throw Invalid($"'{Currency}' is not a currency known here (three small letters such as eur)");
        }

        if (Method is not ("cash" or "check" or "transfer" or "card_terminal"))
        {
            throw Invalid($"the method must be cash, check, transfer or card_terminal, not '{Method}'");
        }

        CheckPurpose();
        Billing.Reference.Check(Reference);
    }

    private void CheckPurpose()
    {
        if (Purpose is not ("membership" or "order" or "subscription" or "other"))
        {
            throw Invalid($"the purpose must be membership, order, subscription or other, not '{Purpose}'");
        }

        Fits("membership", "a membership type", MembershipType is not null);
        Fits("order", "an order", OrderId is not null);
        Fits("subscription", "a plan", Plan is not null);
        if (MembershipType is not (null or "basic" or "circus"))
        {
            throw Invalid($"the membership type must be basic or circus, not '{MembershipType}'");
        }

        if (ReducedPrice && MembershipType is null)
        {
            throw Invalid("only memberships have a reduced price");
        }
    }

    private void Fits(string purpose, string what, bool given)
    {
        if (given != (Purpose == purpose))
        {
            throw Invalid(given ? $"{what} does not go with the purpose {Purpose}" : $"the purpose {purpose} needs {what}");
        }
    }

    private static RefusedException Invalid(string sentence) => new(RefusalReason.Invalid, sentence);
}

/// <summary>What became of a <see cref="ManualPayment"/>.</summary>
public sealed class RecordedPayment
{
    /// <summary>Null when it was only foreseen.</summary>
    public long? PaymentId { get; init; }

    /// <inheritdoc cref="PaymentId"/>
    public string? ReceiptNumber { get; init; }

    public long? OrderId { get; init; }
    public long? SubscriptionId { get; init; }

    /// <summary>The first day of the period of the subscription that it paid.</summary>
    public DateOnly? PeriodStart { get; init; }

    public long? MembershipId { get; init; }

    /// <summary>Of the membership.</summary>
    public DateOnly? StartDate { get; init; }

    /// <summary>Of the membership, inclusive.</summary>
    public DateOnly? EndDate { get; init; }

    /// <summary>The payment for the same that waited for a card terminal: canceled, as this one came first.</summary>
    public long? CanceledPaymentId { get; init; }

    /// <summary>Recorded before, under the same reference; nothing changed.</summary>
    public bool Repeated { get; init; }
}

/// <summary>What became of a <see cref="ManualPayment"/> that a card terminal is to take.</summary>
public sealed class QueuedPayment
{
    /// <summary>Null when it was only foreseen.</summary>
    public long? PaymentId { get; init; }

    /// <inheritdoc cref="PaymentId"/>
    public long? QueueId { get; init; }

    /// <summary>In the queue: those before it come first. As stored, or foreseen.</summary>
    public long Position { get; init; }

    /// <summary>How many are before it; null when it is not in the queue any more.</summary>
    public long? Ahead { get; init; }

    /// <summary>Of the payment: pending, until the terminal has taken it or not.</summary>
    public string Status { get; init; } = PaymentStatus.Pending;

    /// <summary>The terminals are out of use for now: it waits until they are back.</summary>
    public bool Fallback { get; init; }

    /// <summary>Once it has succeeded.</summary>
    public string? ReceiptNumber { get; init; }

    public long? OrderId { get; init; }
    public long? SubscriptionId { get; init; }

    /// <summary>The first day of the period of the subscription that it is to pay.</summary>
    public DateOnly? PeriodStart { get; init; }

    /// <summary>Queued before, under the same reference; nothing changed.</summary>
    public bool Repeated { get; init; }
}
