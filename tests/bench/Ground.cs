using Jobs.Testing;
using Jobs.Tests.Rig;
using Npgsql;

namespace Jobs.Bench;

/// <summary>A server of our own with durable settings, and databases migrated by the published job.</summary>
internal sealed class Ground : IAsyncDisposable
{
    private const string Login = "jobs_bench_login";
    private const string Password = "jobs_bench";

    private Ground(ThrowawayPostgres server, string template) => (Server, Template) = (server, template);

    public ThrowawayPostgres Server { get; }

    /// <summary>Migrated and empty.</summary>
    public string Template { get; }

    public static async Task<Ground> LayAsync()
    {
        var server = await ThrowawayPostgres.StartAsync(new ThrowawayOptions { Durable = true, OwnServer = true });
        try
        {
            var template = await server.CreateDatabaseAsync();
            Measured.Run(JobProcess.Executable("migrate"), [], [new("DATABASE_URL", server.UrlFor(template))]).Succeeding("migrate");
            await server.ExecuteAsync(template, await File.ReadAllTextAsync(RepositoryFile("migrations/grants.sql")));
            await server.ExecuteAsync(template, $"CREATE ROLE {Login} LOGIN PASSWORD '{Password}' IN ROLE jobs");
            return new Ground(server, template);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public string UrlFor(string database) => Server.UrlFor(database, Login, Password);

    public string Psql => Server.BinDirectory is { } folder ? Path.Combine(folder, "psql") : "psql";

    /// <summary>
    /// The jobs' environment in a database; the provider, if none is given, is never called. Of what is set here only how .NET itself
    /// is to run (DOTNET_...) goes along, to compare.
    /// </summary>
    public Dictionary<string, string?> EnvironmentFor(string database, Uri? stripe = null, int requestsPerSecond = 20)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = UrlFor(database),
            ["STRIPE_SECRET_KEY"] = "sk_test_bench",
            ["STRIPE_API_BASE"] = stripe?.ToString(),
            ["STRIPE_MAX_REQUESTS_PER_SECOND"] = requestsPerSecond.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["STAFF_EMAIL"] = "staff@example.test",
        };
        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable.Key is string name && name.StartsWith("DOTNET_", StringComparison.Ordinal))
                environment[name] = (string?)variable.Value;
        }

        return environment;
    }

    public async Task<T> ScalarAsync<T>(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Server.ConnectionFor(database).ConnectionString) { Pooling = false });
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>A script that may take minutes.</summary>
    public async Task FillAsync(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(Server.ConnectionFor(database).ConnectionString) { Pooling = false, CommandTimeout = 1800 });
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public static string RepositoryFile(string path)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Jobs.sln")))
                return Path.Combine(folder.FullName, path);
        }

        throw new InvalidOperationException("the benchmarks do not run inside the repository");
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
