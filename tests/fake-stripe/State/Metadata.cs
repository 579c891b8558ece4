namespace Jobs.Testing.FakeStripe;

/// <summary>Immutable; an array of pairs because 100,000 objects carry one and it rarely has ten entries.</summary>
internal sealed class Metadata
{
    public static readonly Metadata Empty = new([]);

    private readonly KeyValuePair<string, string>[] _pairs;

    public Metadata(IEnumerable<KeyValuePair<string, string>> pairs) =>
        _pairs = [.. pairs.Select(pair => KeyValuePair.Create(string.Intern(pair.Key), pair.Value))];

    public IReadOnlyList<KeyValuePair<string, string>> Pairs => _pairs;

    public string? this[string key]
    {
        get
        {
            foreach (var pair in _pairs)
            {
                if (string.Equals(pair.Key, key, StringComparison.Ordinal))
                    return pair.Value;
            }

            return null;
        }
    }

    /// <summary>
    /// What <c>metadata[key]=value</c> does to it: merges, an empty value removes the key, an empty
    /// <c>metadata=</c> removes all.
    /// </summary>
    public Metadata With(Param? change)
    {
        if (change is null)
            return this;
        if (change.Children is null)
            return Empty;

        var result = _pairs.ToDictionary(StringComparer.Ordinal);
        foreach (var (key, value) in change.Children)
        {
            if (key.Length > 40)
                throw StripeError.Invalid($"Metadata keys can be up to 40 characters in length: {key}", "metadata");
            if (value.Value is null or "")
                result.Remove(key);
            else if (value.Value.Length > 500)
                throw StripeError.Invalid($"Metadata values can have up to 500 characters, but you passed in a value that is {value.Value.Length} characters. Invalid value: {value.Value}", $"metadata[{key}]");
            else
                result[key] = value.Value;
        }

        return result.Count <= 50 ? new Metadata(result) : throw StripeError.Invalid("Metadata can have up to 50 keys.", "metadata");
    }

    public void Write(JsonOut json, string name = "metadata")
    {
        json.Begin(name);
        foreach (var pair in _pairs)
            json.Text(pair.Key, pair.Value);
        json.End();
    }
}
