using System.Data;
using System.Net.Sockets;
using System.Security.Authentication;
using Jobs.Database;
using Jobs.Stripe;
using Jobs.SumUp;
using Npgsql;

namespace Jobs.Runs;

/// <summary>The one table from exceptions to what an operator reads: what is wrong, and how to mend it.</summary>
internal static class Failures
{
    /// <returns>True when the sentence says it all, so that a stack trace would only hide it.</returns>
    public static bool IsPlain(Exception e) =>
        e is OperatorException or DatabaseUrlException or NpgsqlException or DataException { InnerException: NpgsqlException } || IsProviders(e);

    /// <summary>A provider's refusal or silence.</summary>
    public static bool IsProviders(Exception e) => e is StripeException or SumUpException;

    /// <returns>One line, whatever line ends were in what it quotes.</returns>
    public static string Sentence(Exception e) => string.Concat(Describe(e).Select(c => char.IsControl(c) ? ' ' : c));

    private static string Describe(Exception e) => e switch
    {
        DatabaseUrlException => $"DATABASE_URL: {e.Message}",
        StripeException { IsAuthentication: true } or StripeException { IsPermission: true } =>
            $"Stripe refuses the key: {e.Message}; check STRIPE_SECRET_KEY and its permissions",
        PostgresException p => OfServer(p),
        DataException { InnerException: NpgsqlException inRow } => Describe(inRow),
        NpgsqlException n when MissingFile(n) is { } missing =>
            $"a file that DATABASE_URL names cannot be read ({missing}); check sslrootcert, sslcert and sslkey",
        NpgsqlException { InnerException: AuthenticationException a } =>
            $"the database's TLS certificate was refused ({a.Message}); check sslmode and sslrootcert in DATABASE_URL",
        NpgsqlException n when n.Message.Contains("SSL", StringComparison.Ordinal) =>
            $"the database connection could not be encrypted as DATABASE_URL asks ({n.Message}); check its sslmode, or turn TLS on at the server",
        NpgsqlException { InnerException: SocketException s } =>
            $"the database cannot be reached ({s.Message}); check host and port in DATABASE_URL and that PostgreSQL is running",
        NpgsqlException { InnerException: TimeoutException } or TimeoutException =>
            "the database did not answer in time; check host and port in DATABASE_URL and the server's load",
        NpgsqlException { InnerException: AggregateException { InnerExceptions: [var ofFirstHost, ..] } } => Describe(ofFirstHost),
        NpgsqlException n => $"the database connection failed: {n.Message}",
        SocketException s => $"the network failed: {s.Message}",
        _ => e.Message,
    };

    private static string? MissingFile(Exception? e)
    {
        while (e is not (null or FileNotFoundException or DirectoryNotFoundException))
        {
            e = e.InnerException;
        }

        return e?.Message;
    }

    private static string OfServer(PostgresException p) => p.SqlState switch
    {
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification =>
            $"the database refused the login ({p.MessageText}); check user and password in DATABASE_URL",
        PostgresErrorCodes.InvalidCatalogName => $"{p.MessageText}; create it, or correct the name in DATABASE_URL",
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn =>
            $"the database lacks tables of this version ({p.MessageText}); run the job `migrate` first",
        PostgresErrorCodes.InsufficientPrivilege =>
            $"the database role may not do this ({p.MessageText}); run migrations/grants.sql and log in as a member of the role `jobs`",
        PostgresErrorCodes.ReadOnlySqlTransaction => "the database is read-only (a standby?); point DATABASE_URL at the primary server",
        PostgresErrorCodes.DiskFull => "the database server's disk is full; free space on it, then run again",
        PostgresErrorCodes.TooManyConnections => "the database has no free connection; raise max_connections or run fewer jobs at once",
        PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow =>
            $"the database is restarting ({p.MessageText}); run again when it is up",
        PostgresErrorCodes.QueryCanceled => $"the database gave up a statement ({p.MessageText}); look for locks or a slow disk",
        _ => $"the database said {p.SqlState}: {p.MessageText}",
    };
}
