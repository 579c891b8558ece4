using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Npgsql;

namespace Jobs.Doctor;

/// <summary>The server, what stands between it and us, and whether its schema is ours.</summary>
internal sealed class DatabaseChecks(ToolRun run)
{
    private const int OldestMajor = 14;
    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(20);
    private readonly Db _db = run.Database(readOnly: true);

    /// <summary>This machine's clock ahead of the server's; null: not known.</summary>
    public TimeSpan? Skew { get; private set; }

    /// <summary>Every script of this version is there: the data can be looked at.</summary>
    public bool IsMigrated { get; private set; }

    public IEnumerable<Check> Reach => [new("database", ReachAsync)];

    public IEnumerable<Check> All() =>
    [
        new("clock", ClockAsync), new("tls", TlsAsync), new("role", RoleAsync), new("time-outs", TimeOutsAsync), new("pooler", PoolerAsync),
        new("migrations", MigrationsAsync), new("time zone", ZoneAsync),
    ];

    private sealed class Server
    {
        public string Version { get; init; } = "";
        public int Number { get; init; }
        public DateTime Now { get; init; }
        public bool IsReadOnly { get; init; }
        public bool Ssl { get; init; }
        public bool IsLocal { get; init; }
        public int Used { get; init; }
        public int Most { get; init; }
    }

    private Server _server = new();

    private const string Look =
        """
        SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number, clock_timestamp() AS now,
               pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS is_read_only,
               coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS ssl,
               inet_client_addr() IS NULL OR inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() = '::1' AS is_local,
               (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
               current_setting('max_connections')::int AS most
        """;

    private async Task<Finding> ReachAsync(CancellationToken cancellation)
    {
        await AskAsync(cancellation);
        // The fastest answer tells most of the way and of the clock there.
        var latency = TimeSpan.MaxValue;
        for (var time = 0; time < 5; time++)
        {
            var (clock, before) = (Stopwatch.StartNew(), DateTime.UtcNow);
            await AskAsync(cancellation);
            if (clock.Elapsed is var elapsed && elapsed < latency)
            {
                (latency, Skew) = (elapsed, before + (elapsed / 2) - _server.Now);
            }
        }

        var says = string.Create(CultureInfo.InvariantCulture, $"PostgreSQL {_server.Version} answers in {latency.TotalMilliseconds:0.0} ms, {_server.Used} of {_server.Most} connections in use");
        return _server.IsReadOnly ? Finding.Wrong("database", $"{says}, but it is read-only", "point DATABASE_URL at the primary server")
            : _server.Number / 10000 < OldestMajor ? Finding.Wrong("database", says, string.Create(CultureInfo.InvariantCulture, $"the jobs need PostgreSQL {OldestMajor} or later"))
            : _server.Used > _server.Most * 9 / 10 ? Finding.Warning("database", says, "raise max_connections, or let a pooler share them")
            : latency > Slow ? Finding.Warning("database", says, "each charge takes several round trips: run the jobs nearer to the database")
            : Finding.Ok("database", says);
    }

    private async Task AskAsync(CancellationToken cancellation) =>
        _server = await _db.TransactionAsync(tx => tx.SingleAsync<Server>(Look), cancellation);

    private Task<Finding> ClockAsync(CancellationToken cancellation)
    {
        var seconds = Skew!.Value.TotalSeconds;
        var says = string.Create(CultureInfo.InvariantCulture, $"this machine's clock is {Math.Abs(seconds):0.0} s {(seconds < 0 ? "behind" : "ahead of")} PostgreSQL's");
        return Task.FromResult(Math.Abs(seconds) switch
        {
            > 60 => Finding.Wrong("clock", says, "set both by NTP: keys and retries are judged by the time"),
            > 2 => Finding.Warning("clock", says, "set both by NTP"),
            _ => Finding.Ok("clock", says),
        });
    }

