using System.Globalization;
using System.Net;
using System.Text;

namespace Jobs.Stripe;

/// <summary>Stripe's form encoding, for bodies and queries: bracket keys, null skipped, lower-case booleans, invariant numbers.</summary>
internal sealed class FormWriter
{
    private readonly StringBuilder text = new();

    public FormWriter Add(string key, string? value)
    {
        if (value is null)
            return this;
        if (text.Length > 0)
            text.Append('&');
        text.Append(Encode(key).Replace("%5B", "[", StringComparison.Ordinal).Replace("%5D", "]", StringComparison.Ordinal));
        text.Append('=').Append(Encode(value));
        return this;
    }

    public FormWriter Add(string key, long? value) => Add(key, value?.ToString(CultureInfo.InvariantCulture));

    public FormWriter Add(string key, bool? value) => Add(key, value switch { true => "true", false => "false", null => null });

    public FormWriter AddList(string key, IReadOnlyList<string>? values)
    {
        for (var i = 0; i < values?.Count; i++)
            Add($"{key}[{i}]", values[i]);
        return this;
    }

    /// <exception cref="ArgumentException">Beyond Stripe's limits: 50 keys, 40 characters a key without brackets, 500 a value.</exception>
    public FormWriter AddMetadata(IReadOnlyCollection<KeyValuePair<string, string>>? metadata)
    {
        if (metadata is null)
            return this;
        if (metadata.Count > 50)
            throw new ArgumentException($"Stripe stores at most 50 metadata keys, not {metadata.Count}.");
        foreach (var (key, value) in metadata)
        {
            if (key.Length is 0 or > 40 || key.AsSpan().ContainsAny('[', ']'))
                throw new ArgumentException($"The metadata key '{key}' is not 1 to 40 characters without square brackets.");
            if (value.Length > 500)
                throw new ArgumentException($"The metadata value of '{key}' is longer than 500 characters.");
            Add($"metadata[{key}]", value);
        }

        return this;
    }

    public FormBody ToBody() => FormBody.Parse(text.ToString());

    public override string ToString() => text.ToString();

    private static string Encode(string value) => WebUtility.UrlEncode(value);
}
