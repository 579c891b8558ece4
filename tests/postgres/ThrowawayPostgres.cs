using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Jobs.Database;
using Npgsql;

namespace Jobs.Testing;

/// <summary>
/// A PostgreSQL for tests, the demo and benchmarks that leaves nothing behind: found on the machine, in Docker or installed,
/// as <see cref="StartAsync"/> says. It never looks at <c>DATABASE_URL</c>, which may be somebody's real data.
/// Safe for use by many tests at once.
/// </summary>
public sealed class ThrowawayPostgres : IAsyncDisposable
{
    private const string ObjectInUse = "55006";

    private readonly RunningServer _server;
    private readonly NpgsqlDataSource _admin;
    private readonly ConcurrentDictionary<string, bool> _databases = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _cloning = new(1, 1);
    private readonly string _prefix = "jobs_test_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
    private int _created;
    private string? _strategy;
    private int _disposed;

    private ThrowawayPostgres(RunningServer server, bool superuser)
    {
        _server = server;
        _admin = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server.Admin.ConnectionString)
        {
            MaxPoolSize = 8,
            ApplicationName = "throwaway-postgres",
            CommandTimeout = 60,
        });
        IsSuperuser = superuser;
    }

    /// <summary>libpq URI of the administrator on the maintenance database.</summary>
    public string AdminUrl => UrlFor(_server.Admin.Database!);

    public string Host => _server.Admin.Host!;

    public int Port => _server.Admin.Port;

    public string User => _server.Admin.Username!;

    public string Password => _server.Admin.Password ?? "";

    /// <summary>One line for the tests' output: which server was found.</summary>
    public string Description => _server.Description;

    /// <summary>The folder with psql, pg_dump and pg_restore of the server's version; null when the server is not from this machine.</summary>
    public string? BinDirectory => _server.BinDirectory;

    public string? SocketDirectory => _server.SocketDirectory;

    /// <summary>The root certificate (PEM) that signed the server's; null without TLS.</summary>
    public string? RootCertificatePath => _server.RootCertificatePath;

    private bool IsSuperuser { get; }

    /// <summary>
    /// In this order: the server of <c>JOBS_TEST_DATABASE_URL</c>; server programs on the machine; Docker; apt, as root on
    /// Debian or Ubuntu. Else an <see cref="InvalidOperationException"/> that says what to install.
    /// </summary>
    public static async Task<ThrowawayPostgres> StartAsync(ThrowawayOptions? options = null, CancellationToken cancellationToken = default)
    {
        var server = await FindAsync(options ?? new ThrowawayOptions(), cancellationToken);
        try
        {
            return new ThrowawayPostgres(server, await IsSuperuserAsync(server, cancellationToken));
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public bool Supports(Capability capability) => WhyNot(capability) is null;

    /// <summary>Null when the server offers it, else the reason to give for a skipped test.</summary>
    public string? WhyNot(Capability capability) => capability switch
    {
        Capability.Restart => _server.WhyNoRestart,
        Capability.Tls => RootCertificatePath is null ? _server.WhyNoTls : null,
        Capability.UnixSocket => SocketDirectory is null ? "the server has no socket on this machine" : null,
        Capability.ClientPrograms => BinDirectory is null ? "the server's own programs are not on this machine" : null,
        Capability.Superuser => IsSuperuser ? null : $"{User} is not a superuser there",
        _ => throw new ArgumentOutOfRangeException(nameof(capability)),
    };

    /// <summary>libpq URI of a database; of the administrator unless another user is named.</summary>
    public string UrlFor(string database, string? user = null, string? password = null)
    {
        var admin = _server.Admin;
        var name = Uri.EscapeDataString(user ?? User);
        var secret = password ?? (user is null ? Password : "");
        var credentials = secret.Length == 0 ? name : $"{name}:{Uri.EscapeDataString(secret)}";
        var socket = Host.StartsWith('/');
        var address = socket ? "" : Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host;
        List<string> parameters = [];
        if (socket)
            parameters.Add("host=" + Uri.EscapeDataString(Host));
        if (admin.SslMode != SslMode.Prefer)
            parameters.Add("sslmode=" + LibpqName(admin.SslMode));
        if (admin.RootCertificate is { Length: > 0 } root)
            parameters.Add("sslrootcert=" + Uri.EscapeDataString(root));
        var query = parameters.Count == 0 ? "" : "?" + string.Join('&', parameters);
        return string.Create(CultureInfo.InvariantCulture, $"postgresql://{credentials}@{address}:{Port}/{Uri.EscapeDataString(database)}{query}");
    }

    /// <summary>The same as <see cref="UrlFor"/> for code that talks to Npgsql directly.</summary>
    public NpgsqlConnectionStringBuilder ConnectionFor(string database, string? user = null, string? password = null) =>
        new(_server.Admin.ConnectionString)
        {
            Database = database,
            Username = user ?? User,
            Password = password ?? (user is null ? Password : null),
        };

    /// <summary>
    /// Creates an empty database, or a copy of <paramref name="template"/>, whose connections are all cut: PostgreSQL does not
    /// copy a database in use. Copies may be asked for in parallel.
    /// </summary>
    /// <returns>Its name.</returns>
    public async Task<string> CreateDatabaseAsync(string? template = null, CancellationToken cancellationToken = default)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{_prefix}_{Interlocked.Increment(ref _created)}");
        var source = template ?? "template1";
        for (var attempt = 1; ; attempt++)
        {
            // One at a time within this process; another process on the same server is met by trying again.
            await _cloning.WaitAsync(cancellationToken);
            try
            {
                if (template is not null)
                    await CutConnectionsAsync(template, cancellationToken);
                _strategy ??= await StrategyAsync(cancellationToken);
                await RunAsync(_admin, $"CREATE DATABASE {Quote(name)} TEMPLATE {Quote(source)}{_strategy}", cancellationToken);
                _databases[name] = true;
                return name;
            }
            catch (PostgresException e) when (e.SqlState == ObjectInUse && attempt < 10)
            {
                await Task.Delay(50 * attempt, cancellationToken);
            }
            finally
            {
                _cloning.Release();
            }
        }
    }

    /// <summary>Drops a database, cutting its connections; nothing happens if it is gone already.</summary>
    public async Task DropDatabaseAsync(string database, CancellationToken cancellationToken = default)
    {
        await RunAsync(_admin, $"DROP DATABASE IF EXISTS {Quote(database)} WITH (FORCE)", cancellationToken);
        _databases.TryRemove(database, out _);
    }

    /// <summary>Runs one script in a database, as the administrator.</summary>
    public async Task ExecuteAsync(string database, string sql, CancellationToken cancellationToken = default)
    {
        var connection = ConnectionFor(database);
        connection.Pooling = false;
        await using var source = NpgsqlDataSource.Create(connection);
        await RunAsync(source, sql, cancellationToken);
    }

    /// <summary>Stops the server: cutting all connections, or, when immediate, as in a crash.</summary>
    public async Task StopAsync(bool immediate = false, CancellationToken cancellationToken = default)
    {
        await _server.StopAsync(immediate, cancellationToken);
        _admin.Clear();
    }

    /// <summary>Starts it again after <see cref="StopAsync"/>, on the same port with the same data.</summary>
    public Task StartAgainAsync(CancellationToken cancellationToken = default) => _server.StartAsync(cancellationToken);

    public async Task RestartAsync(bool immediate = false, CancellationToken cancellationToken = default)
    {
        await StopAsync(immediate, cancellationToken);
        await StartAgainAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
            return;
        if (_server is ForeignServer)
        {
            foreach (var database in _databases.Keys)
                await DropDatabaseAsync(database);
        }

        await _admin.DisposeAsync();
        await _server.DisposeAsync();
        _cloning.Dispose();
    }

    private static async Task<RunningServer> FindAsync(ThrowawayOptions options, CancellationToken cancel)
    {
        var given = Environment.GetEnvironmentVariable(ForeignServer.Variable);
        if (!string.IsNullOrWhiteSpace(given) && !options.OwnServer)
            return await ForeignServer.ConnectAsync(DatabaseUrl.Parse(given), cancel);
        if (ServerBinaries.Find() is { } found)
            return await LocalServer.LaunchAsync(found, options, cancel);
        if (await DockerServer.PossibleAsync(cancel))
            return await DockerServer.LaunchAsync(options, cancel);

        var reason = "";
        if (AptInstall.Possible)
        {
            reason = await AptInstall.RunAsync(cancel) is { } failure ? $" ({failure})" : "";
            if (ServerBinaries.Find() is { } installed)
                return await LocalServer.LaunchAsync(installed, options, cancel);
        }

        throw new InvalidOperationException(
            $"No PostgreSQL to test with{reason}: install the package postgresql (server programs) or Docker, or set {ForeignServer.Variable} to a server on which databases may be created and dropped.");
    }

    private static async Task<bool> IsSuperuserAsync(RunningServer server, CancellationToken cancel)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server.Admin.ConnectionString) { Pooling = false });
        await using var command = source.CreateCommand("SELECT rolsuper FROM pg_roles WHERE rolname = current_user");
        return await command.ExecuteScalarAsync(cancel) is true;
    }

    private async Task CutConnectionsAsync(string database, CancellationToken cancel)
    {
        await using var command = _admin.CreateCommand(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'");
        command.Parameters.Add(new NpgsqlParameter { Value = database });
        await command.ExecuteNonQueryAsync(cancel);
    }

    // From version 15 on a copy goes through the log unless told otherwise, which takes half as long again.
    private async Task<string> StrategyAsync(CancellationToken cancel)
    {
        await using var connection = await _admin.OpenConnectionAsync(cancel);
        return connection.PostgreSqlVersion.Major >= 15 ? " STRATEGY FILE_COPY" : "";
    }

    private static async Task RunAsync(NpgsqlDataSource source, string sql, CancellationToken cancel)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancel);
    }

    private static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    private static string LibpqName(SslMode mode) => mode switch
    {
        SslMode.Disable => "disable",
        SslMode.Allow => "allow",
        SslMode.Require => "require",
        SslMode.VerifyCA => "verify-ca",
        SslMode.VerifyFull => "verify-full",
        _ => "prefer",
    };
}
