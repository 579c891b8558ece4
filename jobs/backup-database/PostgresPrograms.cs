using System.Globalization;
using System.Text.RegularExpressions;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// pg_dump and pg_restore of one version. They must not be older than the server: an older pg_dump does not know all that is to be
/// dumped. The server's own version is best, since a newer one writes what an older server does not understand.
/// </summary>
internal sealed partial record PostgresPrograms(string Folder, int Major, string Version)
{
    private const string Debian = "/usr/lib/postgresql";

    /// <param name="folder">Looked into and nowhere else; null: the folders of PATH, then those of Debian's packages.</param>
    public static async Task<PostgresPrograms> FindAsync(string? folder, Version server, CancellationToken cancellation)
    {
        var found = new List<PostgresPrograms>();
        foreach (var place in folder is null ? Places() : [folder])
        {
            if (await InAsync(place, cancellation) is { } programs)
            {
                found.Add(programs);
            }
        }

        var where = folder is null ? $"on PATH or in {Debian}/*/bin" : $"in {folder}";
        return found.Count == 0
            ? throw new OperatorException(
                $"there is no pg_dump {where}; install the client programs of PostgreSQL {server.Major}, or name their folder with --pg-bin")
            : found.Where(p => p.Major >= server.Major).OrderBy(p => p.Major).FirstOrDefault()
                ?? throw new OperatorException(
                    $"pg_dump is of PostgreSQL {found.Max(p => p.Major)} ({found.MaxBy(p => p.Major)!.Folder}) and the server of {server.Major}: an older pg_dump would leave things out; install the client programs of PostgreSQL {server.Major}, or name their folder with --pg-bin");
    }

    private static IEnumerable<string> Places() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(Directory.Exists(Debian) ? Directory.GetDirectories(Debian).Order(StringComparer.Ordinal).Select(d => Path.Combine(d, "bin")) : [])
            .Distinct(StringComparer.Ordinal);

    private static async Task<PostgresPrograms?> InAsync(string folder, CancellationToken cancellation)
    {
        var dump = Path.Combine(folder, "pg_dump");
        // Debian's is a script that chooses among those in its own folders.
        if (!File.Exists(dump) || !File.Exists(Path.Combine(folder, "pg_restore"))
            || new FileInfo(dump).LinkTarget?.EndsWith("pg_wrapper", StringComparison.Ordinal) == true)
        {
            return null;
        }

        var programs = new PostgresPrograms(folder, 0, "");
        await using var child = programs.Start("pg_dump", ["--version"], null, null);
        child.CloseInput();
        using var reader = new StreamReader(child.Stdout);
        var text = await reader.ReadToEndAsync(cancellation);
        await child.SucceedAsync(cancellation);
        var match = Number().Match(text);
        return match.Success
            ? programs with { Major = int.Parse(match.Groups["major"].Value, CultureInfo.InvariantCulture), Version = match.Value }
            : throw new OperatorException($"{dump} --version says '{text.Trim()}', which is no version; name another folder with --pg-bin");
    }

    /// <summary>
    /// Starts one of them. In an image they come with every library they need, libc and the loader too: the image's own may be
    /// of another age.
    /// </summary>
    public Child Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment, Action<string>? onLine)
    {
        var path = Path.Combine(Folder, program);
        var libraries = Path.GetFullPath(Path.Combine(Folder, "..", "lib"));
        var loader = Path.Combine(libraries, "ld-linux-x86-64.so.2");
        return File.Exists(loader)
            ? Child.Start(loader, ["--library-path", libraries, path, .. arguments], environment, onLine, program)
            : Child.Start(path, arguments, environment, onLine);
    }

    [GeneratedRegex(@"(?<major>\d+)(\.\d+|devel|beta\d+|rc\d+)*", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Number();
}
