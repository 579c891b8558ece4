using System.Globalization;

namespace Jobs.Runs;

/// <summary>Durations as the command line writes them: 500ms, 90s, 5m, 12h, 7d.</summary>
public static class Duration
{
    public static TimeSpan Parse(string text)
    {
        if (text.EndsWith("ms", StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(0, text.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds > 0)
        {
            return TimeSpan.FromMilliseconds(milliseconds);
        }

        if (text.Length >= 2
            && long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var n)
            && n is > 0 and <= 100_000_000
            && SecondsPer(text[^1]) is { } unit
            && n * unit <= 3650L * 86400)
        {
            return TimeSpan.FromSeconds(n * unit);
        }

        throw new FormatException("a duration such as 90s, 5m, 12h or 7d (at most 3650d)");
    }

    /// <returns>The shortest exact form, such as "5m"; seconds are rounded.</returns>
    public static string Format(TimeSpan duration)
    {
        var seconds = (long)Math.Round(duration.TotalSeconds);
        foreach (var unit in "dhm")
        {
            if (seconds > 0 && seconds % SecondsPer(unit)!.Value == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{seconds / SecondsPer(unit)!.Value}{unit}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{seconds}s");
    }

    private static long? SecondsPer(char unit) => unit switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => null };
}