    private Task<Finding> TlsAsync(CancellationToken cancellation)
    {
        var asked = DatabaseUrl.Parse(run.Settings.Required("DATABASE_URL", "the PostgreSQL to work on")).SslMode;
        return Task.FromResult(
            _server.Ssl ? asked is SslMode.VerifyFull or SslMode.VerifyCA
                ? Finding.Ok("tls", $"encrypted, and the server's certificate is verified (sslmode {asked})")
                : Finding.Warning("tls", $"encrypted, but nobody verifies whose certificate it is (sslmode {asked})", "add sslmode=verify-full and sslrootcert to DATABASE_URL")
            : _server.IsLocal ? Finding.Ok("tls", "not encrypted; the server, or a pooler on its machine, is local to it")
            : Finding.Warning("tls", $"not encrypted (sslmode {asked})", "turn TLS on at the server and add sslmode=verify-full to DATABASE_URL, unless a tunnel does it"));
    }

    private sealed class Rights
    {
        public string Name { get; init; } = "";
        public bool Superuser { get; init; }
        public bool MayCreate { get; init; }
        public bool Owns { get; init; }
        public string? Lacks { get; init; }
    }

    // Receipts and audit rows are written once, the journal is migrate's; everything else is read and written.
    private const string LookAtRole =
        """
        SELECT current_user AS name, r.rolsuper AS superuser, has_schema_privilege(current_schema(), 'CREATE') AS may_create,
               EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')) AS owns,
               (SELECT string_agg(c.relname, ', ' ORDER BY c.relname)
                FROM pg_class AS c
                WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
                  AND NOT (has_table_privilege(c.oid, 'SELECT')
                           AND (c.relname LIKE 'schemaversions%' OR has_table_privilege(c.oid, 'INSERT'))
                           AND (c.relname LIKE 'schemaversions%' OR c.relname IN ('receipts', 'audit_logs', 'audit_log_archive') OR has_table_privilege(c.oid, 'UPDATE, DELETE')))) AS lacks
        FROM pg_roles AS r
        WHERE r.rolname = current_user
        """;

    private async Task<Finding> RoleAsync(CancellationToken cancellation)
    {
        var rights = await _db.TransactionAsync(tx => tx.SingleAsync<Rights>(LookAtRole), cancellation);
        return rights.Lacks is { } tables
            ? Finding.Wrong("role", $"{rights.Name} may not read and write {tables}", "run migrations/grants.sql as the owner, and log in as a member of the role `jobs`")
            : rights is { Superuser: true } or { MayCreate: true } or { Owns: true }
                ? Finding.Warning("role", $"{rights.Name} may change the schema, which no job but migrate needs", "log in as a member of the role `jobs` (migrations/grants.sql)")
                : Finding.Ok("role", $"{rights.Name} may read and write rows, and no more");
    }

    private sealed class Limits
    {
        public string Statement { get; init; } = "";
        public string Lock { get; init; } = "";
        public string Idle { get; init; } = "";
    }

    private async Task<Finding> TimeOutsAsync(CancellationToken cancellation)
    {
        var limits = await _db.TransactionAsync(
            tx => tx.SingleAsync<Limits>(
                "SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock, current_setting('idle_in_transaction_session_timeout') AS idle"),
            cancellation);
        var says = $"statement {limits.Statement}, lock {limits.Lock}, idle in transaction {limits.Idle}";
        return limits is { Statement: "30s", Lock: "5s", Idle: "20s" }
            ? Finding.Ok("time-outs", $"{says}, in each transaction")
            : Finding.Wrong("time-outs", $"{says}: not what was set", "something between us and PostgreSQL drops SET LOCAL; use transaction or session pooling");
    }

