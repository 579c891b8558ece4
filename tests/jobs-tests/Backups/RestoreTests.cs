using Dapper;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Backups;

/// <summary>A backup becomes a database again, in which nobody is charged or written to before somebody says so.</summary>
public sealed class RestoreTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData("name")]
    [InlineData("url")]
    [InlineData("into an empty one")]
    public async Task A_restored_database_is_complete_and_its_charging_terminal_and_mail_jobs_are_paused(string way)
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var restored = $"{world.Database}_{way.Length}";
        // Of a run under way at the moment of the dump: none of the restored database's.
        await world.ExecuteAsync(
            """
            INSERT INTO backups (name, location, run_id) VALUES ('under-way', 's3://elsewhere/under-way.dump', gen_random_uuid());
            INSERT INTO job_pauses (job, reason, until) VALUES ('autopayment', 'on holiday', now() + interval '1 day');
            """);
        await world.BackedUpAsync();
        if (way == "into an empty one")
            await world.Server.ExecuteAsync("postgres", $"CREATE DATABASE {restored} OWNER {PostgresFixture.BackupLogin}");
        await world.ExecuteAsync("DROP TABLE receipts CASCADE");
        if (way == "url")
            world.Environment["JOBS_RESTORE_TO"] = world.BackupUrl(restored);

        var run = await world.BackedUpAsync(way == "url" ? [] : ["--restore-to", restored]);

        Assert.Equal(1, run.Counter("restored"));
        Assert.Equal("restored", run.Item().GetProperty("outcome").GetString());
        await using (var connection = new NpgsqlConnection(world.Server.ConnectionFor(restored).ConnectionString + ";Pooling=false"))
        {
            Assert.Equal(50, await connection.ExecuteScalarAsync<long>("SELECT count(*) FROM receipts"));
            Assert.Equal(
                ["autopayment", "process-payment-queue", "renewal-reminder", "send-notifications"],
                await connection.QueryAsync<string>("SELECT job FROM job_pauses WHERE until IS NULL AND actor = 'backup-database' AND reason LIKE 'restored from the backup of %' ORDER BY job"));
            Assert.EndsWith("before that: on holiday", await connection.ExecuteScalarAsync<string>("SELECT reason FROM job_pauses WHERE job = 'autopayment'"), StringComparison.Ordinal);
            Assert.Equal(0, await connection.ExecuteScalarAsync<long>("SELECT (SELECT count(*) FROM leases) + (SELECT count(*) FROM backups)"));
        }

        await world.NoScratchAsync();
        // As its owner: the grants are the next line of the README.
        var environment = world.EnvironmentWith(("DATABASE_URL", world.BackupUrl(restored)), ("MAIL_FROM", "a@example.test"));
        using (var autopayment = JobProcess.Start("autopayment", environment, "--output", "json"))
            Assert.Equal("skipped", (await autopayment.EndAsync()).Json.GetProperty("status").GetString());
        using (var match = JobProcess.Start("match-successful-payments", environment, "--output", "json"))
            Assert.Equal("succeeded", (await match.EndAsync()).Json.GetProperty("status").GetString());

        // The next backup there knows what the one before left, and removes nothing of it.
        Assert.Single(folder.Manifests());
        var again = await world.BackUpAsync("--restore-to", restored);
        Assert.True(again.ExitCode == 1, again.ToString());
        Assert.Contains($"the database {restored} holds ", again.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        await world.Server.ExecuteAsync("postgres", $"DROP DATABASE {restored} WITH (FORCE)");
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task When_the_database_is_gone_it_is_listed_and_restored_all_the_same_and_backed_up_from_then_on()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.BackedUpAsync("--as-of", "2026-11-20T00:30:00Z");
        NpgsqlConnection.ClearAllPools();
        await world.Server.ExecuteAsync("postgres", $"DROP DATABASE {world.Database} WITH (FORCE)");

        Assert.Equal(1, (await world.BackedUpAsync("--list")).Counter("verified"));
        var dry = await world.BackedUpAsync("--restore-to", world.Database, "--dry-run");
        Assert.Equal(0, dry.Counter("restored"));
        Assert.Equal(1, (await world.BackedUpAsync("--restore-to", world.Database)).Counter("restored"));

        await world.Server.ExecuteAsync(world.Database, await File.ReadAllTextAsync(PostgresFixture.RepositoryFile("migrations/grants.sql"), TestContext.Current.CancellationToken));
        var run = await world.BackedUpAsync();
        Assert.Equal(0, run.Counter("leftovers_removed"));
        await world.ConnectAnewAsync();
        await world.AllIsWellAsync(folder, 2);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task What_is_no_good_or_not_there_is_not_restored()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;

        var none = await world.BackUpAsync("--restore-to", $"{world.Database}_x");
        Assert.Contains($"there is no backup of the database {world.Database} in file://", none.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        await world.BackedUpAsync();
        var other = await world.BackUpAsync("--restore-to", $"{world.Database}_x", "--backup", "yesterday");
        Assert.Contains($"there is no backup yesterday of the database {world.Database}; --list names those there are", other.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        var dump = folder.EnumerateFiles("*.dump").Single();
        await File.WriteAllBytesAsync(dump.FullName, (await File.ReadAllBytesAsync(dump.FullName, TestContext.Current.CancellationToken))[..^9], TestContext.Current.CancellationToken);
        var damaged = await world.BackUpAsync("--restore-to", $"{world.Database}_x");
        Assert.Contains("does not hold what was written", damaged.Json.GetProperty("error").GetString(), StringComparison.Ordinal);

        Assert.Equal(0, await world.ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname = '{world.Database}_x'"));
        await world.NoScratchAsync();
        folder.Delete(recursive: true);
    }
}
