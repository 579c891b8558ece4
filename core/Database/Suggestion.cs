namespace Jobs.Database;

/// <summary>"Did you mean": the known name nearest to a misspelt one.</summary>
public static class Suggestion
{
    private const int LongestName = 40;

    /// <returns>The nearest of <paramref name="known"/>, or null when none is near enough to be meant.</returns>
    public static string? Nearest(string name, IEnumerable<string> known)
    {
        if (name.Length > LongestName)
            return null;
        var folded = Fold(name);
        var (nearest, distance) = known.Select(candidate => (candidate, Distance(folded, Fold(candidate)))).MinBy(pair => pair.Item2);
        return nearest is not null && distance <= Math.Max(1, Fold(nearest).Length / 3) ? nearest : null;
    }

    /// <returns>What follows "an unknown parameter": the name, if it may be shown, and the name probably meant.</returns>
    internal static string For(string name, bool quotable, IEnumerable<string> known)
    {
        var shown = quotable && name.Length is > 1 and <= LongestName && name.All(c => char.IsAsciiLetter(c) || c is '_' or ' ') ? $" \"{name}\"" : "";
        return Nearest(name, known) is { } nearest ? $"{shown}: did you mean {nearest}?" : $"{shown}: check its spelling or remove it";
    }

    /// <summary>Case, blanks, dashes and underscores make no difference.</summary>
    private static string Fold(string name) => string.Concat(name.Where(char.IsLetterOrDigit)).ToLowerInvariant();

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.</summary>
    private static int Distance(string from, string to)
    {
        var d = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++)
            d[i, 0] = i;
        for (var j = 0; j <= to.Length; j++)
            d[0, j] = j;
        for (var i = 1; i <= from.Length; i++)
        {
            for (var j = 1; j <= to.Length; j++)
            {
                var replace = from[i - 1] == to[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + replace);
                if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }

        return d[from.Length, to.Length];
    }
}
