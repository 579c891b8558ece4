using System.Collections.Concurrent;
using System.Diagnostics;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Backups;

/// <summary>
/// Killed or stopped at any step: the last good backup is as it was, nothing partial has a backup's name, the programs at work for the
/// run end with it, and the next run removes what is left.
/// </summary>
public sealed class BackupKillTests(PostgresFixture fixture, Cleanup.SharedS3 shared) : IClassFixture<Cleanup.SharedS3>
{
    [Fact]
    public async Task Killed_before_or_after_any_round_trip_to_the_database_the_next_run_makes_it_good()
    {
        var missed = new ConcurrentBag<Point>();
        await CrashRig.EveryAsync(await PointsAsync(), async point =>
        {
            var (world, folder) = await fixture.BusinessAsync();
            await using var _ = world;
            var (good, content) = await GoodAsync(world, folder);
            await using (var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port))
            {
                proxy.StopAt(point.Step, point.Time, point.Phase);
                using var run = StartThrough(proxy, world);
                var end = run.EndAsync();
                if (await Task.WhenAny(proxy.Reached, end, Task.Delay(BackupScene.Patience)) != proxy.Reached)
                    missed.Add(point);
                run.Kill();
                await end;
            }

            await CheckAsync(world, folder, good, content);
        });
        Assert.Empty(missed);
    }

    private async Task<IReadOnlyList<Point>> PointsAsync()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        await GoodAsync(world, folder);
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
        using var run = StartThrough(proxy, world);
        var result = await run.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
        folder.Delete(recursive: true);
        // Which of the scratch's name and the snapshot's differs from run to run; what is counted need not be killed at each time.
        var points = Points.Of([.. proxy.Log.Where(trip => !trip.Sql.Contains("jobs_backup_verify_", StringComparison.Ordinal) && !trip.Sql.StartsWith("SELECT count(*) FROM ONLY", StringComparison.Ordinal))])
            .Where(point => !point.Step.Contains("jobs_backup_verify_", StringComparison.Ordinal)).ToList();
        Assert.InRange(points.Count, 20, 120);
        return points;
    }

    /// <summary>Everything but pg_dump and pg_restore goes through the proxy: what they say is not in round trips.</summary>
    private static JobProcess StartThrough(PostgresProxy proxy, JobWorld world)
    {
        var programs = world.Programs($"export PGPORT={world.Server.Port}", $"export PGPORT={world.Server.Port}");
        var environment = new Dictionary<string, string?>(world.Environment, StringComparer.Ordinal) { ["JOBS_PG_BIN"] = programs.FullName };
        foreach (var name in new[] { "DATABASE_URL", "BACKUP_DATABASE_URL" })
            environment[name] = CrashRig.Through(proxy, world.Server, environment[name]!);
        world.Environment["JOBS_PG_BIN"] = world.Server.BinDirectory;
        return JobProcess.Start("backup-database", environment, "--output", "json");
    }

    private static async Task<(string Name, byte[] Content)> GoodAsync(JobWorld world, DirectoryInfo folder)
    {
        await world.BackedUpAsync();
        var dump = folder.EnumerateFiles("*.dump").Single();
        return (dump.Name, await File.ReadAllBytesAsync(dump.FullName));
    }

    private static async Task CheckAsync(JobWorld world, DirectoryInfo folder, string good, byte[] content)
    {
        Assert.Equal(content, await File.ReadAllBytesAsync(folder.Path(good)));
        // Whatever stands under the name of a dump is whole.
        foreach (var manifest in folder.Manifests())
            Assert.Equal((string)manifest["sha256"]!, BackupScene.Sum(await File.ReadAllBytesAsync(folder.Path((string)manifest["file"]!))));

        var run = await world.BackedUpAsync("--keep-daily", "3");

        Assert.Equal(1, run.Counter("verified"));
        Assert.Equal(content, await File.ReadAllBytesAsync(folder.Path(good)));
        var manifests = folder.Manifests();
        // That day's last stays, of those that were verified.
        await world.AllIsWellAsync(folder, manifests.Count, manifests.Count(m => m["verified_at"] is not null));
        folder.Delete(recursive: true);
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
        using var run = world.Start("backup-database", "--output", "json");
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
        using var run = world.Start("backup-database", "--output", "json");
        var at = await AtWorkAsync(run, folder, program);

        run.Kill();

        await BackupScene.UntilAsync(() => !BackupScene.Lives(at), $"{program} ends");
        await CheckAsync(world, folder, good, content);
    }

    /// <summary>Waits until the program is at work for the run, on the large table if it is one of PostgreSQL's.</summary>
    private static async Task<int> AtWorkAsync(JobProcess run, DirectoryInfo folder, string program)
    {
        int? at = null;
        await BackupScene.UntilAsync(
            () => (at = BackupScene.Below(run.Id).Cast<int?>().FirstOrDefault(id => BackupScene.NameOf(id!.Value) == program)) is not null
                && (program != "pg_dump" || folder.EnumerateFiles("*.part").Any(f => f.Length > 100_000)),
            $"{program} is at work");
        return at!.Value;
    }

    private static void Signal(int process, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    [Theory]
    [InlineData("hang_before")]
    [InlineData("hang_after")]
    public async Task Killed_at_any_call_to_the_bucket_the_next_run_makes_it_good(string hang)
    {
        var (calls, _) = await InBucketAsync(async world => (await world.BackedUpAsync(), (await shared.S3.RequestsAsync()).Count));
        Assert.InRange(calls.Item2, 8, 40);
        for (var call = 1; call <= calls.Item2; call++)
        {
            await InBucketAsync(async world =>
            {
                await shared.S3.FaultAsync(hang, call);
                using (var run = world.Start("backup-database", "--output", "json"))
                {
                    await shared.S3.HeldAsync();
                    run.Kill();
                    await run.EndAsync();
                }

                await shared.S3.ClearFaultsAsync();
                return 0;
            });
        }
    }

    [Theory]
    [InlineData("drop_after")]
    [InlineData("drop_before")]
    [InlineData("status:503")]
    public async Task A_reply_of_the_bucket_that_is_lost_is_made_up_for(string fault)
    {
        var (calls, _) = await InBucketAsync(async world => (await world.BackedUpAsync(), (await shared.S3.RequestsAsync()).Count));
        for (var call = 1; call <= calls.Item2; call++)
        {
            await InBucketAsync(async world =>
            {
                await shared.S3.FaultAsync(fault, call);
                await world.BackedUpAsync();
                await shared.S3.ClearFaultsAsync();
                return 0;
            });
        }
    }

    /// <summary>A dump of several parts; in the end a good backup is there, and what was begun is not.</summary>
    private async Task<(T Result, int Backups)> InBucketAsync<T>(Func<JobWorld, Task<T>> work)
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        folder.Delete();
        await shared.S3.ResetAsync();
        await shared.S3.ClearFaultsAsync();
        shared.S3.OpenTo(world);
        world.Environment["BACKUP_URL"] = world.Environment["ARCHIVE_URL"];
        world.Environment["ARCHIVE_URL"] = null;
        await world.ExecuteAsync(Large);

        var result = await work(world);

        var last = await world.BackedUpAsync("--items");
        Assert.Equal(1, last.Counter("verified"));
        Assert.Equal(0, await shared.S3.UploadsAsync());
        var keys = await shared.S3.KeysAsync();
        Assert.All(keys.Where(k => k.EndsWith(".dump", StringComparison.Ordinal)), key => Assert.Contains(key.Replace(".dump", ".json", StringComparison.Ordinal), keys));
        Assert.All(keys.Where(k => k.EndsWith(".json", StringComparison.Ordinal)), key => Assert.Contains(key.Replace(".json", ".dump", StringComparison.Ordinal), keys));
        Assert.Equal(keys.Count / 2, (await world.ListedAsync("deleted_at IS NULL AND finished_at IS NOT NULL")).Count);
        await world.NoScratchAsync();
        return (result, keys.Count / 2);
    }
}
