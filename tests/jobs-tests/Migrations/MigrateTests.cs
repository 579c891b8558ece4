using System.Text.Json;
using Dapper;
using Jobs.Testing;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Migrations;

public sealed class MigrateTests(PostgresFixture fixture) : IAsyncLifetime
{
    private static readonly string[] Scripts =
        [.. Directory.GetFiles(PostgresFixture.RepositoryFile("migrations/scripts"), "*.sql").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    private readonly string _folder = Directory.CreateTempSubdirectory("scripts").FullName;
    private ThrowawayPostgres _server = null!;
    private string _database = "";

    public async ValueTask InitializeAsync()
    {
        _server = await fixture.ServerAsync();
        _database = await _server.CreateDatabaseAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DropDatabaseAsync(_database);
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task An_empty_database_gets_every_script_and_a_second_run_none()
    {
        var first = await MigrateAsync();
        Assert.True(first.ExitCode == 0, first.ToString());
        Assert.Equal(Scripts.Length, first.Counter("applied"));
        // As DbUp's PostgreSQL journal reads it.
        Assert.Equal(Scripts, await QueryAsync<string>("select scriptname from \"schemaversions\" order by scriptname"));
        Assert.Equal(
            ["schemaversionsid integer NO", "scriptname character varying(255) NO", "applied timestamp without time zone NO"],
            await QueryAsync<string>(
                """
                SELECT column_name || ' ' || data_type || coalesce('(' || character_maximum_length || ')', '') || ' ' || is_nullable
                FROM information_schema.columns WHERE table_name = 'schemaversions' ORDER BY ordinal_position
                """));
        Assert.Equal(["schemaversions_schemaversionsid_seq"], await QueryAsync<string>("SELECT replace(pg_get_serial_sequence('schemaversions', 'schemaversionsid'), 'public.', '')"));

        var second = await MigrateAsync();
        Assert.Equal((0, 0L), (second.ExitCode, second.Counter("applied")));
        Assert.Equal([2], await QueryAsync<int>("SELECT count(*)::int FROM job_runs WHERE job = 'migrate' AND status = 'succeeded'"));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public async Task Several_runners_at_once_apply_each_script_once(int runners)
    {
        var results = await Task.WhenAll(Enumerable.Range(0, runners).Select(_ => MigrateAsync()));

        Assert.All(results, r => Assert.True(r.ExitCode == 0, r.ToString()));
        Assert.Equal(Scripts.Length, results.Sum(r => r.Counter("applied")));
        Assert.Equal(Scripts, await QueryAsync<string>("SELECT scriptname FROM schemaversions ORDER BY schemaversionsid"));
    }

    [Fact]
    public async Task A_failing_script_is_rolled_back_wholly_and_named_with_its_line()
    {
        Write("0001_good.sql", "CREATE TABLE good (id int);");
        Write("0002_bad.sql", "CREATE TABLE half (id int);\nINSERT INTO half VALUES (1);\n\nINSERT INTO nowhere\nVALUES (1);\n");
        Write("0003_never.sql", "CREATE TABLE never (id int);");

        var run = await MigrateAsync();

        Assert.Equal(1, run.ExitCode);
        Assert.Equal(
            "the script 0002_bad.sql failed and was rolled back: 42P01 relation \"nowhere\" does not exist (line 4)",
            run.Json.GetProperty("error").GetString());
        Assert.DoesNotContain("   at ", run.Stderr, StringComparison.Ordinal);
        Assert.Equal(["0001_good.sql"], await QueryAsync<string>("SELECT scriptname FROM schemaversions"));
        Assert.Equal([true], await QueryAsync<bool>("SELECT to_regclass('half') IS NULL AND to_regclass('never') IS NULL AND to_regclass('good') IS NOT NULL"));

        Write("0002_bad.sql", "CREATE TABLE half (id int);");
        Assert.Equal(2, (await MigrateAsync()).Counter("applied"));
    }

    [Theory]
    [InlineData("CREATE TABLE a (id int);\nSELEC 1;", "42601", " (line 2)")]
    [InlineData("CREATE TABLE a (id int PRIMARY KEY);\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (1);", "23505", "")]
    [InlineData("CREATE TABLE a (id int);\nCOMMIT;\nCREATE TABLE b (id int);", "0A000", "")]
    [InlineData("CREATE TABLE a (id int);\nDO $$ BEGIN RAISE 'no' USING ERRCODE = 'P0001'; END $$;", "P0001", "")]
    public async Task No_script_can_leave_half_of_itself(string sql, string state, string line)
    {
        Write("0001_bad.sql", sql);

        var error = (await MigrateAsync()).Json.GetProperty("error").GetString()!;

        Assert.StartsWith($"the script 0001_bad.sql failed and was rolled back: {state} ", error, StringComparison.Ordinal);
        Assert.EndsWith(line, error, StringComparison.Ordinal);
        Assert.Equal(["true"], await QueryAsync<string>("SELECT (to_regclass('a') IS NULL AND to_regclass('b') IS NULL)::text"));
    }

    [Fact]
    public async Task Placeholders_quotes_and_functions_in_a_script_are_left_as_they_are()
    {
        Write("0001_text.sql", "CREATE TABLE t (v text);\nINSERT INTO t VALUES ('@Sql :name $1 ; -- it''s'), (E'\\\\n'), ($q$;$q$);\n/* ; */ CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;");
        var run = await MigrateAsync();
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(["@Sql :name $1 ; -- it's", "\\n", ";"], await QueryAsync<string>("SELECT v FROM t"));
    }

    [Fact]
    public async Task An_applied_script_that_was_edited_is_refused()
    {
        Write("0001_a.sql", "CREATE TABLE a (id int);\n");
        Assert.Equal(1, (await MigrateAsync()).Counter("applied"));
        Write("0001_a.sql", "CREATE TABLE a (id int);\r\n");
        Assert.Equal(0, (await MigrateAsync()).ExitCode);

        Write("0001_a.sql", "CREATE TABLE a (id bigint);\n");
        var run = await MigrateAsync();
        Assert.Equal(1, run.ExitCode);
        Assert.Equal(
            "the script 0001_a.sql was edited after it was applied; restore it as it was and put the change into a new script",
            run.Json.GetProperty("error").GetString());
    }

    [Fact]
    public async Task A_busy_table_is_waited_for()
    {
        Write("0001_a.sql", "CREATE TABLE a (id int);");
        await MigrateAsync();
        Write("0002_b.sql", "ALTER TABLE a ADD COLUMN b int;");
        await using var reader = new NpgsqlConnection(_server.ConnectionFor(_database).ConnectionString + ";Pooling=false");
        await reader.OpenAsync(TestContext.Current.CancellationToken);
        await reader.ExecuteAsync("BEGIN; SELECT * FROM a");
        var run = MigrateAsync();
        await Task.Delay(8000, TestContext.Current.CancellationToken);
        Assert.False(run.IsCompleted);
        // The queue behind the waiting ALTER is let through every few seconds.
        await using var other = new NpgsqlConnection(_server.ConnectionFor(_database).ConnectionString + ";Pooling=false");
        await other.ExecuteAsync("SET lock_timeout = '7s'; SELECT * FROM a");
        await reader.ExecuteAsync("COMMIT");

        var result = await run;
        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.Equal(1, result.Counter("applied"));
    }

    [Fact]
    public async Task A_dry_run_and_status_list_without_touching_anything()
    {
        var dry = await MigrateAsync("--dry-run");
        Assert.Equal(Scripts.Length, dry.Counter("pending"));
        Assert.Equal(Scripts, dry.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("id").GetString()!));
        Assert.Equal([0], await QueryAsync<int>("SELECT count(*)::int FROM pg_class WHERE relnamespace = 'public'::regnamespace"));

        await MigrateAsync();
        using var process = JobInProcess.Start("migrate", Environment(), "status");
        var status = await process.EndAsync();
        Assert.Equal(0, status.ExitCode);
        Assert.All(Scripts, s => Assert.Contains($"applied  {s}  ", status.Stdout, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_journal_that_DbUp_wrote_is_honoured()
    {
        Write("0001_a.sql", "CREATE TABLE a (id int);");
        Write("0002_b.sql", "CREATE TABLE b (id int);");
        await _server.ExecuteAsync(
            _database,
            """
            CREATE TABLE "schemaversions" ("schemaversionsid" serial NOT NULL, "scriptname" character varying(255) NOT NULL,
                "applied" timestamp without time zone NOT NULL, CONSTRAINT "PK_schemaversions_Id" PRIMARY KEY ("schemaversionsid"));
            CREATE TABLE a (id int);
            INSERT INTO "schemaversions" (scriptname, applied) VALUES ('0001_a.sql', now());
            """,
            TestContext.Current.CancellationToken);

        var dry = await MigrateAsync("--dry-run");
        Assert.Equal(["applied", "pending"], dry.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("outcome").GetString()!));
        var run = await MigrateAsync();
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(1, run.Counter("applied"));
        Assert.Equal(["0001_a.sql", "0002_b.sql"], await QueryAsync<string>("select scriptname from \"schemaversions\" order by scriptname"));
        Assert.Equal(0, (await MigrateAsync()).Counter("applied"));
    }

    [Fact]
    public async Task Another_schema_is_chosen_by_the_search_path()
    {
        await _server.ExecuteAsync(_database, "CREATE SCHEMA shop", TestContext.Current.CancellationToken);
        var environment = Environment();
        environment["DATABASE_URL"] += (environment["DATABASE_URL"]!.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "options=-csearch_path%3Dshop";
        using var migrate = JobInProcess.Start("migrate", environment);
        Assert.Equal(0, (await migrate.EndAsync()).ExitCode);
        using var job = JobInProcess.Start("expire-subscriptions", environment);
        var run = await job.EndAsync();
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(["shop"], await QueryAsync<string>("SELECT DISTINCT schemaname::text FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"));
    }

    [Fact]
    public async Task The_grants_may_be_repeated()
    {
        await MigrateAsync();
        var grants = await File.ReadAllTextAsync(PostgresFixture.RepositoryFile("migrations/grants.sql"), TestContext.Current.CancellationToken);
        await _server.ExecuteAsync(_database, grants, TestContext.Current.CancellationToken);
        await _server.ExecuteAsync(_database, grants, TestContext.Current.CancellationToken);
        Assert.Equal([true], await QueryAsync<bool>("SELECT has_table_privilege('jobs', 'payments', 'UPDATE') AND NOT has_table_privilege('jobs', 'receipts', 'UPDATE')"));
    }

    [Theory]
    [InlineData("/nowhere/scripts", "which cannot be read: ")]
    [InlineData(null, "which holds no .sql file")]
    public async Task A_wrong_folder_of_scripts_is_named(string? folder, string why)
    {
        var environment = Environment();
        environment["JOBS_MIGRATIONS_DIR"] = folder ?? _folder;
        using var process = JobInProcess.Start("migrate", environment);
        var run = await process.EndAsync();
        Assert.Equal(1, run.ExitCode);
        Assert.DoesNotContain("   at ", run.Stderr, StringComparison.Ordinal);
        Assert.Contains($"JOBS_MIGRATIONS_DIR names the folder '{folder ?? _folder}', {why}", JsonDocument.Parse(run.Stderr).RootElement.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private void Write(string name, string sql) => File.WriteAllText(Path.Combine(_folder, name), sql);

    private Dictionary<string, string?> Environment() => new(StringComparer.Ordinal)
    {
        ["DATABASE_URL"] = _server.UrlFor(_database),
        ["JOBS_MIGRATIONS_DIR"] = Directory.EnumerateFiles(_folder).Any() ? _folder : null,
    };

    private async Task<JobResult> MigrateAsync(params string[] args)
    {
        using var process = JobInProcess.Start("migrate", Environment(), ["--output", "json", .. args]);
        return await process.EndAsync();
    }

    private async Task<List<T>> QueryAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(_server.ConnectionFor(_database).ConnectionString + ";Pooling=false");
        return (await connection.QueryAsync<T>(sql)).AsList();
    }
}
