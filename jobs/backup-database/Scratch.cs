using System.Text.RegularExpressions;
using Jobs.Runs;
using Npgsql;

namespace Jobs;

/// <summary>
/// A database that a run makes for itself and drops. Its name says what it is and whose; nobody is configured to connect to it.
/// What runs leave behind that were killed is dropped by the next.
/// </summary>
internal sealed partial class Scratch : IAsyncDisposable
{
    private const string Mark = "Made by backup-database for a while: the next run drops it if the one that made it is gone.";

    private readonly Server _server;
    private readonly NpgsqlConnection _admin;
    private bool _dropped;

    private Scratch(Server server, NpgsqlConnection admin, string name)
    {
        (_server, _admin, Name) = (server, admin, name);
    }

    public string Name { get; private set; }
    public NpgsqlConnection Admin => _admin;
    public int Major => _admin.PostgreSqlVersion.Major;
    public IReadOnlyDictionary<string, string> Environment => _server.Environment(_admin, Name);

    /// <param name="admin">Owned from here on.</param>
    /// <param name="purpose">verify or restore.</param>
    public static async Task<Scratch> CreateAsync(
        Server server, NpgsqlConnection admin, string purpose, Guid run, (string Encoding, string Collation, string CharacterType) locale, CancellationToken cancellation)
    {
        var scratch = new Scratch(server, admin, $"jobs_backup_{purpose}_{run:N}");
        try
        {
            await Server.ShowAliveAsync(admin, run, cancellation);
            // An earlier attempt of this very run.
            await scratch.DropAsync(cancellation);
            scratch._dropped = false;
            await scratch.CreateAsync(locale, cancellation);
            await Server.ExecuteAsync(admin, $"COMMENT ON DATABASE {Server.Quoted(scratch.Name)} IS '{Mark}'", cancellation);
            return scratch;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            await scratch.DisposeAsync();
            throw new OperatorException(
                $"no database can be made to restore into ({e.MessageText}): ALTER ROLE {admin.UserName} CREATEDB, or set BACKUP_VERIFY_URL to a server where it may", e);
        }
        catch
        {
            await scratch.DisposeAsync();
            throw;
        }
    }

    private async Task CreateAsync((string Encoding, string Collation, string CharacterType) locale, CancellationToken cancellation)
    {
        var create = $"CREATE DATABASE {Server.Quoted(Name)} TEMPLATE template0 ENCODING {Text(locale.Encoding)}";
        try
        {
            await Server.ExecuteAsync(_admin, $"{create} LC_COLLATE {Text(locale.Collation)} LC_CTYPE {Text(locale.CharacterType)}", cancellation);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.WrongObjectType or PostgresErrorCodes.InvalidParameterValue)
        {
            // A server on another system, which names its locales otherwise.
            await Server.ExecuteAsync(_admin, create, cancellation);
        }
    }

    private static string Text(string value) => $"'{value.Replace("'", "''", StringComparison.Ordinal)}'";

    public Task<NpgsqlConnection> OpenAsync(CancellationToken cancellation) => _server.OpenAsync(Name, cancellation);

    private async Task DropAsync(CancellationToken cancellation)
    {
        await DropAsync(_admin, Name, cancellation);
        _dropped = true;
    }

