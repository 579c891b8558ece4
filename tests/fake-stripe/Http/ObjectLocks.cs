using System.Diagnostics;

namespace Jobs.Testing.FakeStripe;

/// <summary>Writes to one customer go one at a time; who waits too long gets 429 lock_timeout.</summary>
internal sealed class ObjectLocks
{
    private readonly HashSet<string> _held = new(StringComparer.Ordinal);

    public async Task<bool> TakeAsync(string name, int waitMs)
    {
        var started = Stopwatch.GetTimestamp();
        while (!TryTake(name))
        {
            if (Stopwatch.GetElapsedTime(started).TotalMilliseconds >= waitMs)
                return false;
            await Task.Delay(5);
        }

        return true;
    }

    public void Release(string name)
    {
        lock (_held)
            _held.Remove(name);
    }

    private bool TryTake(string name)
    {
        lock (_held)
            return _held.Add(name);
    }
}
