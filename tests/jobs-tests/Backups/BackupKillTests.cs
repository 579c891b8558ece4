using System.Diagnostics;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Backups;

/// <summary>
/// Stopped at its programs' work, or killed with a large dump under way: the last good backup is as it was, nothing partial has a backup's
/// name, the programs end with the run, and the next removes what is left. Killed at any step: <see cref="Crash.BackupScenarios"/>.
/// </summary>
[Trait("Category", "Proof")]
public sealed class BackupKillTests(PostgresFixture fixture, Cleanup.SharedS3 shared) : IClassFixture<Cleanup.SharedS3>
{
    private static async Task<(string Name, byte[] Content)> GoodAsync(JobWorld world, DirectoryInfo folder)
    {
        await world.BackedUpAsync();
        var dump = folder.EnumerateFiles("*.dump").Single();
        return (dump.Name, await File.ReadAllBytesAsync(dump.FullName));
    }

    private static async Task CheckAsync(JobWorld world, DirectoryInfo folder, string good, byte[] content)
    {
        // The last good one is as it was, or there is a newer one.
        if (File.Exists(folder.Path(good)))
            Assert.Equal(content, await File.ReadAllBytesAsync(folder.Path(good)));
        else
            Assert.Contains(folder.Manifests(), m => m["verified_at"] is not null);
        // Whatever stands under the name of a dump is whole.
        foreach (var manifest in folder.Manifests())
            Assert.Equal((string)manifest["sha256"]!, BackupScene.Sum(await File.ReadAllBytesAsync(folder.Path((string)manifest["file"]!))));

        var run = await world.BackedUpAsync("--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0");

        Assert.Equal(1, run.Counter("verified"));
        // That day's last stays.
        await world.AllIsWellAsync(folder, 1);
    }

    // Enough for the pipes to be full.
    private const string Large =
        """
        CREATE TABLE large AS SELECT n, (SELECT string_agg(md5(random()::text || n || m), '') FROM generate_series(1, 300) AS m) AS noise FROM generate_series(1, 4000) AS n;
        GRANT SELECT ON large TO jobs_backup;
        """;

    [Theory]
    [InlineData("pg_dump", false)]
    [InlineData("pg_dump", true)]
    [InlineData("pg_restore", false)]
    [InlineData("pg_restore", true)]
    public async Task Stopped_it_ends_within_10_seconds_with_its_program_and_leaves_nothing(string program, bool inTheMidst)
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var (good, content) = await GoodAsync(world, folder);
        if (inTheMidst)
            await world.ExecuteAsync(Large);
        else
            world.Programs(program == "pg_dump" ? "exec sleep 600" : "", program == "pg_restore" ? "exec sleep 600" : "");
        using var run = world.StartPublished("backup-database", "--output", "json");
        var at = await AtWorkAsync(run, folder, inTheMidst ? program : "sleep");
        // Then it does not even hear that it is to end.
        if (inTheMidst)
            Signal(at, "STOP");
        var clock = Stopwatch.StartNew();

