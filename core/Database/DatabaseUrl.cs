using System.Text.RegularExpressions;
using Npgsql;

namespace Jobs.Database;

/// <summary>
/// Reads a database URL in every form PostgreSQL's own programs take, and Npgsql's: a libpq URI
/// (<c>postgresql://user:secret@host:5432/shop?sslmode=verify-full</c>), a libpq keyword string (<c>host=db dbname=shop</c>) or an
/// Npgsql connection string (<c>Host=db;Database=shop</c>). Npgsql itself takes only the last.
/// </summary>
public static partial class DatabaseUrl
{
    /// <summary>
    /// The settings of the connection. Unless the URL says otherwise: no GSS encryption (no round trip is spent asking for it), no
    /// reset when a connection returns to the pool (these programs leave no session state, and a pooler in between forbids it),
    /// no error details (they quote rows) and no prepared statements.
    /// </summary>
    /// <remarks>
    /// As in libpq, a later query parameter replaces what the authority says, a missing database is named like the user, and
    /// <c>sslmode=require</c> with a root certificate verifies the server's. A missing host is <c>localhost</c>.
    /// </remarks>
    /// <exception cref="DatabaseUrlException">The value cannot be understood in full. Nothing is guessed or ignored.</exception>
    public static NpgsqlConnectionStringBuilder Parse(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var text = Unwrap(value);
        if (text.Length == 0)
            throw new DatabaseUrlException("The database URL is empty: write postgresql://user:password@host:5432/database.");
        if (text.Contains('\0', StringComparison.Ordinal))
            throw new DatabaseUrlException("The database URL contains a zero byte: it was probably read from the wrong file.");

        if (Scheme(text) is { } scheme)
        {
            CheckScheme(scheme.ToLowerInvariant());
            return LibpqUri.Parse(text[(scheme.Length + 3)..]).ToBuilder();
        }

        RefuseWhatOnlyLooksLikeOne(text);
        return LibpqKeywords.Recognizes(text) ? LibpqKeywords.Parse(text).ToBuilder() : NpgsqlKeywords.Parse(text);
    }

    /// <summary>What files and shells leave around a value: line ends, a byte order mark, one pair of quotes.</summary>
    private static string Unwrap(string value)
    {
        var text = value.Trim().Trim('\uFEFF').Trim();
        if (text.Length >= 2 && text[0] == text[^1] && text[0] is '"' or '\'')
            text = text[1..^1].Trim();
        return text;
    }

    /// <returns>What stands before <c>://</c>, if that is a scheme; every run passes here, so without a regular expression.</returns>
    private static string? Scheme(string text)
    {
        var end = text.IndexOf("://", StringComparison.Ordinal);
        if (end < 0)
            return null;
        var name = text[..end];
        var last = name.StartsWith("jdbc:", StringComparison.OrdinalIgnoreCase) ? name[5..] : name;
        return last.Length > 0 && char.IsAsciiLetter(last[0]) && last.All(c => char.IsAsciiLetterOrDigit(c) || c is '+' or '.' or '-') ? name : null;
    }

    private static void CheckScheme(string scheme)
    {
        var problem = scheme switch
        {
            "postgres" or "postgresql" => null,
            "http" or "https" => "is a web address, not a database's",
            "jdbc:postgresql" => "is written for Java: remove \"jdbc:\" and write user and password as user:password@ before the host",
            "mysql" or "mariadb" or "sqlserver" or "mssql" or "mongodb" or "mongodb+srv" or "redis" or "rediss" or "sqlite" or "oracle" or "amqp"
                => "is for another kind of server: a PostgreSQL database is needed",
            _ when scheme.StartsWith("postgres", StringComparison.Ordinal) && scheme.Contains('+', StringComparison.Ordinal)
                => "names a driver after \"+\": remove it and begin with postgresql://",
            _ => "begins with an unknown scheme: it must begin with postgresql:// or postgres://",
        };
        if (problem is not null)
            throw new DatabaseUrlException($"The database URL {problem}.");
    }

    private static void RefuseWhatOnlyLooksLikeOne(string text)
    {
        if (Assignment().IsMatch(text))
            throw new DatabaseUrlException("The database URL contains the name of its variable: give only what follows the first \"=\".");
        if (text.StartsWith("psql ", StringComparison.OrdinalIgnoreCase))
            throw new DatabaseUrlException("The database URL begins with the command psql: give only the address that follows it.");
        if (text.StartsWith("postgres:", StringComparison.OrdinalIgnoreCase) || text.StartsWith("postgresql:", StringComparison.OrdinalIgnoreCase))
            throw new DatabaseUrlException("The database URL needs two slashes after the scheme: postgresql://user:password@host:5432/database.");
        if (!text.Contains('=', StringComparison.Ordinal))
            throw new DatabaseUrlException("The database URL has no scheme: it must begin with postgresql:// or postgres://.");
    }

    [GeneratedRegex("^(export\\s+)?[A-Z][A-Z0-9_]*\\s*=\\s*[\"']?(postgres|postgresql)://", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Assignment();
}