    /// <summary>
    /// A pooler gives its own number for the process that it connects to. Two connections that are open at once and meet the same process
    /// share it by the transaction.
    /// </summary>
    private async Task<Finding> PoolerAsync(CancellationToken cancellation)
    {
        await using var one = await run.Source.OpenConnectionAsync(cancellation);
        await using var other = await run.Source.OpenConnectionAsync(cancellation);
        var (first, second) = (await PidAsync(one, cancellation), await PidAsync(other, cancellation));
        return first == one.ProcessID && second == other.ProcessID ? Finding.Ok("pooler", "none in between")
            : first == second ? Finding.Ok("pooler", "one in between, which shares connections by the transaction; the jobs keep nothing in a session")
            : Finding.Ok("pooler", "one in between; it keeps a session, or has connections to spare");
    }

    private static async Task<int> PidAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("SELECT pg_backend_pid()", connection);
        return (int)(await command.ExecuteScalarAsync(cancellation))!;
    }

    private sealed class Applied
    {
        public string Name { get; init; } = "";
        public string? Sha256 { get; init; }
    }

    private const string ReadJournal =
        """
        SELECT v.scriptname AS name, min(c.sha256) AS sha256
        FROM schemaversions AS v LEFT JOIN schemaversions_checksums AS c ON c.scriptname = v.scriptname
        GROUP BY v.scriptname ORDER BY v.scriptname
        """;

    private async Task<Finding> MigrationsAsync(CancellationToken cancellation)
    {
        if (!await _db.TransactionAsync(tx => tx.SingleAsync<bool>("SELECT to_regclass('schemaversions') IS NOT NULL AND to_regclass('schemaversions_checksums') IS NOT NULL"), cancellation))
        {
            return Finding.Wrong("migrations", "none was applied here", "run the job `migrate` as the owner, then migrations/grants.sql");
        }

        var applied = await _db.TransactionAsync(tx => tx.QueryAsync<Applied>(ReadJournal), cancellation);
        var scripts = Scripts();
        string[] pending = [.. scripts.Keys.Except(applied.Select(a => a.Name)).Order(StringComparer.Ordinal)];
        string[] edited = [.. applied.Where(a => a.Sha256 is not null && scripts.TryGetValue(a.Name, out var sum) && sum != a.Sha256).Select(a => a.Name)];
        string[] unknown = [.. applied.Select(a => a.Name).Where(name => !scripts.ContainsKey(name))];
        IsMigrated = pending.Length == 0;
        return edited.Length > 0 ? Finding.Wrong("migrations", $"edited after it was applied: {string.Join(", ", edited)}", "restore the script as it was and put the change into a new one")
            : pending.Length > 0 ? Finding.Wrong("migrations", $"not applied: {string.Join(", ", pending)}", "run the job `migrate`, then migrations/grants.sql")
            : unknown.Length > 0 ? Finding.Warning("migrations", $"applied and not known to this version: {string.Join(", ", unknown)}", "the database is newer than this jobctl: use the newer one")
            : Finding.Ok("migrations", $"all {applied.Count} are applied, as they are here");
    }

    /// <summary>Checksums by name, as `migrate` makes them.</summary>
    private static Dictionary<string, string> Scripts()
    {
        const string Folder = "scripts/";
        var assembly = typeof(DatabaseChecks).Assembly;
        return assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).ToDictionary(
            name => name[Folder.Length..],
            name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
                return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(reader.ReadToEnd().ReplaceLineEndings("\n"))));
            },
            StringComparer.Ordinal);
    }

    private async Task<Finding> ZoneAsync(CancellationToken cancellation)
    {
        var zone = BusinessZone.From(run.Settings);
        var here = zone.OnTheWall(DateTime.UtcNow).ToString("HH:mm", CultureInfo.InvariantCulture);
        var known = await _db.TransactionAsync(tx => tx.SingleAsync<bool>("SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = @Id)", new { zone.Id }), cancellation);
        return known ? Finding.Ok("time zone", $"{zone.Id}, where it is {here}")
            : Finding.Wrong("time zone", $"PostgreSQL does not know {zone.Id}", "install the server's time zone data, or name a zone that it knows in JOBS_TIME_ZONE");
    }
}
