using System.Globalization;
using System.Text.RegularExpressions;

namespace Jobs.Testing;

/// <summary>Finds the folder that holds a PostgreSQL server's programs.</summary>
internal static partial class ServerBinaries
{
    private static readonly string[] Needed = ["postgres", "initdb", "pg_ctl"];

    public static string? Find() => Candidates().FirstOrDefault(IsComplete);

    private static IEnumerable<string> Candidates()
    {
        // A link on the PATH leads to the real folder, in which psql and pg_dump of the same version lie too.
        if (Command.Find("postgres") is { } onPath)
            yield return Path.GetDirectoryName(File.ResolveLinkTarget(onPath, returnFinalTarget: true)?.FullName ?? onPath)!;
        if (Command.Find("initdb") is { } initdb)
            yield return Path.GetDirectoryName(initdb)!;

        foreach (var folder in Versions("/usr/lib/postgresql", "*", "bin")
            .Concat(Versions("/usr", "pgsql-*", "bin"))
            .Concat(Versions("/opt/homebrew/opt", "postgresql*", "bin"))
            .Append("/opt/homebrew/bin")
            .Concat(Versions("/usr/local/opt", "postgresql*", "bin"))
            .Concat(["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/libexec/postgresql"]))
            yield return folder;
    }

    private static IEnumerable<string> Versions(string parent, string pattern, string child) =>
        Directory.Exists(parent)
            ? Directory.GetDirectories(parent, pattern).OrderByDescending(Major).Select(folder => Path.Combine(folder, child))
            : [];

    private static int Major(string folder) =>
        int.TryParse(Digits().Match(Path.GetFileName(folder)).Value, CultureInfo.InvariantCulture, out var major) ? major : 0;

    private static bool IsComplete(string folder) => Needed.All(program => File.Exists(Path.Combine(folder, program)));

    [GeneratedRegex("[0-9]+", RegexOptions.None, 1000)]
    private static partial Regex Digits();
}
