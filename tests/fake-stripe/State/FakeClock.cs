namespace Jobs.Testing.FakeStripe;

/// <summary>
/// The account's clock: real time, real time shifted, or standing still at a moment a test chose.
/// </summary>
internal sealed class FakeClock
{
    private DateTimeOffset? _frozen;
    private TimeSpan _shift;

    public DateTimeOffset Now => _frozen ?? DateTimeOffset.UtcNow + _shift;

    public bool Frozen => _frozen is not null;

    public void Set(DateTimeOffset now, bool ticking)
    {
        _frozen = ticking ? null : now;
        _shift = ticking ? now - DateTimeOffset.UtcNow : TimeSpan.Zero;
    }

    public void Advance(TimeSpan by)
    {
        if (_frozen is { } now)
            _frozen = now + by;
        else
            _shift += by;
    }

    public void Real()
    {
        _frozen = null;
        _shift = TimeSpan.Zero;
    }
}
