namespace Jobs.Testing.FakeSumUp;

internal sealed record Refund(long Id, long Value, DateTimeOffset At)
{
    public string Status { get; init; } = "SUCCESSFUL";
}

/// <summary>A card that was read. Amounts here are in the checkout's units; what leaves is decimal.</summary>
internal sealed class Transaction(Checkout checkout, DateTimeOffset at, long tip)
{
    private static long _events = 1000;

    public string Id { get; } = Ids.Uuid();
    public string Code { get; } = Ids.TransactionCode();
    public long EventId { get; } = NextEvent();
    public Checkout Checkout => checkout;
    public DateTimeOffset At { get; } = at;
    public DateTimeOffset ChangedAt { get; set; } = at;
    public DateTimeOffset VisibleAt { get; set; }
    public string Status { get; set; } = "PENDING";
    public List<Refund> Refunds { get; } = [];
    public long Tip => tip;
    public long Value => checkout.Value + tip;
    public long Refunded => Refunds.Where(refund => refund.Status != "FAILED").Sum(refund => refund.Value);
    public bool Paid => Status is "SUCCESSFUL" or "REFUNDED";

    public decimal Decimal(long value)
    {
        var amount = new decimal(value);
        for (var i = 0; i < checkout.MinorUnit; i++)
            amount /= 10;
        return amount;
    }

    public static long NextEvent() => Interlocked.Increment(ref _events);
}
