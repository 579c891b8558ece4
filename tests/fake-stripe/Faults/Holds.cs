namespace Jobs.Testing.FakeStripe;

/// <summary>One request that stands still; true lets it go on, false says that its client is gone.</summary>
internal sealed class Held(int id, string phase, Incoming request)
{
    public int Id => id;
    public string Phase => phase;
    public Incoming Request => request;
    public TaskCompletionSource<bool> Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>The requests held by hang_before and hang_after: a crash rig kills the client exactly here.</summary>
internal sealed class Holds
{
    private readonly List<Held> _held = [];
    private int _lastId;

    public async Task<bool> HoldAsync(Incoming request, string phase, CancellationToken clientGone)
    {
        Held held;
        lock (_held)
        {
            held = new Held(++_lastId, phase, request);
            _held.Add(held);
        }

        await using var registration = clientGone.Register(() => held.Ended.TrySetResult(false));
        try
        {
            return await held.Ended.Task;
        }
        finally
        {
            lock (_held)
                _held.Remove(held);
        }
    }

    public Held[] Read()
    {
        lock (_held)
            return [.. _held];
    }

    /// <summary>Lets one request, or all of them, go on; says how many.</summary>
    public int Release(int? id) => Read().Count(held => (id is null || held.Id == id) && held.Ended.TrySetResult(true));
}
