namespace Jobs.Testing.FakeSumUp;

/// <summary>What the person at the device does with one checkout.</summary>
internal sealed record Script
{
    /// <summary>approve, decline, cancel_key, customer_timeout, never_starts, none (it waits until somebody ends it).</summary>
    public string Outcome { get; init; } = "approve";

    /// <summary>From acceptance to the screen; beyond the start window it never starts.</summary>
    public int StartAfterMs { get; init; } = 200;

    /// <summary>From the screen to the result.</summary>
    public int AfterMs { get; init; } = 300;

    /// <summary>The last part of it, when the card was read: too late for a terminate, the transaction PENDING.</summary>
    public int ProcessingMs { get; init; }

    /// <summary>In the checkout's units, on top.</summary>
    public long Tip { get; init; }

    /// <summary>After its start the device goes offline. A result is known here when it is back.</summary>
    public int? OfflineAfterMs { get; init; }

    /// <summary>From the device's result until SumUp has heard of it; the device is back then.</summary>
    public int ResultAfterMs { get; init; }

    /// <summary>From then until the transaction can be looked up and listed.</summary>
    public int VisibleAfterMs { get; init; }
}

/// <summary>A Solo: it stays what it is however often it is paired.</summary>
internal sealed class Device(string serial, string model)
{
    public string Serial => serial;
    public string Model => model;
    public bool Online { get; set; } = true;
    public string State { get; set; } = "IDLE";
    public DateTimeOffset LastActivity { get; set; }

    /// <summary>From acceptance until the screen is free again.</summary>
    public Checkout? Busy { get; set; }

    public Queue<Script> Scripts { get; } = new();
}

internal sealed class PairingCode(string code, Device device, DateTimeOffset expiresAt, int? confirmAfterMs)
{
    public string Code => code;
    public Device Device => device;
    public DateTimeOffset ExpiresAt => expiresAt;

    /// <summary>Null: the device never confirms.</summary>
    public int? ConfirmAfterMs => confirmAfterMs;

    public bool Used { get; set; }
}

/// <summary>One pairing.</summary>
internal sealed class Reader(string name, Device device, DateTimeOffset createdAt)
{
    public string Id { get; } = Ids.Reader();
    public string Name => name;
    public Device Device => device;
    public string Status { get; set; } = "processing";
    public DateTimeOffset CreatedAt { get; } = createdAt;
    public DateTimeOffset UpdatedAt { get; set; } = createdAt;
}
