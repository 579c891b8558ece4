using System.Diagnostics;
using Jobs.Database;
using Npgsql;

namespace Jobs;

/// <summary>A PostgreSQL server on which backup-database works with connections of its own, kept open: never pooled.</summary>
internal sealed class Server
{
    private readonly NpgsqlConnectionStringBuilder _login;

    public Server(string url, string application)
    {
        _login = DatabaseUrl.Parse(url);
        _login.Pooling = false;
        _login.KeepAlive = 30;
        _login.ApplicationName ??= application;
        _login.HostRecheckSeconds = 0;
    }

    public string Database => _login.Database!;

    /// <param name="database">Null: the one of the URL.</param>
    public async Task<NpgsqlConnection> OpenAsync(string? database, CancellationToken cancellation)
    {
        var connection = new NpgsqlConnection(For(database).ConnectionString);
        try
        {
            await connection.OpenAsync(cancellation).WaitAsync(cancellation);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>A database that is there on any server: the one asked for may not be there yet.</summary>
    public async Task<NpgsqlConnection> OpenMaintenanceAsync(CancellationToken cancellation)
    {
        try
        {
            return await OpenAsync("postgres", cancellation);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.InsufficientPrivilege)
        {
            return await OpenAsync("template1", cancellation);
        }
    }

    public NpgsqlConnectionStringBuilder For(string? database) => new(_login.ConnectionString) { Database = database ?? _login.Database };

    /// <summary>For libpq's programs: on the very server that answered.</summary>
    public IReadOnlyDictionary<string, string> Environment(NpgsqlConnection answered, string? database) =>
        LibpqEnvironment.Of(For(database), answered.Host, answered.Port);

    public static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellation);
    }

    public static async Task<T> ScalarAsync<T>(NpgsqlConnection connection, string sql, CancellationToken cancellation, params (string Name, object Value)[] parameters)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return (T)(await command.ExecuteScalarAsync(cancellation))!;
    }

    public static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    // A session's lock, so that it ends with the process, however that ends. Whoever looks for it need not be in the same database.
    private const string Lock =
        """
        SELECT pg_advisory_lock_shared(hashtextextended('backup-database ' || @Run, 0)),
               (SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout')
        """;

    private const string Locked =
        """
        SELECT EXISTS (
            SELECT FROM pg_locks AS l, hashtextextended('backup-database ' || @Run, 0) AS key
            WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
              AND l.classid = ((key >> 32) & 4294967295)::oid AND l.objid = (key & 4294967295)::oid)
        """;

    /// <summary>Says that the run lives for as long as the connection does.</summary>
    public static async Task ShowAliveAsync(NpgsqlConnection connection, Guid run, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(Lock, connection);
        command.Parameters.AddWithValue("Run", run.ToString("N"));
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>One that was killed a moment ago is waited for: its session ends a little later.</summary>
    public static async Task<bool> LivesAsync(NpgsqlConnection connection, Guid run, CancellationToken cancellation)
    {
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(200, cancellation))
        {
            if (!await ScalarAsync<bool>(connection, Locked, cancellation, ("Run", run.ToString("N"))))
            {
                return false;
            }

            if (clock.Elapsed > TimeSpan.FromSeconds(6))
            {
                return true;
            }
        }
    }
}
