using Dapper;
using Jobs.Testing;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>A migration that dies anywhere: a script is applied wholly or not at all, and the next run goes on from there.</summary>
[Trait("Category", "Proof")]
public sealed class MigrateKillTests(PostgresFixture fixture)
{
    // Tables, columns, defaults, constraints and indexes, and the rows that scripts bring along.
    private const string Schema =
        """
        SELECT line FROM (
            SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line
            FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL
            SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL
            SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL
            SELECT format('%s %s', tgrelid::regclass, pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL
            SELECT format('script %s %s', v.scriptname, c.sha256) FROM schemaversions AS v LEFT JOIN schemaversions_checksums AS c USING (scriptname)
            UNION ALL
            SELECT to_jsonb(p)::text FROM membership_prices AS p
        ) AS everything ORDER BY line
        """;

    [Fact]
    public async Task Killed_before_or_after_any_round_trip_the_next_run_completes_the_migration()
    {
        var server = await fixture.ServerAsync();
        Assert.SkipWhen(server.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        var (expected, points) = await UndisturbedAsync(server);
        Assert.Contains(expected, line => line.StartsWith("script 0007_runs.sql", StringComparison.Ordinal));

        await Evidence.EveryAsync(
            "migrate", Trouble.KilledAtRoundTrip, points,
            async point =>
            {
                var database = await server.CreateDatabaseAsync();
                try
                {
                    await KillAsync(server, database, point);
                    await RunAsync(server, database);
                    Assert.Equal(expected, await SchemaAsync(server, database));
                }
                finally
                {
                    await server.DropDatabaseAsync(database);
                }
            });
    }

    [Fact]
    public async Task Several_at_once_apply_each_script_once()
    {
        var server = await fixture.ServerAsync();
        var (expected, _) = await UndisturbedAsync(server);
        var database = await server.CreateDatabaseAsync();

        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => RunAsync(server, database)));

        Assert.Equal(expected, await SchemaAsync(server, database));
        await server.DropDatabaseAsync(database);
    }

    private static async Task<(List<string> Schema, IReadOnlyList<Point> Points)> UndisturbedAsync(ThrowawayPostgres server)
    {
        var database = await server.CreateDatabaseAsync();
        await using var proxy = await PostgresProxy.StartAsync(server.Host, server.Port);
        using var migrate = Start(CrashRig.Through(proxy, server, server.UrlFor(database)));
        var result = await migrate.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
        var schema = await SchemaAsync(server, database);
        await server.DropDatabaseAsync(database);
        return (schema, Points.Of(proxy.Log));
    }

    private static async Task KillAsync(ThrowawayPostgres server, string database, Point point)
    {
        await using var proxy = await PostgresProxy.StartAsync(server.Host, server.Port);
        proxy.StopAt(point.Step, point.Time, point.Phase);
        using var migrate = Start(CrashRig.Through(proxy, server, server.UrlFor(database)));
        await proxy.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        migrate.Kill();
    }

    private static async Task RunAsync(ThrowawayPostgres server, string database)
    {
        using var migrate = Start(server.UrlFor(database));
        var result = await migrate.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
    }

    private static JobProcess Start(string url) =>
        JobProcess.Start("migrate", new Dictionary<string, string?>(StringComparer.Ordinal) { ["DATABASE_URL"] = url }, "--output", "json");

    private static async Task<List<string>> SchemaAsync(ThrowawayPostgres server, string database)
    {
        var settings = server.ConnectionFor(database);
        settings.Pooling = false;
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        return [.. await connection.QueryAsync<string>(Schema)];
    }
}
