using System.Security.Cryptography;
using System.Text;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Cleanup;

/// <summary>A fake S3 that a class of tests shares, one at a time.</summary>
public sealed class SharedS3 : IAsyncLifetime
{
    public FakeS3Process S3 { get; private set; } = null!;

    public async ValueTask InitializeAsync() => S3 = await FakeS3Process.StartAsync();

    public ValueTask DisposeAsync() => S3.DisposeAsync();
}

/// <summary>Audit logs into a bucket, whatever the network and the service do.</summary>
public sealed class S3Tests(PostgresFixture fixture, SharedS3 shared) : IClassFixture<SharedS3>
{
    // Of one file: the content, its checksum beside it, and the content read back.
    private const int Calls = 3;

    private FakeS3Process S3 => shared.S3;

    private async Task<JobWorld> WorldAsync(int rows = 25)
    {
        var world = await fixture.WorldAsync();
        await S3.ResetAsync();
        S3.OpenTo(world);
        await world.ManyAsync(rows);
        await world.RememberAsync();
        return world;
    }

    private async Task EachRowOnceAsync(JobWorld world)
    {
        var keys = await S3.KeysAsync();
        var lines = new List<string>();
        foreach (var key in keys.Where(k => k.EndsWith(".gz", StringComparison.Ordinal)))
        {
            var content = await S3.ReadAsync(key);
            Assert.Equal($"{Convert.ToHexStringLower(SHA256.HashData(content))}  {key.Split('/')[^1]}\n", Encoding.ASCII.GetString(await S3.ReadAsync(key + ".sha256")));
            lines.AddRange(CleanupScene.Lines(content));
        }

        await world.EachRowOnceAsync(lines);
        Assert.Equal(0, await S3.UploadsAsync());
    }

    [Fact]
    public async Task Rows_go_into_objects_below_the_prefix()
    {
        await using var world = await WorldAsync();

        var run = await world.CleanupAsync("--rows-per-file", "10");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal((25, 3), (run.Counter("audit_logs_exported"), run.Counter("files")));
        Assert.Equal(0, await world.CountAsync("audit_logs"));
        Assert.All(await S3.KeysAsync(), key => Assert.StartsWith("kept/audit_logs/2026/audit_logs-", key, StringComparison.Ordinal));
        Assert.Equal(3 * Calls, (await S3.RequestsAsync()).Count);
        await EachRowOnceAsync(world);
    }

    [Fact]
    public async Task A_dry_run_asks_the_store_nothing()
    {
        await using var world = await WorldAsync();
        Assert.Equal(25, (await world.CleanupAsync("--dry-run")).Counter("audit_logs_exported"));
        Assert.Empty(await S3.RequestsAsync());
    }

    [Fact]
    public async Task The_keys_may_come_as_files()
    {
        await using var world = await WorldAsync();
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, FakeS3Process.SecretKey + "\n", TestContext.Current.CancellationToken);
        (world.Environment["AWS_SECRET_ACCESS_KEY"], world.Environment["AWS_SECRET_ACCESS_KEY_FILE"]) = (null, file);

