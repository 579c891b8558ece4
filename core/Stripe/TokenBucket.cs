namespace Jobs.Stripe;

/// <summary>
/// Evenly paced permission to send, first come first served: after a pause at most a tenth of a second's worth at once.
/// One timer serves the whole queue; a late timer is made good, so the rate holds on a busy machine.
/// </summary>
public sealed class TokenBucket : IDisposable
{
    private const double MaxSlowness = 8;

    private readonly Lock gate = new();
    private readonly LinkedList<Waiter> queue = new();
    private readonly TimeProvider time;
    private readonly ITimer timer;
    private readonly double interval;
    private readonly double credit;
    private double next;
    private double slowness = 1;
    private long slowedAt = long.MinValue;
    private bool disposed;

    /// <param name="perSecond">Sustained rate; a token bucket of that size and rate on the other side never runs dry.</param>
    /// <param name="time">Its timestamps pace; its wall clock is not looked at.</param>
    public TokenBucket(int perSecond, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(perSecond, 1);
        this.time = time;
        interval = (double)time.TimestampFrequency / perSecond;
        // The fraction beyond whole tokens lets no more through at once, but makes good a timer that is late.
        credit = interval * (Math.Max(1, perSecond / 10) - 1 + 0.9);
        next = time.GetTimestamp();
        timer = time.CreateTimer(_ => Serve(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Completes when the caller may send. A cancelled wait takes nothing from those behind it.</summary>
    public Task WaitAsync(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled(cancellationToken);
        Waiter waiter;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (queue.Count == 0 && TryTake())
                return Task.CompletedTask;
            waiter = new Waiter();
            waiter.Place = queue.AddLast(waiter);
            if (queue.Count == 1)
                Arm();
        }

        waiter.Cancellation = cancellationToken.UnsafeRegister(
            static (state, token) =>
            {
                var (bucket, waiter) = ((TokenBucket, Waiter))state!;
                bucket.Leave(waiter, token);
            },
            (this, waiter));
        if (waiter.Task.IsCompleted)
            waiter.Cancellation.Unregister();
        return waiter.Task;
    }

    /// <summary>The other side said "too many": half the rate, recovering over the next few dozen sends. Answers to one burst count once.</summary>
    public void SlowDown()
    {
        lock (gate)
        {
            var now = time.GetTimestamp();
            if (slowedAt != long.MinValue && time.GetElapsedTime(slowedAt, now) < TimeSpan.FromSeconds(1))
                return;
            slowedAt = now;
            slowness = Math.Min(slowness * 2, MaxSlowness);
            next = Math.Max(next, now + (interval * slowness));
        }
    }

    public void Dispose()
    {
        List<Waiter> abandoned;
        lock (gate)
        {
            disposed = true;
            abandoned = [.. queue];
            queue.Clear();
        }

        timer.Dispose();
        foreach (var waiter in abandoned)
            waiter.TrySetException(new ObjectDisposedException(nameof(TokenBucket)));
    }

    private void Serve()
    {
        lock (gate)
        {
            while (queue.First is { } first && TryTake())
            {
                queue.RemoveFirst();
                first.Value.Cancellation.Unregister();
                first.Value.TrySetResult();
            }

            if (queue.Count > 0 && !disposed)
                Arm();
        }
    }

    private void Leave(Waiter waiter, CancellationToken token)
    {
        lock (gate)
        {
            if (waiter.Place?.List is not null)
                queue.Remove(waiter.Place);
        }

        waiter.TrySetCanceled(token);
    }

    private bool TryTake()
    {
        var now = time.GetTimestamp();
        next = Math.Max(next, now - credit);
        if (next > now)
            return false;
        next += interval * slowness;
        slowness = Math.Max(1, slowness * 0.95);
        return true;
    }

    /// <summary>Whole milliseconds, rounded up: a timer that fires early would only fire again.</summary>
    private void Arm()
    {
        var milliseconds = Math.Ceiling((next - time.GetTimestamp()) * 1000 / time.TimestampFrequency);
        timer.Change(TimeSpan.FromMilliseconds(Math.Max(1, milliseconds)), Timeout.InfiniteTimeSpan);
    }

    private sealed class Waiter() : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public LinkedListNode<Waiter>? Place { get; set; }

        public CancellationTokenRegistration Cancellation { get; set; }
    }
}
