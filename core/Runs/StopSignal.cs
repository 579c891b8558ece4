using System.Runtime.InteropServices;

namespace Jobs.Runs;

/// <summary>
/// The one owner of SIGTERM, SIGINT and the time-out. <see cref="Stopping"/>: take no new item. <see cref="Aborting"/>,
/// 6 seconds later: abandon the current one (its transaction rolls back; a charge under way stays in flight and is
/// settled by a later run). 9 seconds after the signal the process ends whatever happens.
/// </summary>
internal sealed class StopSignal : IDisposable
{
    private static readonly TimeSpan AbortAfter = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan ExitAfter = TimeSpan.FromSeconds(9);
    private static readonly TimeSpan LastWordsWithin = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan SignOfLife = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _aborting = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Watchdog _watchdog;
    private readonly bool _ownsProcess;
    private int _stopped;
    private int _timeouts;
    private long _exitAt = long.MaxValue;

    public StopSignal(ProgramContext context)
    {
        _ownsProcess = context.OwnsProcess;
        _registrations = !_ownsProcess ? [] :
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => OnSignal(c, "SIGTERM")),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, c => OnSignal(c, "SIGINT")),
        ];
        _watchdog = new Watchdog(work => ThreadPool.UnsafeQueueUserWorkItem(_ => work(), null), SignOfLife, Stalled);
        _watchdog.Start();
    }

    public CancellationToken Stopping => _stopping.Token;
    public CancellationToken Aborting => _aborting.Token;
    public StopReason? Reason { get; private set; }
    public string? Detail { get; private set; }

    /// <summary>Until the process ends whatever happens; a second of it is for the end itself.</summary>
    public TimeSpan TimeLeft => Volatile.Read(ref _exitAt) is var at and < long.MaxValue
        ? TimeSpan.FromMilliseconds(Math.Max(0, at - Environment.TickCount64 - 1000))
        : TimeSpan.MaxValue;

    /// <summary>Reports the run before the process is ended under it.</summary>
    public Action? LastWords { get; set; }

    /// <summary>Stops the run when this time is over, which begins anew with each call; null: no longer.</summary>
    public void StopAfter(TimeSpan? timeout)
    {
        var call = Interlocked.Increment(ref _timeouts);
        if (timeout is { } length)
        {
            _watchdog.At(length, () =>
            {
                if (call == Volatile.Read(ref _timeouts))
                {
                    Stop(StopReason.TimeOut, null);
                }
            });
        }
    }

    public void Stop(StopReason reason, string? detail)
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 1)
        {
            return;
        }

        (Reason, Detail) = (reason, detail);
        Volatile.Write(ref _exitAt, Environment.TickCount64 + (long)ExitAfter.TotalMilliseconds);
        _watchdog.At(ExitAfter, Exit);
        // What waits for the cancellation goes on where it is cancelled: not on the caller's thread.
        ThreadPool.UnsafeQueueUserWorkItem(_ => Cancel(), null);
    }

    private void Cancel()
    {
        try
        {
            _aborting.CancelAfter(AbortAfter);
            _stopping.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The run ended by itself just now.
        }
    }

    private void Stalled()
    {
        Stop(StopReason.Stalled, $"for a minute no work was taken up ({ThreadPool.ThreadCount} threads, {ThreadPool.PendingWorkItemCount} items waiting)");
        Exit();
    }

    private void Exit()
    {
        if (!_ownsProcess)
        {
            return;
        }

        // Where nobody reads the result or the log, saying it takes for ever.
        var speaker = new Thread(() => LastWords?.Invoke()) { IsBackground = true };
        speaker.Start();
        speaker.Join(LastWordsWithin);
        Environment.Exit(1);
    }

    private void OnSignal(PosixSignalContext context, string name)
    {
        context.Cancel = true;
        if (Volatile.Read(ref _stopped) == 1)
        {
            _aborting.Cancel();
        }

        Stop(StopReason.Signal, name);
    }

    public void Dispose()
    {
        Array.ForEach(_registrations, r => r.Dispose());
        _watchdog.Dispose();
        _stopping.Dispose();
        _aborting.Dispose();
    }
}

internal enum StopReason
{
    Signal,
    TimeOut,
    LeaseLost,

    /// <summary>The process lives and does nothing: a fault of the runtime, or code that blocks every thread.</summary>
    Stalled,
}
