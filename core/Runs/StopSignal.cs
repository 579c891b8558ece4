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
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(49);

    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _aborting = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Timer _deadline;
    private Timer? _exit;
    private int _stopped;

    public StopSignal()
    {
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => OnSignal(c, "SIGTERM")),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, c => OnSignal(c, "SIGINT")),
        ];
        _deadline = new Timer(_ => Stop(StopReason.TimeOut, null));
    }

    public CancellationToken Stopping => _stopping.Token;
    public CancellationToken Aborting => _aborting.Token;
    public StopReason? Reason { get; private set; }
    public string? Detail { get; private set; }

    /// <summary>Reports the run before the process is ended under it.</summary>
    public Action? LastWords { get; set; }

    /// <summary>Beyond what a timer can hold (49 days) the deadline is moved there.</summary>
    public void StopAfter(TimeSpan timeout) => _deadline.Change(timeout < LongestTimer ? timeout : LongestTimer, Timeout.InfiniteTimeSpan);

    public void Stop(StopReason reason, string? detail)
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 1)
        {
            return;
        }

        (Reason, Detail) = (reason, detail);
        _exit = new Timer(_ => Exit(), null, ExitAfter, Timeout.InfiniteTimeSpan);
        _aborting.CancelAfter(AbortAfter);
        _stopping.Cancel();
    }

    private void Exit()
    {
        LastWords?.Invoke();
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
        _deadline.Dispose();
        _exit?.Dispose();
        _stopping.Dispose();
        _aborting.Dispose();
    }
}

internal enum StopReason
{
    Signal,
    TimeOut,
    LeaseLost,
}
