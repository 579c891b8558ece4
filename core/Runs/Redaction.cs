using System.Text.RegularExpressions;

namespace Jobs.Runs;

/// <summary>Strikes secrets out of text: the values this run was given, and whatever looks like a provider key or card number.</summary>
internal sealed partial class Redaction
{
    // Most runs have nothing to say, and then need none of it.
    private readonly Lazy<string[]> _secrets;

    public Redaction(Settings settings) => _secrets = new(() =>
        [.. settings.SecretValues().SelectMany(Parts).Where(s => s.Length >= 6).Distinct().OrderByDescending(s => s.Length)]);

    public string Strike(string text)
    {
        foreach (var secret in _secrets.Value)
        {
            text = text.Replace(secret, "***", StringComparison.Ordinal);
        }

        return LooksSecret().Replace(text, "***");
    }

    /// <summary>The value, and the password within it when it is a URL or a connection string, plain and percent-encoded.</summary>
    private static IEnumerable<string> Parts(string secret)
    {
        yield return secret;
        foreach (Match match in Password().Matches(secret))
        {
            var password = match.Groups["p"].Value.Trim('\'', '"');
            yield return password;
            yield return Uri.UnescapeDataString(password);
            // Within a URL's query the next parameter follows.
            yield return Uri.UnescapeDataString(password.Split('&')[0]);
        }
    }

    [GeneratedRegex(@"://[^:/@\s]*:(?<p>[^@\s]+)@|(password|pwd|psw)\s*=\s*(?<p>'[^']*'|""[^""]*""|[^;\s]+)", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Password();

    [GeneratedRegex(@"\b[sr]k_(live|test)_[A-Za-z0-9]{4,}|\bsup_sk_[A-Za-z0-9_]{4,}|\b[3-6]\d{3}(?<gap>[ -]?)\d{4}\k<gap>\d{4}\k<gap>\d{3,7}\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LooksSecret();
}
