using System.Net;

namespace Jobs.Stripe;

/// <summary>
/// The exact urlencoded text of a request. Stored before the first send and replayed byte for byte: Stripe refuses a
/// key that comes back with other parameters. <see cref="Parse"/> and <see cref="ToString"/> change nothing.
/// </summary>
public sealed class FormBody : IEquatable<FormBody>
{
    public static readonly FormBody Empty = new("");

    private readonly string text;

    private FormBody(string text) => this.text = text;

    /// <exception cref="FormatException">The text is not urlencoded: a space, a non-ASCII character or a broken escape.</exception>
    public static FormBody Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is <= ' ' or >= (char)0x7f)
                throw new FormatException($"Not an urlencoded form: unescaped character at position {i}.");
            if (text[i] == '%' && (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2])))
                throw new FormatException($"Not an urlencoded form: broken escape at position {i}.");
        }

        return text.Length == 0 ? Empty : new FormBody(text);
    }

    /// <summary>Encodes the pairs in their order.</summary>
    public static FormBody From(IEnumerable<KeyValuePair<string, string>> pairs)
    {
        var form = new FormWriter();
        foreach (var (key, value) in pairs)
            form.Add(key, value);
        return form.ToBody();
    }

    /// <summary>The decoded pairs in their order, repeated keys included.</summary>
    public IEnumerable<KeyValuePair<string, string>> Pairs()
    {
        foreach (var pair in text.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var key = equals < 0 ? pair : pair[..equals];
            var value = equals < 0 ? "" : pair[(equals + 1)..];
            yield return new(WebUtility.UrlDecode(key), WebUtility.UrlDecode(value));
        }
    }

    public override string ToString() => text;

    public bool Equals(FormBody? other) => other is not null && string.Equals(text, other.text, StringComparison.Ordinal);

    public override bool Equals(object? obj) => Equals(obj as FormBody);

    public override int GetHashCode() => text.GetHashCode(StringComparison.Ordinal);
}
