using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>What the role of the jobs can and cannot do, and which bad luck a transaction outlives.</summary>
public sealed class RightsTests(PostgresFixture fixture, SharedWorld shared) : IClassFixture<SharedWorld>
{
    [Theory]
    [InlineData("CREATE TABLE mine (id int)")]
    [InlineData("CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'")]
    [InlineData("CREATE SCHEMA mine")]
    [InlineData("ALTER TABLE payments ADD COLUMN mine int")]
    [InlineData("DROP TABLE settings")]
    [InlineData("DROP INDEX payments_one_in_flight")]
    [InlineData("TRUNCATE payments CASCADE")]
    [InlineData("UPDATE receipts SET amount_minor = 1")]
    [InlineData("DELETE FROM receipts")]
    [InlineData("UPDATE audit_logs SET actor = 'nobody'")]
    [InlineData("UPDATE audit_log_archive SET actor = 'nobody'")]
    [InlineData("DELETE FROM audit_log_archive")]
    [InlineData("INSERT INTO schemaversions (scriptname, applied) VALUES ('x', now())")]
    [InlineData("DELETE FROM schemaversions")]
    [InlineData("UPDATE schemaversions_checksums SET sha256 = ''")]
    [InlineData("ALTER TABLE payments DISABLE TRIGGER ALL")]
    [InlineData("SELECT setval('payments_id_seq', 1)")]
    public async Task The_jobs_role_may_not(string sql) =>
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, (await Assert.ThrowsAsync<PostgresException>(() => AsJobsAsync(sql))).SqlState);

    [Theory]
    [InlineData("SELECT count(*) FROM payments")]
    [InlineData("INSERT INTO settings (key) VALUES ('x') ON CONFLICT (key) DO UPDATE SET updated_at = now()")]
    [InlineData("DELETE FROM audit_logs WHERE created_at < now() - interval '10 years'")]
    [InlineData("SELECT nextval('payments_id_seq')")]
    [InlineData("SELECT scriptname FROM schemaversions")]
    public async Task The_jobs_role_may(string sql) => await AsJobsAsync(sql);

    [Theory]
    [InlineData("40P01")]
    [InlineData("40001")]
    [InlineData("55P03")]
    [InlineData("57P01")]
    [InlineData("08006")]
    public async Task A_transaction_undone_by_bad_luck_is_repeated(string sqlState)
    {
        await using var world = await fixture.WorldAsync();
        await LeaseTests.DueAsync(world, 3);
        await world.ExecuteAsync(
            $"""
            CREATE SEQUENCE luck;
            GRANT USAGE ON SEQUENCE luck TO jobs;
            CREATE FUNCTION bad_luck() RETURNS trigger LANGUAGE plpgsql AS $do$
            BEGIN
                IF nextval('luck') <= 2 THEN RAISE EXCEPTION 'bad luck' USING ERRCODE = '{sqlState}'; END IF;
                RETURN NULL;
            END $do$;
            CREATE TRIGGER bad_luck AFTER UPDATE ON subscriptions FOR EACH STATEMENT EXECUTE FUNCTION bad_luck();
            """);

        var run = await world.RunAsync("expire-subscriptions");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(3, run.Counter("expired"));
        Assert.Equal(3, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs"));
        Assert.Equal(2, run.Stderr.Split('\n').Count(line => line.Contains("Transaction undone", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Bad_luck_without_end_is_given_up_with_a_sentence()
    {
        await using var world = await fixture.WorldAsync();
        await LeaseTests.DueAsync(world, 3);
        await world.ExecuteAsync(
            """
            CREATE FUNCTION bad_luck() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN RAISE EXCEPTION ''could not serialize'' USING ERRCODE = ''40001''; END';
            CREATE TRIGGER bad_luck AFTER UPDATE ON subscriptions FOR EACH STATEMENT EXECUTE FUNCTION bad_luck();
            """);

        var run = await world.RunAsync("expire-subscriptions");

        Assert.Equal("the database said 40001: could not serialize", Mistake.OneSentenceAmongWarnings(run, world.Environment));
        Assert.Equal("failed", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE job = 'expire-subscriptions'"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'expired'"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    private async Task AsJobsAsync(string sql)
    {
        var world = shared.World;
        var connection = world.Server.ConnectionFor(world.Database, PostgresFixture.JobsLogin, PostgresFixture.JobsPassword);
        connection.Pooling = false;
        await using var source = NpgsqlDataSource.Create(connection);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
