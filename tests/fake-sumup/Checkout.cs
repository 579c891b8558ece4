namespace Jobs.Testing.FakeSumUp;

/// <summary>A payment asked of a device, and how it goes there.</summary>
internal sealed class Checkout(Merchant merchant, Reader reader, Script script, long value, int minorUnit, string currency)
{
    private readonly DateTimeOffset _createdAt = merchant.Now;
    private bool _over;
    private bool _cardRead;

    public string CheckoutId { get; } = Ids.Uuid();
    public string ClientTransactionId { get; } = Ids.Uuid();
    public string? ForeignTransactionId { get; init; }
    public string? Description { get; init; }
    public Reader Reader => reader;
    public long Value => value;
    public int MinorUnit => minorUnit;
    public string Currency => currency;
    public DateTimeOffset CreatedAt => _createdAt;
    public DateTimeOffset UpdatedAt { get; private set; } = merchant.Now;
    public DateTimeOffset ValidUntil => _createdAt + Ms(merchant.Config.ValidMs);
    public bool Started { get; private set; }

    /// <summary>As SumUp has heard it.</summary>
    public string Status { get; private set; } = "pending";

    public string? FailureReason { get; private set; }

    private Device Device => reader.Device;

    public void Accept()
    {
        var config = merchant.Config;
        Device.Busy = this;
        var starts = script.Outcome != "never_starts" && script.StartAfterMs < config.StartWindowMs;
        if (starts)
            merchant.In(Ms(script.StartAfterMs), Start);
        else
            merchant.In(Ms(config.StartWindowMs), Free);
        merchant.In(Ms(config.ValidMs), () => Hear("cancelled", "expired"));
    }

    /// <summary>Somebody's terminate reached the device. Before the screen and after the card it does nothing.</summary>
    public void Terminate()
    {
        if (!Started || _over || _cardRead)
            return;
        End();
        Hear("cancelled", "terminated");
    }

    private void Start()
    {
        if (!Device.Online)
        {
            merchant.In(Ms(Math.Max(0, merchant.Config.StartWindowMs - script.StartAfterMs)), Free);
            return;
        }

        Started = true;
        Device.LastActivity = merchant.Now;
        Device.State = "WAITING_FOR_CARD";
        if (script.OfflineAfterMs is { } offline)
            merchant.In(Ms(offline), () => Device.Online = false);
        switch (script.Outcome)
        {
            case "approve":
                ReadCard("SUCCESSFUL", "successful");
                break;
            case "decline" or "cancel_key":
                ReadCard("FAILED", "failed");
                break;
            case "customer_timeout":
                merchant.In(Ms(merchant.Config.CardWaitMs), () =>
                {
                    if (_over)
                        return;
                    End();
                    Hear("cancelled", "timeout");
                });
                break;
        }
    }

    private void ReadCard(string status, string checkoutStatus)
    {
        var processing = Math.Min(script.ProcessingMs, script.AfterMs);
        merchant.In(Ms(script.AfterMs - processing), () =>
        {
            if (_over)
                return;
            _cardRead = true;
            Device.State = "IDLE";
            var late = script.ResultAfterMs + script.VisibleAfterMs;
            var transaction = new Transaction(this, merchant.Now, script.Tip) { VisibleAt = merchant.Now + Ms(late == 0 ? 0 : processing + late) };
            merchant.Transactions.Add(transaction);
            merchant.In(Ms(processing), () =>
            {
                transaction.Status = status;
                transaction.ChangedAt = merchant.Now;
                End();
                merchant.In(Ms(script.ResultAfterMs), () =>
                {
                    if (script.OfflineAfterMs is not null)
                        Device.Online = true;
                    Hear(checkoutStatus, script.Outcome);
                });
            });
        });
    }

    private void End()
    {
        _over = true;
        Free();
    }

    private void Free()
    {
        if (Device.Busy != this)
            return;
        Device.Busy = null;
        Device.State = "IDLE";
        Device.LastActivity = merchant.Now;
    }

    private void Hear(string status, string reason)
    {
        if (Status == "successful" || (Status != "pending" && status != "successful"))
            return;
        (Status, UpdatedAt) = (status, merchant.Now);
        FailureReason = status == "successful" ? null : reason;
    }

    private static TimeSpan Ms(int ms) => TimeSpan.FromMilliseconds(ms);
}
