using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Jobs.Tests.Backups;
using Jobs.Tests.Cleanup;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Providers;

/// <summary>
/// Every way in which a bucket's answer can be lost, broken or an error, at every call of the jobs that keep files there: what is in the
/// bucket is whole, and what is deleted here is there.
/// </summary>
[Trait("Category", "Proof")]
public sealed class S3FaultTests(PostgresFixture fixture) : IAsyncDisposable
{
    private static readonly string[] Faults =
        ["drop_before", "drop_after", "truncated_body", "status:500", "status:503", "status_after:500", "status_after:503", "status:403", "status:404"];

    // While these last, or when they strike once, there is nothing to be tried again.
    private static readonly string[] Final = ["status:403", "status:404"];

    private readonly ConcurrentBag<FakeS3Process> _idle = [];
    private readonly ConcurrentBag<(JobWorld World, FakeS3Process S3)> _backups = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var s3 in _idle)
            await s3.DisposeAsync();
        foreach (var (world, s3) in _backups)
        {
            await world.DisposeAsync();
            await s3.DisposeAsync();
        }
    }

    [Fact]
    public async Task The_bucket_goes_wrong_at_one_call_while_audit_logs_go_there()
    {
        var calls = 0;
        await ArchiveAsync(async (world, s3) =>
        {
            await ArchivedAsync(world);
            calls = (await s3.RequestsAsync()).Count;
        });
        Assert.InRange(calls, 4, 40);

        await Evidence.EveryAsync("cleanup", Trouble.ProviderFault, RunEnds.Pairs(calls, Faults, each: 4), point => ArchiveAsync(async (world, s3) =>
        {
            await s3.FaultAsync(point.Trouble, point.Place);
            var run = await world.CleanupAsync("--rows-per-file", "10");
            Assert.True(run.ExitCode == 0 || Final.Contains(point.Trouble), run.ToString());
            await CompleteAsync(world, s3, run);
        }));
    }

    [Fact]
    public async Task The_bucket_goes_wrong_for_the_whole_run_while_audit_logs_go_there() => await Evidence.EveryAsync(
        "cleanup", Trouble.ProviderFault,
        from fault in Evidence.Full ? Faults : ["status:503", "status:403"] from method in new[] { "PUT", "GET" } where Evidence.Full || method == "PUT" select (fault, method),
        point => ArchiveAsync(async (world, s3) =>
        {
            await s3.FaultAsync(point.fault, method: point.method);
            var run = await world.CleanupAsync("--rows-per-file", "10");
            Assert.True(run.ExitCode == 1, run.ToString());
            await CompleteAsync(world, s3, run);
        }));

    private async Task ArchiveAsync(Func<JobWorld, FakeS3Process, Task> work)
    {
        var s3 = _idle.TryTake(out var idle) ? idle : await FakeS3Process.StartAsync();
        await using var world = await fixture.WorldAsync();
        await s3.ResetAsync();
        s3.OpenTo(world);
        await world.ManyAsync(25);
        await world.RememberAsync();
        await work(world, s3);
        _idle.Add(s3);
    }

    private static async Task CompleteAsync(JobWorld world, FakeS3Process s3, JobResult run)
    {
        RunEnds.InASentence(run, FakeS3Process.SecretKey);
        await s3.ClearFaultsAsync();
        await EachRowOnceAsync(world, s3);
        await ArchivedAsync(world);
        Assert.Equal(0, await world.CountAsync("audit_logs"));
        await EachRowOnceAsync(world, s3);
        Assert.Equal(0, await s3.UploadsAsync());
    }

    private static async Task ArchivedAsync(JobWorld world)
    {
        var run = await world.CleanupAsync("--rows-per-file", "10");
        Assert.True(run.ExitCode == 0, $"the next run: {run}");
    }

    /// <summary>Of the rows that were there, each is either in a file that its checksum vouches for, or still here.</summary>
    private static async Task EachRowOnceAsync(JobWorld world, FakeS3Process s3)
    {
        var here = (await world.IdsAsync("audit_logs")).ToHashSet();
        var lines = new List<string>();
        foreach (var key in (await s3.KeysAsync()).Where(key => key.EndsWith(".gz", StringComparison.Ordinal)))
        {
            var content = await s3.ReadAsync(key);
            // A file that is not vouched for yet is written again.
            if (!(await s3.KeysAsync()).Contains(key + ".sha256"))
                continue;
            Assert.Equal($"{Convert.ToHexStringLower(SHA256.HashData(content))}  {key.Split('/')[^1]}\n", Encoding.ASCII.GetString(await s3.ReadAsync(key + ".sha256")));
            // Written, and not deleted here yet: both are the same row.
            lines.AddRange(CleanupScene.Lines(content).Where(line => !here.Contains(JsonDocument.Parse(line).RootElement.GetProperty("id").GetInt64())));
        }

        await world.EachRowOnceAsync(lines);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_bucket_goes_wrong_at_one_call_while_a_backup_goes_there(bool inParts)
    {
        Assert.SkipWhen(inParts && !Evidence.Full, "a large backup for each call: make proof");
        IReadOnlyList<string> requests = [];
        await BackUpAsync(inParts, async (world, s3) =>
        {
            Assert.Equal(1, (await world.BackedUpAsync(KeepOne)).Counter("deleted"));
            requests = await s3.RequestsAsync();
        });
        Assert.Equal(inParts, requests.Any(request => request.Contains("partNumber=2", StringComparison.Ordinal)));
        // Of a dump that goes up in parts, the calls about these alone: it takes its time.
        var calls = Enumerable.Range(1, requests.Count).Where(n => !inParts || requests[n - 1].Contains("uploadId=", StringComparison.Ordinal)).ToList();
        string[] faults = inParts ? ["drop_before", "drop_after", "status_after:503", "status:403"] : Faults;

        await Evidence.EveryAsync("backup-database", Trouble.ProviderFault, RunEnds.Pairs(calls.Count, faults, each: inParts ? 1 : 4), point => BackUpAsync(inParts, async (world, s3) =>
        {
            await s3.FaultAsync(point.Trouble, calls[point.Place - 1]);
            var run = await world.BackUpAsync(KeepOne);
            RunEnds.InASentence(run, FakeS3Process.SecretKey);
            Assert.True(run.ExitCode == 0 || Final.Contains(point.Trouble), run.ToString());
            await s3.ClearFaultsAsync();
            // The last good backup was never in danger: there is one, whatever the run was told.
            await OneIsWholeAsync(s3);
            if (run.ExitCode != 0 || Evidence.Full)
                Assert.Equal(1, (await world.BackedUpAsync(KeepOne)).Counter("verified"));
            await OneIsLeftAsync(world, s3);
        }));
    }

    [Fact]
    public async Task The_bucket_goes_wrong_for_the_whole_run_while_a_backup_goes_there() => await Evidence.EveryAsync(
        "backup-database", Trouble.ProviderFault,
        from fault in Evidence.Full ? Faults : ["status:503"]
        from method in Evidence.Full ? ["PUT", "GET", "DELETE"] : new[] { "PUT" }
        // What is gone already is not missed.
        where (fault, method) is not ("status:404", "DELETE")
        select (fault, method),
        point => BackUpAsync(inParts: false, async (world, s3) =>
        {
            await s3.FaultAsync(point.fault, method: point.method);
            var run = await world.BackUpAsync(KeepOne);
            RunEnds.InASentence(run, FakeS3Process.SecretKey);
            await s3.ClearFaultsAsync();
            await OneIsWholeAsync(s3);
            Assert.Equal(1, (await world.BackedUpAsync(KeepOne)).Counter("verified"));
            await OneIsLeftAsync(world, s3);
        }));

    private static readonly string[] KeepOne = ["--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0"];

    // Enough to go up in two parts.
    private const string Large =
        """
        CREATE TABLE large AS SELECT n, (SELECT string_agg(md5(random()::text || n || m), '') FROM generate_series(1, 300) AS m) AS noise FROM generate_series(1, 2000) AS n;
        GRANT SELECT ON large TO jobs_backup;
        """;


    /// <summary>A business whose last backup is in its bucket; the next point goes on with it, since each ends with a good one.</summary>
    private async Task BackUpAsync(bool inParts, Func<JobWorld, FakeS3Process, Task> work)
    {
        if (!_backups.TryTake(out var place))
        {
            var (world, folder) = await fixture.BusinessAsync();
            folder.Delete();
            place = (world, await FakeS3Process.StartAsync());
            place.S3.OpenTo(world);
            (world.Environment["BACKUP_URL"], world.Environment["ARCHIVE_URL"]) = (world.Environment["ARCHIVE_URL"], null);
            if (inParts)
                await world.ExecuteAsync(Large);
            await world.BackedUpAsync(KeepOne);
        }

        await place.S3.ClearFaultsAsync();
        await work(place.World, place.S3);
        _backups.Add(place);
    }

    /// <summary>A dump as its manifest says.</summary>
    private static async Task OneIsWholeAsync(FakeS3Process s3)
    {
        var keys = await s3.KeysAsync();
        var whole = 0;
        foreach (var key in keys.Where(key => key.EndsWith(".json", StringComparison.Ordinal)))
        {
            var manifest = JsonDocument.Parse(await s3.ReadAsync(key)).RootElement;
            var dump = $"{key[..(key.LastIndexOf('/') + 1)]}{manifest.GetProperty("file").GetString()}";
            if (keys.Contains(dump) && BackupScene.Sum(await s3.ReadAsync(dump)) == manifest.GetProperty("sha256").GetString() && manifest.GetProperty("verified_at").ValueKind == JsonValueKind.String)
                whole++;
        }

        Assert.True(whole > 0, string.Join(' ', keys));
    }

    /// <summary>Nothing of what was begun is left beside it.</summary>
    private static async Task OneIsLeftAsync(JobWorld world, FakeS3Process s3)
    {
        await OneIsWholeAsync(s3);
        var keys = await s3.KeysAsync();
        // The dump, its checksum and its manifest.
        Assert.True(keys.Count == 3 && keys[1] == $"{keys[0]}.sha256" && keys[0][..^5] == keys[2][..^5], string.Join(' ', keys));
        Assert.Equal(0, await s3.UploadsAsync());
        Assert.Single(await world.ListedAsync("deleted_at IS NULL"));
        await world.NoScratchAsync();
    }
}
