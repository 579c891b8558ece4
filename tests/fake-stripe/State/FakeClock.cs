namespace Jobs.Testing.FakeStripe;

/// <summary>
/// The account's clock: real time, real time shifted, or standing still at a moment a test chose.
/// </summary>
internal sealed class FakeClock
{
    private readonly Lock _gate = new();
    private DateTimeOffset? _frozen;
    private TimeSpan _shift;

    public DateTimeOffset Now
    {
        get
        {
            lock (_gate)
                return _frozen ?? DateTimeOffset.UtcNow + _shift;
        }
    }

    public bool Frozen
    {
        get
        {
            lock (_gate)
                return _frozen is not null;
        }
    }

    public void Set(DateTimeOffset now, bool ticking)
    {
        lock (_gate)
        {
            _frozen = ticking ? null : now;
            _shift = ticking ? now - DateTimeOffset.UtcNow : TimeSpan.Zero;
        }
    }

    public void Advance(TimeSpan by)
    {
        lock (_gate)
        {
            if (_frozen is { } now)
                _frozen = now + by;
            else
                _shift += by;
        }
    }

    public void Real()
    {
        lock (_gate)
        {
            _frozen = null;
            _shift = TimeSpan.Zero;
        }
    }
}