    private static async Task DropAsync(NpgsqlConnection admin, string name, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await DropOnceAsync(admin, name, cancellation);
                return;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse && attempt < DropAttempts)
            {
                // Sessions that were told to end have not come to it: PostgreSQL itself waits five seconds for them, each time.
            }
        }
    }

    private const int DropAttempts = 6;

    private static async Task DropOnceAsync(NpgsqlConnection admin, string name, CancellationToken cancellation)
    {
        try
        {
            await Server.ExecuteAsync(admin, $"DROP DATABASE IF EXISTS {Server.Quoted(name)} WITH (FORCE)", cancellation);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            // Autovacuum is in it: only a superuser's FORCE may end that. Without FORCE PostgreSQL ends it by itself, and nothing else.
            await Server.ScalarAsync<long>(admin, EndOurs, cancellation, ("Name", name));
            await Server.ExecuteAsync(admin, $"DROP DATABASE IF EXISTS {Server.Quoted(name)}", cancellation);
        }
    }

    /// <summary>It is no scratch any more: it takes the place of <paramref name="name"/>, if there is such a database, which is empty.</summary>
    public async Task BecomeAsync(string name, string comment, CancellationToken cancellation)
    {
        await Server.ExecuteAsync(_admin, $"DROP DATABASE IF EXISTS {Server.Quoted(name)}", cancellation);
        await Server.ExecuteAsync(_admin, $"ALTER DATABASE {Server.Quoted(Name)} RENAME TO {Server.Quoted(name)}", cancellation);
        _dropped = true;
        // A database of that name is nobody's scratch, whatever its comment says.
        await Server.ExecuteAsync(_admin, $"COMMENT ON DATABASE {Server.Quoted(name)} IS {Text(comment)}", cancellation);
        Name = name;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (!_dropped)
            {
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
                await DropAsync(patience.Token);
            }
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException or InvalidOperationException)
        {
            // The next run does it.
        }

        await _admin.DisposeAsync();
    }

    private const string EndOurs =
        "SELECT count(pg_terminate_backend(s.pid)) FROM pg_stat_activity AS s WHERE s.datname = @Name AND s.usename = current_user AND s.backend_type = 'client backend'";

    private const string Candidates =
        """
        SELECT string_agg(d.datname, ' ' ORDER BY d.datname)
        FROM pg_database AS d
        WHERE d.datname ~ '^jobs_backup_(verify|restore)_[0-9a-f]{32}$' AND pg_get_userbyid(d.datdba) = current_user
          AND coalesce(shobj_description(d.oid, 'pg_database'), @Mark) = @Mark
        """;

    // 'gone', 'marked' or 'unmarked'.
    private const string Standing =
        """
        SELECT coalesce((SELECT CASE WHEN shobj_description(d.oid, 'pg_database') IS NULL THEN 'unmarked' ELSE 'marked' END FROM pg_database AS d WHERE d.datname = @Name), 'gone')
        """;

    private const string Holds = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')";

    /// <summary>How many relations of somebody's a database has.</summary>
    public static Task<long> RelationsAsync(NpgsqlConnection connection, CancellationToken cancellation) =>
        Server.ScalarAsync<long>(connection, Holds, cancellation);

    /// <summary>
    /// Drops those of runs that are gone, and tells how many. Only what carries our mark, or nothing at all: the mark comes after the making.
    /// Other runs do the same at the same time, and one that does not go now keeps nobody from a backup.
    /// </summary>
    public static async Task<int> DropLeftoversAsync(Server server, NpgsqlConnection admin, JobRun run)
    {
        var dropped = 0;
        await using var command = new NpgsqlCommand(Candidates, admin);
        command.Parameters.AddWithValue("Mark", Mark);
        var names = await command.ExecuteScalarAsync(run.Stopping) as string ?? "";
        foreach (var name in names.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Guid.TryParseExact(Run().Match(name).Value, "N", out var maker) || await Server.LivesAsync(admin, maker, run.Stopping)
                || !await IsLeftoverAsync(server, admin, name, run.Stopping))
            {
                continue;
            }

            try
            {
                if (!run.DryRun)
                {
                    await DropAsync(admin, name, run.Stopping);
                }

                dropped++;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.ObjectInUse or PostgresErrorCodes.InternalError)
            {
                run.Log.LogNotDropped(name, e.MessageText);
            }
        }

        return dropped;
    }

    private static async Task<bool> IsLeftoverAsync(Server server, NpgsqlConnection admin, string name, CancellationToken cancellation)
    {
        var standing = await Server.ScalarAsync<string>(admin, Standing, cancellation, ("Name", name));
        if (standing != "unmarked")
        {
            return standing == "marked";
        }

        try
        {
            await using var connection = await server.OpenAsync(name, cancellation);
            return await RelationsAsync(connection, cancellation) == 0;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectNotInPrerequisiteState)
        {
            // What is left of a database whose dropping was interrupted: PostgreSQL lets nobody in any more.
            return true;
        }
        catch (NpgsqlException e) when (e is not PostgresException { SqlState: not (PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.AdminShutdown) })
        {
            // Another run drops it at this moment, and ends whoever is in it. (Were it the server that goes down, the next question tells.)
            return false;
        }
    }

    [GeneratedRegex("[0-9a-f]{32}$", RegexOptions.None, 1000)]
    private static partial Regex Run();
}
