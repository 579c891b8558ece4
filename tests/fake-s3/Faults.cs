namespace Jobs.Testing.FakeS3;

/// <summary>
/// What goes wrong with one request: drop_before, drop_after, hang_before, hang_after, truncated_body, status:CODE (before it is
/// carried out), status_after:CODE. Method "" and "*" as nth match any; an nth fault strikes once.
/// </summary>
internal sealed record Fault(string Kind, string Method, int? Nth, int Status, string Code);

internal sealed class Faults
{
    private readonly Lock _lock = new();
    private readonly List<(Fault Fault, int Seen)> _faults = [];
    private readonly List<string> _requests = [];
    private readonly List<TaskCompletionSource> _held = [];

    public string[] Requests
    {
        get
        {
            lock (_lock)
                return [.. _requests];
        }
    }

    public int Held
    {
        get
        {
            lock (_lock)
                return _held.Count;
        }
    }

    public void Add(Fault fault)
    {
        lock (_lock)
            _faults.Add((fault, 0));
    }

    /// <summary>Writes the request down and says what is to befall it.</summary>
    public Fault? Match(string method, string request)
    {
        lock (_lock)
        {
            _requests.Add(request);
            for (var i = 0; i < _faults.Count; i++)
            {
                var (fault, seen) = _faults[i];
                if (fault.Method.Length > 0 && fault.Method != method)
                    continue;
                _faults[i] = (fault, seen + 1);
                if (fault.Nth is null || fault.Nth == seen + 1)
                    return fault;
            }

            return null;
        }
    }

    /// <summary>Stands still until the client is gone or everything is reset.</summary>
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

    public void Clear()
    {
        lock (_lock)
        {
            _faults.Clear();
            _requests.Clear();
            _held.ForEach(held => held.TrySetResult());
        }
    }
}
