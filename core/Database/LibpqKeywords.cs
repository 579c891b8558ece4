using System.Text;
using System.Text.RegularExpressions;

namespace Jobs.Database;

/// <summary>libpq's other form: <c>host=db dbname=shop password='it\'s secret'</c>.</summary>
internal static partial class LibpqKeywords
{
    /// <summary>Whether the text is meant as such, rather than as an Npgsql string, whose pairs are parted by semicolons.</summary>
    public static bool Recognizes(string text)
    {
        List<(string Name, string Value)> pairs;
        try
        {
            pairs = Split(text);
        }
        catch (DatabaseUrlException)
        {
            return !text.Contains(';', StringComparison.Ordinal) && LibpqNames.IsKnown(FirstWord().Match(text).Value);
        }

        return text.Contains(';', StringComparison.Ordinal)
            ? pairs.TrueForAll(pair => LibpqNames.IsKnown(pair.Name) && !NextPair().IsMatch(pair.Value))
            : pairs.Count > 1 || LibpqNames.IsKnown(pairs[0].Name);
    }

    public static LibpqSettings Parse(string text)
    {
        var settings = new LibpqSettings();
        foreach (var (name, value) in Split(text))
        {
            LibpqNames.Check(name, quotable: true);
            if (settings.Get(name) is { } earlier && !string.Equals(earlier, value, StringComparison.Ordinal))
                throw new DatabaseUrlException($"The database URL gives {name} twice with different values: keep one.");
            settings.Set(name, value);
        }

        return settings;
    }

    private static List<(string Name, string Value)> Split(string text)
    {
        List<(string, string)> pairs = [];
        var at = 0;
        while (Skip(text, ref at))
        {
            var start = at;
            while (at < text.Length && text[at] != '=' && !char.IsWhiteSpace(text[at]))
                at++;
            var name = text[start..at];
            Skip(text, ref at);
            if (at >= text.Length || text[at] != '=' || name.Length == 0)
                throw new DatabaseUrlException("The database URL has a word without \"=\": put a value that contains spaces in single quotes, password='two words'.");
            at++;
            Skip(text, ref at);
            pairs.Add((name, ReadValue(text, ref at)));
        }

        return pairs;
    }

    private static string ReadValue(string text, ref int at)
    {
        var value = new StringBuilder();
        var quoted = at < text.Length && text[at] == '\'';
        if (quoted)
            at++;
        for (; at < text.Length; at++)
        {
            var c = text[at];
            if (quoted ? c == '\'' : char.IsWhiteSpace(c))
                break;
            if (c == '\\')
            {
                if (++at == text.Length)
                    break;
                c = text[at];
            }

            value.Append(c);
        }

        if (quoted)
        {
            if (at >= text.Length)
                throw new DatabaseUrlException("The database URL has a single quote that is not closed: write a quote inside a value as \\'.");
            at++;
        }

        return value.ToString();
    }

    /// <returns>Whether anything is left.</returns>
    private static bool Skip(string text, ref int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
            at++;
        return at < text.Length;
    }

    [GeneratedRegex("^[a-z_]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex FirstWord();

    [GeneratedRegex(";\\s*[A-Za-z][A-Za-z ]*=", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex NextPair();
}
