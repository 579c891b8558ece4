namespace Jobs.Runs;

/// <summary>What a run did, by outcome, in order of first mention. Safe from several threads.</summary>
public sealed class Counters
{
    private readonly Lock _lock = new();
    private readonly List<string> _order = [];
    private readonly Dictionary<string, long> _values = new(StringComparer.Ordinal);

    public long this[string name]
    {
        get
        {
            lock (_lock)
            {
                return _values.GetValueOrDefault(name);
            }
        }
    }

    /// <summary>Adds to a counter; adding 0 makes it appear in the result.</summary>
    public void Add(string name, long by = 1)
    {
        lock (_lock)
        {
            if (!_values.TryAdd(name, by))
            {
                _values[name] += by;
                return;
            }

            _order.Add(name);
        }
    }

    public IReadOnlyList<KeyValuePair<string, long>> Snapshot()
    {
        lock (_lock)
        {
            return [.. _order.Select(name => KeyValuePair.Create(name, _values[name]))];
        }
    }
}