        run.Signal("TERM");
        var result = await run.EndAsync();

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.True(result.ExitCode == 1, result.ToString());
        Assert.Equal("interrupted", result.Json.GetProperty("status").GetString());
        Assert.False(BackupScene.Lives(at));
        Assert.DoesNotContain(folder.Names(), name => name.EndsWith(".part", StringComparison.Ordinal));
        await world.NoScratchAsync();
        world.Environment["JOBS_PG_BIN"] = world.Server.BinDirectory;
        await CheckAsync(world, folder, good, content);
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("pg_dump")]
    [InlineData("pg_restore")]
    public async Task Killed_the_program_at_work_for_it_ends_by_itself(string program)
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var (good, content) = await GoodAsync(world, folder);
        await world.ExecuteAsync(Large);
        using var run = world.StartPublished("backup-database", "--output", "json");
        var at = await AtWorkAsync(run, folder, program);

        run.Kill();

        await Eventually.HoldsAsync(() => !BackupScene.Lives(at), BackupScene.Patience, $"{program} ends");
        await CheckAsync(world, folder, good, content);
        folder.Delete(recursive: true);
    }

    /// <summary>Waits until the program is at work for the run, on the large table if it is one of PostgreSQL's.</summary>
    private static async Task<int> AtWorkAsync(JobProcess run, DirectoryInfo folder, string program)
    {
        int? at = null;
        await Eventually.HoldsAsync(
            () => (at = BackupScene.Below(run.Id).Cast<int?>().FirstOrDefault(id => BackupScene.NameOf(id!.Value) == program)) is not null
                && (program != "pg_dump" || folder.EnumerateFiles("*.part").Any(f => f.Length > 100_000)),
            BackupScene.Patience,
            $"{program} is at work");
        return at!.Value;
    }

    private static void Signal(int process, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>PostgreSQL lets nobody connect any more to a database whose dropping was interrupted.</summary>
    [Fact]
    public async Task Killed_while_it_dropped_its_scratch_database_the_next_run_drops_it()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var left = $"jobs_backup_verify_{Guid.NewGuid():N}";
        var other = $"{left}_other";
        await world.ExecuteAsync($"CREATE DATABASE {other} OWNER {PostgresFixture.BackupLogin}");
        // From one moment to the next: other tests' runs drop such a database as well.
        await world.ExecuteAsync("UPDATE pg_database SET datconnlimit = -2, datname = @left WHERE datname = @other", new { left, other });

        await world.BackedUpAsync();

        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname = @left", new { left }));
        folder.Delete(recursive: true);
    }

    /// <summary>Autovacuum for instance, or a person: the role may not end their sessions, and PostgreSQL waits five seconds for them.</summary>
    [Fact]
    public async Task While_somebody_is_in_what_a_killed_run_left_it_is_tried_again_to_drop_it()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        var left = $"jobs_backup_verify_{Guid.NewGuid():N}";
        await world.ExecuteAsync($"CREATE DATABASE {left} OWNER {PostgresFixture.BackupLogin}");
        await using var somebody = new NpgsqlConnection(world.Server.ConnectionFor(left).ConnectionString + ";Pooling=false");
        await somebody.OpenAsync(TestContext.Current.CancellationToken);

        using var run = world.StartPublished("backup-database", "--output", "json");
        await world.UntilAsync(Waiting, new { left }, BackupScene.Patience);
        await Task.Delay(TimeSpan.FromSeconds(5.5), TestContext.Current.CancellationToken);
        await somebody.CloseAsync();

        Assert.Equal(0, (await run.EndAsync()).ExitCode);
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname = @left", new { left }));
        folder.Delete(recursive: true);
    }

    private const string Waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DROP DATABASE%' || @left || '%' AND pid <> pg_backend_pid())";

    [Fact]
    public Task Killed_at_any_call_about_the_parts_of_a_dump_the_next_run_makes_it_good() => AtEachCallAsync("hang_after", inParts: true, async world =>
    {
        using var run = world.StartPublished("backup-database", ["--output", "json", .. KeepOne]);
        await shared.S3.HeldAsync();
        run.Kill();
        await run.EndAsync();
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task A_reply_of_the_bucket_that_is_lost_is_made_up_for(bool inParts) => AtEachCallAsync("drop_after", inParts, async world =>
    {
        var run = await world.BackedUpAsync(KeepOne);
        Assert.Equal(1, run.Counter("verified"));
    });

    private static readonly string[] KeepOne = ["--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0"];

    /// <summary>After each trouble a good backup is made, and what was begun is gone.</summary>
    /// <param name="inParts">Of a dump that goes up in parts, the calls about these alone: it takes its time.</param>
    private async Task AtEachCallAsync(string fault, bool inParts, Func<JobWorld, Task> work)
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        folder.Delete();
        await shared.S3.ResetAsync();
        shared.S3.OpenTo(world);
        (world.Environment["BACKUP_URL"], world.Environment["ARCHIVE_URL"]) = (world.Environment["ARCHIVE_URL"], null);
        if (inParts)
            await world.ExecuteAsync(Large.Replace("4000", "2000", StringComparison.Ordinal));
        await world.BackedUpAsync(KeepOne);
        await shared.S3.ClearFaultsAsync();
        Assert.Equal(1, (await world.BackedUpAsync(KeepOne)).Counter("deleted"));
        var requests = await shared.S3.RequestsAsync();
        Assert.Equal(inParts, requests.Any(r => r.Contains("partNumber=2", StringComparison.Ordinal)));
        var calls = Enumerable.Range(1, requests.Count).Where(n => !inParts || requests[n - 1].Contains("uploadId=", StringComparison.Ordinal)).ToList();
        foreach (var call in calls)
        {
            await shared.S3.ClearFaultsAsync();
            await shared.S3.FaultAsync(fault, call);
            await work(world);
            await shared.S3.ClearFaultsAsync();

            Assert.Equal(1, (await world.BackedUpAsync(KeepOne)).Counter("verified"));
            Assert.Equal(0, await shared.S3.UploadsAsync());
            var keys = await shared.S3.KeysAsync();
            // The dump, its checksum and its manifest.
            Assert.True(keys.Count == 3 && keys[1] == $"{keys[0]}.sha256" && keys[0][..^5] == keys[2][..^5], $"after {requests[call - 1]}: {string.Join(' ', keys)}");
            Assert.Single(await world.ListedAsync("deleted_at IS NULL"));
            await world.NoScratchAsync();
        }

        Evidence.Record("backup-database", fault == "hang_after" ? Trouble.KilledAtCall : Trouble.ProviderFault, calls.Count);
    }
}
