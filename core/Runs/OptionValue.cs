using System.Globalization;

namespace Jobs.Runs;

/// <summary>Parsers of option values; each throws a <see cref="FormatException"/> whose message says what was expected.</summary>
public static class OptionValue
{
    public static string Text(string text) => text;

    public static bool Flag(string text) => text.ToUpperInvariant() switch
    {
        "TRUE" or "1" or "YES" or "ON" => true,
        "FALSE" or "0" or "NO" or "OFF" => false,
        _ => throw new FormatException("true or false"),
    };

    public static int? Positive(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0
            ? n
            : throw new FormatException("a whole number above 0");

    public static int? NotNegative(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n)
            ? n
            : throw new FormatException("a whole number, 0 or more");

    public static long? Id(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0
            ? n
            : throw new FormatException("an id: a whole number above 0");

    public static DateTime? Instant(string text)
    {
        string[] formats = ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd' 'HH:mm:ssK"];
        if (DateTimeOffset.TryParseExact(text, formats, CultureInfo.InvariantCulture, DateTimeStyles.None, out var instant)
            && (text.EndsWith('Z') || text.LastIndexOfAny(['+', '-']) > 10)
            && instant.Year is >= 2000 and < 2200)
        {
            return instant.UtcDateTime;
        }

        throw new FormatException("an instant with its zone, such as 2026-11-20T06:00:00Z");
    }

    /// <summary>Written exactly as one of these.</summary>
    public static Func<string, string?> OneOf(params string[] values) => text =>
        values.Contains(text) ? text : throw new FormatException($"{string.Join(", ", values[..^1])} or {values[^1]}");

    public static OutputFormat Output(string text) => text switch
    {
        "text" => OutputFormat.Text,
        "json" => OutputFormat.Json,
        _ => throw new FormatException("text or json"),
    };

    public static TimeSpan? Duration(string text) => Runs.Duration.Parse(text);

    public static Shard? Shard(string text) => Runs.Shard.Parse(text);
}

public enum OutputFormat
{
    Text,
    Json,
}