        Assert.Equal(0, (await world.CleanupAsync()).ExitCode);
        File.Delete(file);
        await EachRowOnceAsync(world);
    }

    public static TheoryData<string, int> Troubles
    {
        get
        {
            var all = new TheoryData<string, int>();
            foreach (var trouble in (string[])["drop_before", "drop_after", "status:500", "status:503", "status_after:500", "truncated_body"])
            {
                for (var call = 1; call <= Calls; call++)
                    all.Add(trouble, call);
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Troubles))]
    public async Task Whatever_reply_is_lost_each_row_is_exported_once(string trouble, int call)
    {
        await using var world = await WorldAsync();
        await S3.FaultAsync(trouble, call);

        var run = await world.CleanupAsync();

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal((25, 1), (run.Counter("audit_logs_exported"), run.Counter("files")));
        await EachRowOnceAsync(world);
    }

    [Theory]
    [InlineData("hang_before")]
    [InlineData("hang_after")]
    public async Task Killed_at_any_request_the_next_run_completes_the_work(string hang)
    {
        for (var call = 1; call <= Calls + 1; call++)
        {
            await using var world = await WorldAsync();
            await S3.FaultAsync(hang, call);
            using var process = world.StartPublished("cleanup", "--output", "json", "--rows-per-file", "15", "--as-of", "2026-11-22T01:00:00Z");
            await S3.HeldAsync();
            process.Kill();
            await process.EndAsync();
            await S3.ClearFaultsAsync();

            var run = await world.CleanupAsync("--rows-per-file", "15");

            Assert.True(run.ExitCode == 0, run.ToString());
            Assert.Equal(0, await world.CountAsync("audit_logs"));
            Assert.Equal(4, (await S3.KeysAsync()).Count);
            await EachRowOnceAsync(world);
        }
    }

    [Fact]
    public async Task A_run_that_sleeps_in_the_middle_of_writing_while_another_does_its_work_spoils_nothing()
    {
        await using var world = await WorldAsync();
        // It stands still with the whole file in hand, then with the file stored and not yet recorded.
        foreach (var hang in (string[])["hang_before", "hang_after"])
        {
            await S3.FaultAsync(hang, 1);
            using var asleep = world.StartPublished("cleanup", "--output", "json", "--as-of", "2026-11-22T01:00:00Z", "--rows-per-file", "10", "--limit", "10");
            await S3.HeldAsync();
            asleep.Signal("STOP");
            await S3.ClearFaultsAsync();
            await world.ExecuteAsync("UPDATE leases SET expires_at = clock_timestamp() - interval '1 hour'");

            var run = await world.CleanupAsync("--rows-per-file", "10", "--limit", "10");
            Assert.True(run.ExitCode == 0, run.ToString());
            asleep.Signal("CONT");
            await asleep.EndAsync();
        }

        Assert.Equal(0, (await world.CleanupAsync()).ExitCode);
        await EachRowOnceAsync(world);
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("byte")]
    public async Task A_damaged_object_is_found_and_no_row_is_deleted(string damage)
    {
        await using var world = await WorldAsync();
        await world.StopBeforeAsync("verified_at IS NOT NULL");
        Assert.Equal(1, (await world.CleanupAsync()).ExitCode);
        await world.GoOnAsync();
        var key = (await S3.KeysAsync())[0];
        var content = await S3.ReadAsync(key);
        await S3.WriteAsync(key, damage == "cut" ? content[..^9] : [.. content[..^9], (byte)(content[^9] ^ 4), .. content[^8..]]);

        Assert.StartsWith($"s3://archive/{key} does not hold what was written (", (await world.CleanupAsync()).Error(), StringComparison.Ordinal);
        Assert.Equal(25, await world.CountAsync("audit_logs"));

        await S3.DeleteAsync(key);
        Assert.Equal(0, (await world.CleanupAsync()).ExitCode);
        await EachRowOnceAsync(world);
    }

    [Theory]
    [InlineData("bucket", "there is no bucket archives; create it, or correct its name or region in ARCHIVE_URL")]
    [InlineData("id", "the service refused the credentials (The AWS Access Key Id you provided does not exist in our records.); check AWS_ACCESS_KEY_ID")]
    [InlineData("secret", "the service refused the credentials (The request signature we calculated does not match")]
    [InlineData("rights", "the service refused it (AccessDenied); the access key needs s3:PutObject, s3:GetObject and s3:AbortMultipartUpload on the bucket archive")]
    [InlineData("busy", "the service answered 503 SlowDown")]
    [InlineData("full", "the service answered 507 InsufficientStorage")]
    [InlineData("unreachable", "the service cannot be reached (Connection refused")]
    public async Task What_the_store_refuses_is_one_sentence_and_deletes_nothing(string mistake, string sentence)
    {
        await using var world = await WorldAsync();
        var environment = world.Environment;
        switch (mistake)
        {
            case "bucket":
                environment["ARCHIVE_URL"] = S3.Url.Replace("//archive/", "//archives/", StringComparison.Ordinal);
                break;
            case "id":
                environment["AWS_ACCESS_KEY_ID"] = "another-access-key";
                break;
            case "secret":
                environment["AWS_SECRET_ACCESS_KEY"] = "another-secret-key";
                break;
            case "unreachable":
                environment["ARCHIVE_URL"] = "s3://archive/kept?endpoint=http://127.0.0.1:9";
                break;
            default:
                await S3.FaultAsync(mistake switch { "rights" => "status:403", "busy" => "status:503", _ => "status:507" });
                break;
        }

        var run = await world.CleanupAsync();

        Assert.Contains(sentence, run.Error(), StringComparison.Ordinal);
        Assert.DoesNotContain("another-secret-key", run.Stderr, StringComparison.Ordinal);
        Assert.Equal(25, await world.CountAsync("audit_logs"));
        // The mistake once mended, the next run does it all.
        S3.OpenTo(world);
        await S3.ClearFaultsAsync();
        var next = await world.CleanupAsync();
        Assert.True(next.ExitCode == 0, next.ToString());
        await EachRowOnceAsync(world);
    }

    private const string Large =
        """
        INSERT INTO audit_logs (action, data, created_at)
        SELECT 'large', to_jsonb((SELECT string_agg(md5((k * 1000000 + n)::text), '') FROM generate_series(1, 31250) AS n)), '2026-01-01'
        FROM generate_series(1, 24) AS k
        """;

    [Theory]
    [InlineData(null, 0)]
    [InlineData("drop_after", 2)]
    [InlineData("status:503", 3, Traits = ["Category", "Proof"])]
    [InlineData("drop_before", 4, Traits = ["Category", "Proof"])]
    public async Task A_large_file_goes_up_in_parts(string? trouble, int call)
    {
        await using var world = await WorldAsync(0);
        await world.ExecuteAsync(Large + "; INSERT INTO before SELECT * FROM audit_logs");
        if (trouble is not null)
            await S3.FaultAsync(trouble, call);

        var run = await world.CleanupAsync();

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Contains(await S3.RequestsAsync(), r => r.Contains("partNumber=2", StringComparison.Ordinal));
        await EachRowOnceAsync(world);
    }

    [Fact]
    public async Task An_upload_in_parts_that_fails_leaves_none_of_them_behind()
    {
        await using var world = await WorldAsync(0);
        await world.ExecuteAsync(Large + "; INSERT INTO before SELECT * FROM audit_logs");
        // Begun, one part sent, then nothing but refusals of what is put.
        for (var n = 2; n < 9; n++)
            await S3.FaultAsync("status:403", n, "PUT");

        Assert.Contains("AccessDenied", (await world.CleanupAsync()).Error(), StringComparison.Ordinal);
        Assert.Equal((0, 24), (await S3.UploadsAsync(), await world.CountAsync("audit_logs")));
        Assert.Empty(await S3.KeysAsync());
    }
}
