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

    public string[] Requests
    {
        get
        {
            lock (_lock)
                return [.. _requests];
        }
    }

    public Waiting Waiting { get; } = new();

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

    public void Clear()
    {
        lock (_lock)
        {
            _faults.Clear();
            _requests.Clear();
        }

        Waiting.Release();
    }
}
