using System.Security.Cryptography;
using System.Text;

namespace Jobs;

/// <summary>One embedded .sql file; they apply in the order of their names.</summary>
public sealed record Script(string Name, string Sql, string Sha256)
{
    /// <param name="folder">Read this folder instead of the embedded scripts.</param>
    public static IReadOnlyList<Script> All(string? folder)
    {
        var scripts = folder is null
            ? typeof(Script).Assembly.GetManifestResourceNames()
                .Where(n => n.EndsWith(".sql", StringComparison.Ordinal))
                .Select(n => From(n, typeof(Script).Assembly.GetManifestResourceStream(n)!))
            : Directory.EnumerateFiles(folder, "*.sql").Select(f => From(Path.GetFileName(f), File.OpenRead(f)));
        return [.. scripts.OrderBy(s => s.Name, StringComparer.Ordinal)];
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
