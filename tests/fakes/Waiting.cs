namespace Jobs.Testing;

/// <summary>Requests that stand still until they are let go or their client is gone.</summary>
internal sealed class Waiting
{
    private readonly Lock _lock = new();
    private readonly List<TaskCompletionSource> _held = [];

    public int Count
    {
        get
        {
            lock (_lock)
                return _held.Count;
        }
    }

    public async Task HoldAsync(CancellationToken clientGone)
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
            _held.Add(held);
        await using var registration = clientGone.Register(() => held.TrySetResult());
        await held.Task;
        lock (_lock)
            _held.Remove(held);
    }

    public void Release()
    {
        lock (_lock)
            _held.ForEach(held => held.TrySetResult());
    }
}
