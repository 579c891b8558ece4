namespace Jobs.Testing.FakeStripe;

/// <summary>What <c>/_fake/config</c> shows and changes.</summary>
internal sealed class FakeConfig
{
    /// <summary>Requests a second; Stripe's sandbox allows 25. 0 turns the limiter off.</summary>
    public double Rate { get; set; } = 25;

    public int LatencyMs { get; set; }

    /// <summary>Writes to one customer are serialised, as at Stripe.</summary>
    public bool LockPerCustomer { get; set; } = true;

    /// <summary>How long a write waits for that lock before 429 lock_timeout.</summary>
    public int LockWaitMs { get; set; } = 500;

    /// <summary>How long a new or changed PaymentIntent is unknown to search.</summary>
    public double SearchLagSeconds { get; set; } = 20;

    /// <summary>Between one and two lags of age, every second search misses the object again.</summary>
    public bool SearchFlaps { get; set; } = true;

    /// <summary>The account's default version: events are rendered in it, whatever the request asks for.</summary>
    public string EventApiVersion { get; set; } = StripeVersions.Newest;

    public bool Live { get; init; }
}
