namespace Jobs.SumUp;

/// <summary>One pairing of a device with the account, not the device: paired again it has another id and the same <see cref="Serial"/>.</summary>
public sealed class Reader
{
    /// <summary><c>rdr_...</c></summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>unknown, processing, paired, expired; an open list. Says nothing about being online.</summary>
    public required string Status { get; init; }

    /// <summary>The device's own number.</summary>
    public string? Serial { get; init; }

    /// <summary>solo, virtual-solo; an open list.</summary>
    public string? Model { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }

    public DateTimeOffset? UpdatedAt { get; init; }

    public bool IsPaired => Status == "paired";
}

/// <summary>The last that SumUp heard of a device; all but <see cref="Status"/> may be unknown.</summary>
public sealed class ReaderStatus
{
    /// <summary>ONLINE, OFFLINE; an open list.</summary>
    public required string Status { get; init; }

    /// <summary>IDLE, SELECTING_TIP, WAITING_FOR_CARD, WAITING_FOR_PIN...; stays as it was when the device goes offline. IDLE does not prove that no payment is being processed.</summary>
    public string? State { get; init; }

    public DateTimeOffset? LastActivity { get; init; }

    public string? FirmwareVersion { get; init; }

    public string? ConnectionType { get; init; }

    /// <summary>0 to 100.</summary>
    public decimal? BatteryLevel { get; init; }

    public bool IsOnline => Status == "ONLINE";

    public bool IsIdle => State == "IDLE";
}
