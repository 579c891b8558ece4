using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

internal static class MigrateScenarios
{
    /// <summary>An empty database: a script is applied wholly or not at all, and the next run goes on from there.</summary>
    public static readonly Scenario All = new(
        "migrate", "migrate", [("applied", Directory.GetFiles(PostgresFixture.RepositoryFile("migrations/scripts"), "*.sql").Length)], SeedAsync)
    {
        Args = [],
        Also = SchemaAsync,
        AtOnce = 3,
        Spoils = true,
    };

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
            SELECT format('%s %s', tgrelid::regclass, pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal AND tgname <> 'run_out'
            UNION ALL
            SELECT format('script %s %s', v.scriptname, c.sha256) FROM schemaversions AS v LEFT JOIN schemaversions_checksums AS c USING (scriptname)
            UNION ALL
            SELECT to_jsonb(p)::text FROM membership_prices AS p
        ) AS everything ORDER BY line
        """;

    private static async Task SeedAsync(JobWorld world)
    {
        world.Environment["DATABASE_URL"] = world.Server.UrlFor(world.Database);
        await world.ExecuteAsync("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    }

    private static async Task<string> SchemaAsync(JobWorld world) =>
        string.Join('\n', (await world.QueryAsync(Schema)).Select(row => (string)row.line));
}
