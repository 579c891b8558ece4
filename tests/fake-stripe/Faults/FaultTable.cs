using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Jobs.Testing.FakeStripe;

/// <summary>One rule: which requests, and what happens to them.</summary>
internal sealed class FaultRule
{
    private readonly string? _method;
    private readonly string? _path;
    private readonly Regex? _pattern;
    private readonly int? _nth;
    private readonly int? _every;
    private readonly double? _probability;
    private readonly KeyValuePair<string, string>[] _metadata;
    private readonly Random? _random;
    private readonly Fault _fault;
    private int _left;
    private int _seen;

    public FaultRule(int id, JsonElement rule)
    {
        Id = id;
        Source = JsonNode.Parse(rule.GetRawText())!.AsObject();
        var match = rule.Get("match") ?? default;
        _method = match.Text("method");
        _path = match.Text("path");
        _pattern = _path is not null && _path.AsSpan().ContainsAny("^$*+(") ? new Regex(_path, RegexOptions.None, TimeSpan.FromSeconds(1)) : null;
        _nth = (int?)match.Long("nth");
        _every = (int?)match.Long("every");
        _left = (int?)match.Long("times") ?? (_nth is null ? int.MaxValue : 1);
        _probability = match.Get("probability")?.GetDouble();
        // The chance of a fault is part of the test, not of its security.
#pragma warning disable CA5394
        _random = _probability is null ? null : new Random((int?)match.Long("seed") ?? 1);
#pragma warning restore CA5394
        _metadata = match.Get("metadata") is { } metadata
            ? [.. metadata.EnumerateObject().Select(pair => KeyValuePair.Create(pair.Name, pair.Value.ToString()))]
            : [];
        _fault = Fault.Parse(rule.Text("fault") ?? throw new ControlException("a rule needs a \"fault\"")) with
        {
            ShouldRetry = rule.Bool("should_retry"),
            BodyStyle = rule.Text("body") ?? "json",
        };
    }

    public int Id { get; }

    public int Hits { get; private set; }

    public int Seen => _seen;

    public JsonObject Source { get; }

    public Fault? Match(Incoming incoming, World world)
    {
        if (_left == 0 || (_method is not null && !string.Equals(_method, incoming.Method, StringComparison.OrdinalIgnoreCase)) || !PathMatches(incoming))
            return null;
        if (_metadata.Any(pair => incoming.MetadataValue(world, pair.Key) != pair.Value))
            return null;

        _seen++;
        if (_nth is not null && (_seen < _nth || _seen >= _nth + (long)_left + Hits))
            return null;
        if (_every is not null && _seen % _every != 0)
            return null;
#pragma warning disable CA5394
        if (_random is not null && _random.NextDouble() >= _probability)
            return null;
#pragma warning restore CA5394

        _left--;
        Hits++;
        return _fault;
    }

    private bool PathMatches(Incoming incoming) =>
        _path is null
        || _path == incoming.Template
        || (_pattern is not null ? _pattern.IsMatch(incoming.Path) : IsPrefix(_path, incoming.Path));

    /// <summary>A prefix ends with a slash; without one it is the whole path.</summary>
    private static bool IsPrefix(string prefix, string path) =>
        prefix == path || (prefix.EndsWith('/') && path.StartsWith(prefix, StringComparison.Ordinal));
}

/// <summary>The first rule that applies wins; the rules after it do not see, and do not count, that request.</summary>
internal sealed class FaultTable
{
    private readonly List<FaultRule> _rules = [];
    private volatile bool _empty = true;
    private int _lastId;

    public Fault? Match(Incoming incoming, World world)
    {
        if (_empty)
            return null;
        // The world first, the rules second, as the control API takes them.
        lock (world.Gate)
        {
            lock (_rules)
            {
                Fault? found = null;
                foreach (var rule in _rules)
                    found ??= rule.Match(incoming, world);
                return found;
            }
        }
    }

    public FaultRule Add(JsonElement source)
    {
        lock (_rules)
        {
            var rule = new FaultRule(++_lastId, source);
            _rules.Add(rule);
            _empty = false;
            return rule;
        }
    }

    public FaultRule[] Read()
    {
        lock (_rules)
            return [.. _rules];
    }

    public void Clear()
    {
        lock (_rules)
            _rules.Clear();
    }

    public void Remove(int id)
    {
        lock (_rules)
            _rules.RemoveAll(rule => rule.Id == id);
    }
}
