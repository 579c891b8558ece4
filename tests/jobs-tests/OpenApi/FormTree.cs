using System.Globalization;

namespace Jobs.Tests.OpenApi;

/// <summary>Bracket keys as the tree they mean: <c>a[b]=1&amp;c[0]=2</c>. Keys that Stripe could not read become violations.</summary>
public sealed class FormTree
{
    private readonly Dictionary<string, FormTree> children = new(StringComparer.Ordinal);

    public string? Value { get; private set; }

    public IReadOnlyDictionary<string, FormTree> Children => children;

    public static FormTree Parse(IEnumerable<KeyValuePair<string, string>> parameters, List<string> violations)
    {
        var root = new FormTree();
        foreach (var (key, value) in parameters)
        {
            if (Segments(key) is { } segments)
                root.Add(key, segments, value, violations);
            else
                violations.Add($"{key}: brackets do not match");
        }

        return root;
    }

    private void Add(string key, List<string> segments, string value, List<string> violations)
    {
        var node = this;
        foreach (var segment in segments)
        {
            var name = segment.Length > 0 ? segment : node.children.Count.ToString(CultureInfo.InvariantCulture);
            if (node.Value is not null)
            {
                violations.Add($"{key}: is both a value and a group");
                return;
            }

            if (!node.children.TryGetValue(name, out var child))
                node.children[name] = child = new FormTree();
            node = child;
        }

        if (node.Value is not null)
            violations.Add($"{key}: is given twice");
        else if (node.children.Count > 0)
            violations.Add($"{key}: is both a value and a group");
        else
            node.Value = value;
    }

    private static List<string>? Segments(string key)
    {
        var open = key.IndexOf('[', StringComparison.Ordinal);
        if (open < 0)
            return key.Length > 0 && !key.Contains(']', StringComparison.Ordinal) ? [key] : null;
        var segments = new List<string> { key[..open] };
        while (open < key.Length)
        {
            var close = key.IndexOf(']', open);
            if (key[open] != '[' || close < 0 || key.IndexOf('[', open + 1, close - open - 1) >= 0)
                return null;
            segments.Add(key[(open + 1)..close]);
            open = close + 1;
        }

        return segments[0].Length > 0 ? segments : null;
    }
}
