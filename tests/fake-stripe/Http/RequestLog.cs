using System.Globalization;

namespace Jobs.Testing.FakeStripe;

/// <summary>One request as it came in; the status is filled in when it is answered.</summary>
internal sealed class LoggedRequest
{
    public required long Number { get; init; }
    public required string Method { get; init; }
    public required string Path { get; init; }
    public required string Template { get; init; }
    public required DateTimeOffset At { get; init; }
    public required string RequestId { get; init; }
    public required string Parameters { get; init; }
    public string? IdempotencyKey { get; init; }

    /// <summary>0: never answered (dropped, or the client is gone).</summary>
    public int Status { get; set; }

    public string? Fault { get; set; }

    public string AtText => At.ToString("O", CultureInfo.InvariantCulture);
}

/// <summary>The last 10,000 requests, and counts of all of them.</summary>
internal sealed class RequestLog
{
    private const int Capacity = 10_000;
    private readonly Queue<LoggedRequest> _recent = new();
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);
    private long _total;

    public LoggedRequest Add(Func<long, LoggedRequest> create)
    {
        lock (_recent)
        {
            var request = create(++_total);
            _recent.Enqueue(request);
            if (_recent.Count > Capacity)
                _recent.Dequeue();
            var key = $"{request.Method} {request.Template}";
            _counts[key] = _counts.GetValueOrDefault(key) + 1;
            return request;
        }
    }

    public (long Total, KeyValuePair<string, long>[] Counts, LoggedRequest[] Recent) Read()
    {
        lock (_recent)
            return (_total, [.. _counts], [.. _recent]);
    }

    public void Clear()
    {
        lock (_recent)
        {
            _recent.Clear();
            _counts.Clear();
            _total = 0;
        }
    }
}
