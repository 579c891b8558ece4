using System.Collections.Concurrent;

namespace Jobs.Testing.FakeSumUp;

internal sealed class Merchants
{
    private readonly ConcurrentDictionary<string, Merchant> _byCode = new(StringComparer.Ordinal);

    public void Add(Merchant merchant) => _byCode[merchant.Code] = merchant;

    public Merchant? Find(string code) => _byCode.GetValueOrDefault(code);

    public Merchant? OfKey(string key) => _byCode.Values.FirstOrDefault(merchant => merchant.Key == key);
}

/// <summary>
/// One account: its clock, devices, pairings, checkouts and money. Nothing runs by itself: whatever has fallen due happens, in
/// order of time, when somebody looks. Everything is done under <see cref="Gate"/>.
/// </summary>
internal sealed class Merchant(string code, string key, string currency)
{
    private readonly PriorityQueue<Action, (DateTimeOffset At, long Order)> _due = new();
    private DateTimeOffset? _frozen;
    private TimeSpan _ahead;
    private DateTimeOffset? _happening;
    private long _order;

    public Lock Gate { get; } = new();
    public string Code => code;
    public string Key => key;
    public string Currency => currency;
    public Config Config { get; set; } = new();
    public Faults Faults { get; } = new();
    public RequestLog Requests { get; } = new();
    public List<Device> Devices { get; } = [];
    public List<Reader> Readers { get; } = [];
    public List<PairingCode> PairingCodes { get; } = [];
    public List<Checkout> Checkouts { get; } = [];
    public List<Transaction> Transactions { get; } = [];

    /// <summary>Of what is happening, or of the one who looks.</summary>
    public DateTimeOffset Now => _happening ?? _frozen ?? DateTimeOffset.UtcNow + _ahead;

    public void SetClock(DateTimeOffset now) => _frozen = now;

    public void RunClock() => (_frozen, _ahead) = (null, TimeSpan.Zero);

    public void Advance(TimeSpan by)
    {
        _frozen += by;
        _ahead += by;
    }

    public void In(TimeSpan time, Action action) => _due.Enqueue(action, (Now + time, _order++));

    public void CatchUp()
    {
        var now = Now;
        while (_due.TryPeek(out var action, out var due) && due.At <= now)
        {
            _due.Dequeue();
            _happening = due.At;
            action();
        }

        _happening = null;
    }
}

/// <summary>How long things take; SumUp's own figures, in milliseconds, unless told otherwise.</summary>
internal sealed record Config
{
    /// <summary>An accepted checkout must start on the device within.</summary>
    public int StartWindowMs { get; init; } = 60_000;

    /// <summary>The device waits for a card.</summary>
    public int CardWaitMs { get; init; } = 60_000;

    /// <summary>SumUp publishes that there is an end, not when.</summary>
    public int ValidMs { get; init; } = 300_000;

    public int PairingMs { get; init; } = 300_000;

    /// <summary>From an accepted terminate to its effect on the device.</summary>
    public int TerminateMs { get; init; } = 500;

    /// <summary>faithful (typed until the device has started, then without a type), typed, untyped.</summary>
    public string Busy { get; init; } = "faithful";

    public bool CheckoutId { get; init; } = true;

    /// <summary>ids at the root of the answer, as older texts have it.</summary>
    public bool IdsAtRoot { get; init; }

    public int RefundStatus { get; init; } = 201;

    /// <summary>all, only (nothing but ONLINE), none (404: old firmware).</summary>
    public string Status { get; init; } = "all";

    /// <summary>events are left out of transactions.</summary>
    public bool WithoutEvents { get; init; }

    /// <summary>Lookups are answered with a list.</summary>
    public bool LookupsAsLists { get; init; }

    /// <summary>For checkouts that have none of their own.</summary>
    public Script Script { get; init; } = new();
}
