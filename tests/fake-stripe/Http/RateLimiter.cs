using System.Diagnostics;

namespace Jobs.Testing.FakeStripe;

/// <summary>A token bucket in real time, one second deep: what Stripe's global limit looks like from outside.</summary>
internal sealed class RateLimiter(FakeConfig config)
{
    private readonly Lock _gate = new();
    private double _tokens = config.Rate;
    private long _last = Stopwatch.GetTimestamp();

    public bool TryTake()
    {
        if (config.Rate <= 0)
            return true;
        lock (_gate)
        {
            var now = Stopwatch.GetTimestamp();
            var capacity = Math.Max(1, config.Rate);
            _tokens = Math.Min(capacity, _tokens + (config.Rate * Stopwatch.GetElapsedTime(_last, now).TotalSeconds));
            _last = now;
            if (_tokens < 1)
                return false;
            _tokens--;
            return true;
        }
    }

    public void Refill()
    {
        lock (_gate)
            _tokens = Math.Max(1, config.Rate);
    }
}
