using System.Globalization;
using System.Net;
using System.Text;

namespace Jobs.Testing.FakeStripe;

/// <summary>One parameter: a value, or a hash or list of parameters (a list is a hash of its indexes).</summary>
internal sealed class Param
{
    public string? Value { get; private set; }

    public Dictionary<string, Param>? Children { get; private set; }

    public Param? this[string name] => Children?.GetValueOrDefault(name);

    public string? Text(string name) => this[name]?.Value is { Length: > 0 } value ? value : null;

    public bool Has(string name) => this[name] is not null;

    public long? Int(string name) => Text(name) is { } value ? long.Parse(value, CultureInfo.InvariantCulture) : null;

    public bool Flag(string name) => this[name]?.Value is "true";

    /// <summary>Reads <c>a[b][0]=c&amp;d[]=e</c>, from a body or a query.</summary>
    public static Param Parse(ReadOnlySpan<char> form, Param? into = null)
    {
        var root = into ?? new Param();
        root.Children ??= new Dictionary<string, Param>(StringComparer.Ordinal);
        foreach (var range in form.Split('&'))
        {
            var pair = form[range];
            if (pair.IsEmpty)
                continue;
            var equals = pair.IndexOf('=');
            var key = Decode(equals < 0 ? pair : pair[..equals]);
            var node = root.Reach(key);
            node.Value = equals < 0 ? "" : Decode(pair[(equals + 1)..]);
        }

        return root;
    }

    /// <summary>Every leaf as it would be sent, in an order that does not depend on how it was sent.</summary>
    public string Canonical()
    {
        var lines = new List<string>();
        Collect("", lines);
        lines.Sort(StringComparer.Ordinal);
        return string.Join('\n', lines);
    }

    public void Collect(string prefix, List<string> lines)
    {
        if (Children is null)
        {
            lines.Add(string.Concat(prefix, "=", Value));
            return;
        }

        foreach (var (name, child) in Children)
            child.Collect(prefix.Length == 0 ? name : $"{prefix}[{name}]", lines);
    }

    private Param Reach(string key)
    {
        var bracket = key.IndexOf('[', StringComparison.Ordinal);
        if (bracket <= 0)
            return Child(key);

        var node = Child(key[..bracket]);
        while (bracket >= 0 && bracket < key.Length)
        {
            var close = key.IndexOf(']', bracket);
            if (close < 0)
                return node;
            var name = key[(bracket + 1)..close];
            node = node.Child(name.Length > 0 ? name : (node.Children?.Count ?? 0).ToString(CultureInfo.InvariantCulture));
            bracket = key.IndexOf('[', close);
        }

        return node;
    }

    private Param Child(string name)
    {
        Children ??= new Dictionary<string, Param>(StringComparer.Ordinal);
        if (!Children.TryGetValue(name, out var child))
            Children[name] = child = new Param();
        return child;
    }

    private static string Decode(ReadOnlySpan<char> text) =>
        text.ContainsAny('%', '+') ? WebUtility.UrlDecode(text.ToString()) : text.ToString();

    public override string ToString() => new StringBuilder(Canonical()).Replace('\n', '&').ToString();
}
