namespace Jobs.Runs;

/// <summary>
/// Keeps time on a thread of its own. Timers, signal handlers and all of a job's work need the thread pool; should that ever
/// stand still, nothing of the run would end it, its time-out included. This does.
/// </summary>
/// <param name="pool">Hands work to the thread pool.</param>
/// <param name="tick">How often the pool is asked for a sign of life.</param>
/// <param name="stalled">Called when it gave none for 12 ticks in a row: a process that was itself frozen misses one at most.</param>
public sealed class Watchdog(Action<Action> pool, TimeSpan tick, Action stalled) : IDisposable
{
    private const int Patience = 12;

    private readonly AutoResetEvent _wake = new(false);
    private readonly Lock _lock = new();
    private readonly List<Alarm> _alarms = [];
    private volatile bool _alive = true;
    private volatile bool _ended;

    public void Start() => new Thread(Watch, maxStackSize: 256 * 1024) { IsBackground = true }.Start();

    /// <summary>Calls it on the watchdog's own thread, which it must not hold for long.</summary>
    public void At(TimeSpan fromNow, Action what)
    {
        lock (_lock)
        {
            _alarms.Add(new Alarm(Environment.TickCount64 + (long)fromNow.TotalMilliseconds, what));
        }

        _wake.Set();
    }

    private void Watch()
    {
        var (missed, next) = (0, Environment.TickCount64 + (long)tick.TotalMilliseconds);
        while (!_ended)
        {
            while (NextDue() is { } alarm)
            {
                alarm.What();
            }

            if (Environment.TickCount64 >= next)
            {
                missed = _alive ? 0 : missed + 1;
                if (missed >= Patience)
                {
                    stalled();
                    return;
                }

                if (_alive)
                {
                    _alive = false;
                    pool(() => _alive = true);
                }

                next = Environment.TickCount64 + (long)tick.TotalMilliseconds;
            }

            _wake.WaitOne((int)Math.Clamp(NextAlarm(next) - Environment.TickCount64, 0, int.MaxValue));
        }
    }

    private Alarm? NextDue()
    {
        lock (_lock)
        {
            var due = _alarms.Find(a => a.At <= Environment.TickCount64);
            return due is not null && _alarms.Remove(due) ? due : null;
        }
    }

    private long NextAlarm(long otherwise)
    {
        lock (_lock)
        {
            _alarms.ForEach(a => otherwise = Math.Min(otherwise, a.At));
            return otherwise;
        }
    }

    // The event is left to the process's end: the thread may be about to wait for it.
    public void Dispose()
    {
        _ended = true;
        _wake.Set();
    }

    private sealed class Alarm(long at, Action what)
    {
        public long At => at;
        public Action What => what;
    }
}
