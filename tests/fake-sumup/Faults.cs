using System.Text.RegularExpressions;

namespace Jobs.Testing.FakeSumUp;

/// <summary>
/// What goes wrong with a request: drop_before, drop_after, hang_before, hang_after, delay_before:MS, delay_after:MS, status_before:CODE,
/// status_after:CODE, truncated_body (half of it, then cut), half_json, html, empty (the last three whole, with the right status).
/// </summary>
/// <param name="Path">A regular expression on the path; empty fits all.</param>
/// <param name="Nth">The first of them that it strikes, counted from the rule's making.</param>
/// <param name="Times">Null: for ever.</param>
internal sealed record Fault(string Kind, string Method, string Path, int Nth, int? Times)
{
    public string Name => Kind.Split(':')[0];

    public int Number => int.Parse(Kind.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture);
}

internal sealed class Faults
{
    private readonly Lock _lock = new();
    private readonly List<(Fault Fault, int Seen)> _faults = [];

    public Waiting Waiting { get; } = new();

    public void Add(Fault fault)
    {
        lock (_lock)
            _faults.Add((fault, 0));
    }

    public Fault? Match(string method, string path)
    {
        lock (_lock)
        {
            for (var i = 0; i < _faults.Count; i++)
            {
                var (fault, seen) = _faults[i];
                if ((fault.Method.Length > 0 && fault.Method != method) || !Regex.IsMatch(path, fault.Path, RegexOptions.None, TimeSpan.FromSeconds(1)))
                    continue;
                _faults[i] = (fault, ++seen);
                if (seen >= fault.Nth && (fault.Times is null || seen < fault.Nth + fault.Times))
                    return fault;
            }

            return null;
        }
    }

    public void Clear()
    {
        lock (_lock)
            _faults.Clear();
        Waiting.Release();
    }
}
