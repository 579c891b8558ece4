namespace Jobs.Runs;

/// <summary>Reads a developer's `.env`: NAME=value lines, `#` comments, optional quotes. Published jobs never read one.</summary>
internal static class DotEnv
{
    public static void ReadNearest(string directory, Dictionary<string, string> values)
    {
        for (var folder = new DirectoryInfo(directory); folder is not null; folder = folder.Parent)
        {
            var file = Path.Combine(folder.FullName, ".env");
            if (File.Exists(file))
            {
                Read(File.ReadLines(file), values);
                return;
            }
        }
    }

    internal static void Read(IEnumerable<string> lines, Dictionary<string, string> values)
    {
        foreach (var line in lines)
        {
            var text = line.Trim();
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            if (text.StartsWith('#') || equals <= 0)
            {
                continue;
            }

            var name = text[..equals].Trim();
            name = name.StartsWith("export ", StringComparison.Ordinal) ? name[7..].Trim() : name;
            values[name] = Unquote(text[(equals + 1)..].Trim());
        }
    }

    private static string Unquote(string value)
    {
        if (value.Length >= 2 && value[0] is '"' or '\'' && value[^1] == value[0])
        {
            return value[1..^1];
        }

        var comment = value.IndexOf(" #", StringComparison.Ordinal);
        return comment >= 0 ? value[..comment].TrimEnd() : value;
    }
}
