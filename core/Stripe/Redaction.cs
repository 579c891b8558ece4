using System.Text;
using System.Text.RegularExpressions;

namespace Jobs.Stripe;

/// <summary>What others wrote, made fit for a log line: no key, no card number, one short line.</summary>
internal static partial class Redaction
{
    public static string? Clean(string? text, string secretKey)
    {
        if (text is null)
            return null;
        text = text.Replace(secretKey, "***", StringComparison.Ordinal);
        text = Keys().Replace(text, "${kind}***");
        return CardNumbers().Replace(text, "****");
    }

    public static string Excerpt(string text, string secretKey, int length = 200)
    {
        var line = new StringBuilder(text.Length);
        foreach (var c in Clean(text, secretKey)!)
        {
            if (!char.IsControl(c) && !char.IsWhiteSpace(c))
                line.Append(c);
            else if (line.Length > 0 && line[^1] != ' ')
                line.Append(' ');
        }

        return line.Length <= length ? line.ToString().TrimEnd() : line.ToString(0, length) + "...";
    }

    /// <summary>Cleaned with a margin beyond the cut, so that a key across the cut is not shown in half.</summary>
    public static string Excerpt(ReadOnlySpan<byte> body, string secretKey, int length = 200) =>
        body.IsEmpty ? "(empty)" : Excerpt(Encoding.UTF8.GetString(body[..Math.Min(body.Length, length + 4096)]), secretKey, length);

    [GeneratedRegex("(?<kind>(?:sk|rk)_(?:live|test)_)[A-Za-z0-9*]+", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Keys();

    [GeneratedRegex("(?<![A-Za-z0-9_])[0-9](?:[ -]?[0-9]){12,18}(?![A-Za-z0-9_])", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex CardNumbers();
}
