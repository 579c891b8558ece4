using System.Security.Cryptography;
using System.Text;
using Jobs.Runs;

namespace Jobs;

/// <summary>One embedded .sql file; they apply in the order of their names.</summary>
public sealed record Script(string Name, string Sql, string Sha256)
{
    /// <exception cref="OperatorException">The folder cannot be read or holds no script.</exception>
    /// <param name="folder">Read this folder instead of the embedded scripts.</param>
    public static IReadOnlyList<Script> All(string? folder)
    {
        var scripts = folder is null ? Embedded() : Of(folder);
        return [.. scripts.OrderBy(s => s.Name, StringComparer.Ordinal)];
    }

    private static IEnumerable<Script> Embedded() =>
        typeof(Script).Assembly.GetManifestResourceNames()
            .Where(n => n.EndsWith(".sql", StringComparison.Ordinal))
            .Select(n => From(n, typeof(Script).Assembly.GetManifestResourceStream(n)!));

    private static Script[] Of(string folder)
    {
        try
        {
            Script[] scripts = [.. Directory.EnumerateFiles(folder, "*.sql").Select(f => From(Path.GetFileName(f), File.OpenRead(f)))];
            return scripts.Length > 0 ? scripts : throw new OperatorException($"JOBS_MIGRATIONS_DIR names the folder '{folder}', which holds no .sql file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperatorException($"JOBS_MIGRATIONS_DIR names the folder '{folder}', which cannot be read: {e.Message}", e);
        }
    }

    private static Script From(string name, Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var sql = reader.ReadToEnd();
        // Line endings differ between checkouts and say nothing about the script.
        var sum = SHA256.HashData(Encoding.UTF8.GetBytes(sql.ReplaceLineEndings("\n")));
        return new Script(name, sql, Convert.ToHexStringLower(sum));
    }
}
