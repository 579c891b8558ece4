namespace Jobs.Tests.Stripe;

/// <summary>
/// Time that passes only when somebody waits: a timer of up to half a minute moves it to its end at once, a longer one (a
/// request's time-out) fires when <see cref="Advance"/> reaches it. Wall clock and elapsed time can be pulled apart.
/// </summary>
internal sealed class TestClock : TimeProvider
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private readonly List<Timer> waiting = [];
    private DateTimeOffset wall = new(2026, 11, 20, 6, 0, 0, TimeSpan.Zero);
    private long elapsed;

    /// <summary>Every pause that passed, in order.</summary>
    public List<TimeSpan> Pauses { get; } = [];

    /// <summary>Called instead of letting the next pause pass.</summary>
    public Action? InsteadOfPause { get; set; }

    /// <summary>How late each timer fires.</summary>
    public TimeSpan Lateness { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref elapsed);

    public override DateTimeOffset GetUtcNow()
    {
        lock (gate)
            return wall;
    }

    public void SetWall(TimeSpan change)
    {
        lock (gate)
            wall += change;
    }

    public void Advance(TimeSpan time)
    {
        List<Timer> due;
        lock (gate)
        {
            elapsed += time.Ticks;
            wall += time;
            due = waiting.FindAll(t => t.DueAt <= elapsed);
            waiting.RemoveAll(due.Contains);
        }

        due.ForEach(t => t.Fire());
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(TestClock clock, TimerCallback callback, object? state) : ITimer
    {
        private int version;

        public long DueAt { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var mine = Interlocked.Increment(ref version);
            lock (clock.gate)
            {
                clock.waiting.Remove(this);
                DueAt = clock.elapsed + dueTime.Ticks;
                if (dueTime > LongestPause)
                    clock.waiting.Add(this);
            }

            if (dueTime >= TimeSpan.Zero && dueTime <= LongestPause)
                ThreadPool.QueueUserWorkItem(_ => Pass(mine, dueTime));
            return true;
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Pass(int mine, TimeSpan pause)
        {
            if (Volatile.Read(ref version) != mine)
                return;
            if (clock.InsteadOfPause is { } instead)
            {
                instead();
                return;
            }

            lock (clock.gate)
                clock.Pauses.Add(pause);
            clock.Advance(pause + clock.Lateness);
            Fire();
        }
    }
}
