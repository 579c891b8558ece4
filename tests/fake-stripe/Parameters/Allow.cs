using System.Globalization;

namespace Jobs.Testing.FakeStripe;

/// <summary>The parameters one endpoint takes. What is not named here is refused, as at Stripe.</summary>
internal sealed class Allow
{
    private readonly Dictionary<string, Rule> _rules = new(StringComparer.Ordinal);

    private delegate void Check(string path, Param value);

    private sealed record Rule(bool Required, string? RemovedIn, Check Check);

    /// <summary>GET of one object.</summary>
    public static Allow Retrieve() => new Allow().Texts("expand");

    public static Allow List() => new Allow().Texts("expand").Text("starting_after").Text("ending_before").Limit().Range("created");

    public Allow Text(string name, bool required = false) => Add(name, required, static (path, value) => RequireLeaf(path, value));

    public Allow Texts(string name) => Add(name, required: false, static (path, value) =>
    {
        foreach (var item in value.Children ?? throw StripeError.Invalid("Invalid array", path))
            RequireLeaf($"{path}[{item.Key}]", item.Value);
    });

    public Allow Int(string name, bool required = false) => Add(name, required, static (path, value) => RequireInt(path, value));

    public Allow Flag(string name) => Add(name, required: false, static (path, value) =>
    {
        if (value.Value is not ("true" or "false" or ""))
            throw StripeError.Invalid($"Invalid boolean: {value.Value}", path);
    });

    public Allow OneOf(string name, params string[] values) => Add(name, required: false, (path, value) =>
    {
        if (!values.Contains(value.Value ?? "", StringComparer.Ordinal))
            throw StripeError.Invalid($"Invalid {path}: must be one of {string.Join(", ", values[..^1])}{(values.Length > 1 ? ", or " : "")}{values[^1]}", path);
    });

    public Allow Metadata(string name = "metadata") => Add(name, required: false, static (path, value) =>
    {
        if (value.Children is null && value.Value != "")
            throw StripeError.Invalid("Invalid hash", path);
        foreach (var (key, child) in value.Children ?? [])
        {
            if (child.Children is not null)
                throw StripeError.Invalid($"Invalid string: {key}", $"{path}[{key}]");
        }
    });

    public Allow Hash(string name, Allow inner) => Add(name, required: false, (path, value) =>
    {
        if (value.Children is not null)
            inner.Verify(value, StripeVersions.Newest, path);
        else if (value.Value != "")
            throw StripeError.Invalid("Invalid hash", path);
    });

    /// <summary>A number, or a hash of gt, gte, lt, lte.</summary>
    public Allow Range(string name) => Add(name, required: false, static (path, value) =>
    {
        if (value.Children is null)
        {
            RequireInt(path, value);
            return;
        }

        foreach (var (key, child) in value.Children)
        {
            if (key is not ("gt" or "gte" or "lt" or "lte"))
                throw Unknown($"{path}[{key}]");
            RequireInt($"{path}[{key}]", child);
        }
    });

    /// <summary>Accepted as Stripe accepts it, but without effect here.</summary>
    public Allow Ignored(params string[] names)
    {
        foreach (var name in names)
            Add(name, required: false, static (_, _) => { });
        return this;
    }

    public Allow RemovedIn(string date, string name)
    {
        _rules[name] = new Rule(Required: false, date, static (_, _) => { });
        return this;
    }

    public void Verify(Param parameters, string version, string? parent = null)
    {
        List<string>? unknown = null;
        foreach (var (name, value) in parameters.Children ?? [])
        {
            var path = parent is null ? name : $"{parent}[{name}]";
            if (!_rules.TryGetValue(name, out var rule) || (rule.RemovedIn is { } date && !StripeVersions.IsBefore(version, date)))
            {
                (unknown ??= []).Add(Leaf(path, value));
                continue;
            }

            if (rule.Required && value is { Children: null, Value: "" })
                throw StripeError.Invalid($"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty value.", path, "parameter_invalid_empty");
        }

        if (unknown is not null)
            throw Unknown([.. unknown]);

        foreach (var (name, rule) in _rules)
        {
            var path = parent is null ? name : $"{parent}[{name}]";
            if (parameters[name] is { } value)
                rule.Check(path, value);
            else if (rule.Required)
                throw StripeError.Invalid($"Missing required param: {path}.", path, "parameter_missing");
        }
    }

    private Allow Limit() => Add("limit", required: false, static (path, value) =>
    {
        var limit = RequireInt(path, value);
        if (limit < 1)
            throw StripeError.Invalid("This value must be greater than or equal to 1.", path, "parameter_invalid_integer");
        if (limit > 100)
            throw StripeError.Invalid("This value must be less than or equal to 100.", path, "parameter_invalid_integer");
    });

    private static long RequireInt(string path, Param value) =>
        long.TryParse(value.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw StripeError.Invalid($"Invalid integer: {value.Value}", path, "parameter_invalid_integer");

    private static void RequireLeaf(string path, Param value)
    {
        if (value.Children is not null)
            throw StripeError.Invalid("Invalid string: a hash was given.", path, "parameter_invalid_string");
    }

    private static StripeError Unknown(params string[] paths) => StripeError.Invalid(
        $"Received unknown parameter{(paths.Length > 1 ? "s" : "")}: {string.Join(", ", paths)}", paths[0], "parameter_unknown");

    /// <summary>Stripe names the innermost key it does not know: <c>x[y]</c>.</summary>
    private static string Leaf(string path, Param value) =>
        value.Children?.FirstOrDefault() is { Key: not null } child ? Leaf($"{path}[{child.Key}]", child.Value) : path;

    private Allow Add(string name, bool required, Check check)
    {
        _rules[name] = new Rule(required, RemovedIn: null, check);
        return this;
    }
}
