namespace Jobs.Database;

/// <summary>The nearest of the known names, for a misspelt one.</summary>
internal static class Suggestion
{
    /// <returns>What follows "an unknown parameter": the name, if it may be shown, and the name probably meant.</returns>
    public static string For(string name, bool quotable, IReadOnlyCollection<string> known)
    {
        var shown = quotable && name.Length is > 1 and <= 40 && name.All(c => char.IsAsciiLetter(c) || c is '_' or ' ') ? $" \"{name}\"" : "";
        var nearest = name.Length > 40 ? null : known.Select(candidate => (candidate, distance: Distance(Fold(name), Fold(candidate)))).MinBy(pair => pair.distance).candidate;
        return nearest is not null && Distance(Fold(name), Fold(nearest)) <= Math.Max(1, nearest.Length / 3)
            ? $"{shown}: did you mean {nearest}?"
            : $"{shown}: check its spelling or remove it";
    }

    /// <summary>Case, blanks and underscores make no difference.</summary>
    private static string Fold(string name) => string.Concat(name.Where(char.IsLetterOrDigit)).ToLowerInvariant();

    /// <summary>Insertions, deletions and replacements that lead from one to the other (Levenshtein).</summary>
    private static int Distance(string from, string to)
    {
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        for (var i = 1; i <= from.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= to.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (from[i - 1] == to[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
