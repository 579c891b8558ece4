using Jobs.Tests.Backups;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>
/// Dead at any step, the last good backup is as it was, nothing partial has a backup's name, and the next run makes a good one and
/// removes what is left.
/// </summary>
internal static class BackupScenarios
{
    private static readonly SemaphoreSlim Once = new(1);
    private static Good? _good;

    /// <summary>A backup that an earlier run made; what is in it does not depend on the database's name.</summary>
    private sealed record Good(string Database, string Name, string Manifest, byte[] Dump);

    private sealed record Shelf(DirectoryInfo Folder, DirectoryInfo Programs) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            Folder.Delete(recursive: true);
            Programs.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }
    }

    // With a new verified one, the earlier goes.
    private static readonly string[] KeepOne = ["--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0"];

    public static readonly Scenario IntoFolder = new("backup-database into a folder", "backup-database", [("backups", 1), ("verified", 1), ("deleted", 1)], SeedFolderAsync)
    {
        Spoils = true,
        Args = KeepOne,
        Outside = world => new FileSteps(world.The<Shelf>().Folder, world.The<Shelf>().Programs),
        Alike = Counted,
        // How far retention has to go.
        Varies = true,
        Meanwhile = async world =>
        {
            await WholeAsync(world.The<Shelf>().Folder);
            await GoneAsync(world);
        },
        // That day's last stays.
        Judge = (world, _) => world.AllIsWellAsync(world.The<Shelf>().Folder, 1),
    };

    public static readonly Scenario IntoBucket = new("backup-database into a bucket", "backup-database", [("backups", 1), ("verified", 1), ("deleted", 1)], SeedBucketAsync)
    {
        Spoils = true,
        Args = KeepOne,
        Outside = world => new BucketCalls(world.The<FakeS3Process>()),
        OnlyOutside = true,
        Meanwhile = GoneAsync,
        Judge = (world, _) => AllIsWellInBucketAsync(world),
    };

    // All tables are counted alike.
    private static string Counted(string step) => step.StartsWith("SELECT count(*) FROM ONLY", StringComparison.Ordinal) ? "SELECT count(*) FROM ONLY" : step;

    private static async Task SeedFolderAsync(JobWorld world)
    {
        var folder = await SeedAsync(world);
        var good = await GoodAsync(world, folder);
        await File.WriteAllBytesAsync(folder.Path($"{good.Name}.dump"), good.Dump);
        await File.WriteAllTextAsync(folder.Path($"{good.Name}.dump.sha256"), Checksum(good));
        await File.WriteAllTextAsync(folder.Path($"{good.Name}.json"), good.Manifest);
    }

    private static string Checksum(Good good) => $"{BackupScene.Sum(good.Dump)}  {good.Name}.dump\n";

    private static async Task SeedBucketAsync(JobWorld world)
    {
        var good = await GoodAsync(world, await SeedAsync(world));
        var s3 = world.With(await FakeS3Process.StartAsync());
        s3.OpenTo(world);
        (world.Environment["BACKUP_URL"], world.Environment["ARCHIVE_URL"]) = (world.Environment["ARCHIVE_URL"], null);
        await s3.WriteAsync($"kept/{good.Name}.dump", good.Dump);
        await s3.WriteAsync($"kept/{good.Name}.dump.sha256", System.Text.Encoding.UTF8.GetBytes(Checksum(good)));
        await s3.WriteAsync($"kept/{good.Name}.json", System.Text.Encoding.UTF8.GetBytes(good.Manifest));
        await world.ExecuteAsync("DELETE FROM backups");
    }

    private static async Task<DirectoryInfo> SeedAsync(JobWorld world)
    {
        var folder = await world.BusinessAsync();
        var programs = ProgramFolder.Create(world.Server.BinDirectory!, world.Server.Port);
        world.With(new Shelf(folder, programs));
        world.Environment["JOBS_PG_BIN"] = programs.FullName;
        // The rows of a small business as a crash leaves them: each paid payment is audited.
        await world.ExecuteAsync("INSERT INTO audit_logs (action, subject_type, subject_id) SELECT 'payment.succeeded', 'payment', id FROM payments");
        return folder;
    }

    /// <summary>An earlier run's backup of this world. Made once: the next has the same under its own name.</summary>
    private static async Task<Good> GoodAsync(JobWorld world, DirectoryInfo folder)
    {
        await Once.WaitAsync();
        try
        {
            if (_good is null)
            {
                await world.BackedUpAsync();
                var name = Path.GetFileNameWithoutExtension(folder.EnumerateFiles("*.dump").Single().Name);
                _good = new Good(world.Database, name, await File.ReadAllTextAsync(folder.Path($"{name}.json")), await File.ReadAllBytesAsync(folder.Path($"{name}.dump")));
            }
        }
        finally
        {
            Once.Release();
        }

        return _good with
        {
            Name = _good.Name.Replace(_good.Database, world.Database, StringComparison.Ordinal),
            Manifest = _good.Manifest.Replace(_good.Database, world.Database, StringComparison.Ordinal),
        };
    }

    // PostgreSQL learns a moment later that a client was killed; until then it is taken for alive, and what it made is left to it. One that is
    // making a database finishes that first.
    private const string Sessions =
        """
        SELECT count(*) FROM pg_stat_activity AS s
        WHERE s.pid <> pg_backend_pid() AND s.application_name LIKE '%backup%'
          AND (s.datname = current_database() OR EXISTS (
              SELECT FROM backups AS b CROSS JOIN LATERAL hashtextextended('backup-database ' || replace(b.run_id::text, '-', ''), 0) AS key
              WHERE s.datname ~ replace(b.run_id::text, '-', '') OR EXISTS (
                  SELECT FROM pg_locks AS l WHERE l.pid = s.pid AND l.locktype = 'advisory'
                    AND l.classid = ((key >> 32) & 4294967295)::oid AND l.objid = (key & 4294967295)::oid)))
        """;

    private static async Task GoneAsync(JobWorld world)
    {
        for (var patience = 0; patience < 200 && await world.ScalarAsync<long>(Sessions) > 0; patience++)
            await Task.Delay(100);
    }

    /// <summary>Whatever stands under the name of a dump is whole, and one of them is verified.</summary>
    private static async Task WholeAsync(DirectoryInfo folder)
    {
        foreach (var manifest in folder.Manifests())
            Assert.Equal((string)manifest["sha256"]!, BackupScene.Sum(await File.ReadAllBytesAsync(folder.Path((string)manifest["file"]!))));
        Assert.Contains(folder.Manifests(), manifest => manifest["verified_at"] is not null);
    }

    private static async Task AllIsWellInBucketAsync(JobWorld world)
    {
        var s3 = world.The<FakeS3Process>();
        Assert.Equal(0, await s3.UploadsAsync());
        var keys = await s3.KeysAsync();
        // The dump, its checksum and its manifest.
        Assert.True(keys.Count == 3 && keys[1] == $"{keys[0]}.sha256" && keys[0][..^5] == keys[2][..^5], string.Join(' ', keys));
        Assert.Single(await world.ListedAsync("deleted_at IS NULL"));
        await world.NoScratchAsync();
    }
}
