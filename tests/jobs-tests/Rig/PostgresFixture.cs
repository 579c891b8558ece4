using Jobs.Testing;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresFixture))]

namespace Jobs.Tests.Rig;

/// <summary>
/// The one PostgreSQL of all tests, started when the first of them asks for it; a template migrated once by `migrate`; and worlds
/// made from it, handed from test to test.
/// </summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    public const string JobsLogin = "jobs_test_login";
    public const string JobsPassword = "p@ss/word";
    public const string BackupLogin = "jobs_test_backup";

    private readonly Lazy<Task<ThrowawayPostgres>> _server;
    private readonly Lazy<Task<string>> _template;
    private readonly WorldPool _pool = new();

    public PostgresFixture()
        : this(new ThrowawayOptions())
    {
    }

    /// <summary>For tests that need a server nobody else uses, to restart it or to fill its disk.</summary>
    internal PostgresFixture(ThrowawayOptions options) =>
        (_server, _template) = (new(() => StartAsync(options)), new(MigrateTemplateAsync));

    public Task<ThrowawayPostgres> ServerAsync() => _server.Value;

    /// <summary>The name of a migrated, empty database to copy from.</summary>
    public Task<string> TemplateAsync() => _template.Value;

    /// <summary>A world for rows: the one of an earlier test, emptied, or a new one.</summary>
    public async Task<JobWorld> WorldAsync() =>
        _pool.TryTake() ?? await NewWorldAsync(_pool);

    /// <summary>A world whose database nobody used before and nobody uses afterwards.</summary>
    public Task<JobWorld> FreshWorldAsync() => NewWorldAsync(null);

    private async Task<JobWorld> NewWorldAsync(WorldPool? pool)
    {
        var server = await ServerAsync();
        var database = await server.CreateDatabaseAsync(await TemplateAsync());
        if (pool is not null && !await WorldPool.WatchAsync(server, database))
            pool = null;
        return new JobWorld(server, database, await FakeStripeProcess.StartAsync(), pool);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _pool.EndAsync();
        if (_server.IsValueCreated && _server.Value.IsCompletedSuccessfully)
        {
            await (await _server.Value).DisposeAsync();
        }
    }

    private static async Task<ThrowawayPostgres> StartAsync(ThrowawayOptions options)
    {
        var server = await ThrowawayPostgres.StartAsync(options);
        TestContext.Current.SendDiagnosticMessage("{0}", server.Description);
        return server;
    }

    private async Task<string> MigrateTemplateAsync()
    {
        var server = await ServerAsync();
        var (database, _) = await JobWorld.MigratedAsync(server);
        await server.ExecuteAsync(database, await File.ReadAllTextAsync(RepositoryFile("migrations/grants.sql")));
        await server.ExecuteAsync(
            database,
            $"""
            DO $do$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{JobsLogin}') THEN
                    CREATE ROLE {JobsLogin} LOGIN PASSWORD '{JobsPassword}' IN ROLE jobs;
                END IF;
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{BackupLogin}') THEN
                    CREATE ROLE {BackupLogin} LOGIN PASSWORD '{JobsPassword}' CREATEDB IN ROLE jobs_backup;
                END IF;
            END $do$
            """);
        NpgsqlConnection.ClearAllPools();
        return database;
    }

    public static string RepositoryFile(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Jobs.sln")))
            {
                return Path.Combine(folder.FullName, path);
            }
        }

        throw new InvalidOperationException("the tests do not run inside the repository");
    }
}
