using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Cleanup;

/// <summary>Audit logs into files of a folder: whole, verified, each row once; from wherever a run before was stopped.</summary>
public sealed class ExportTests(PostgresFixture fixture)
{
    [Fact]
    public async Task Rows_go_into_files_that_anybody_can_read_and_check()
    {
        await using var world = await fixture.WorldAsync();
        var folder = world.Folder();
        await world.ManyAsync(25);
        var exactly = await world.AuditAsync(CleanupScene.Edge);
        await world.RememberAsync();

        var run = await world.CleanupAsync("--rows-per-file", "10", "--batch-size", "4");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal((25, 3), (run.Counter("audit_logs_exported"), run.Counter("files")));
        Assert.Equal([exactly], await world.IdsAsync("audit_logs"));
        Assert.Equal(6, folder.Files().Count);
        Assert.All(folder.DataFiles(), f => Assert.Matches(@"/audit_logs/2026/audit_logs-\d{12}-\d{12}-\d{8}T\d{6}Z\.jsonl\.gz$", f));
        Assert.Contains("audit_logs-000000000001-000000000010-", folder.DataFiles()[0], StringComparison.Ordinal);
        Assert.StartsWith("""{"id":1,"actor":"job","action":"payment.succeeded","subject_type":"payment","subject_id":1,"run_id":"c4ca4238-""", CleanupScene.Lines(await File.ReadAllBytesAsync(folder.DataFiles()[0], TestContext.Current.CancellationToken))[0], StringComparison.Ordinal);
        await world.EachRowOnceAsync(folder);
        Assert.Equal(3, await world.ScalarAsync<long>("SELECT count(*) FROM audit_log_files WHERE verified_at < deleted_at AND byte_count > 0 AND length(sha256) = 64 AND url LIKE 'file:///%'"));

        var before = folder.Files();
        Assert.Equal(0, (await world.CleanupAsync()).Counter("files"));
        Assert.Equal(before, folder.Files());
    }

    [Fact]
    public async Task Odd_data_comes_back_as_it_was()
    {
        await using var world = await fixture.WorldAsync();
        var folder = world.Folder();
        foreach (var data in (string[])["""{"a": "line\nline\r\n\u2028\ttab"}""", """{"a": "back\\slash \\u0000 \"quoted\" é 😀"}""", """{"n": 1e400, "m": -0.10}""", "[]", "null", "\"text\"", """{"id": 99, "id2": {"id": 5}}"""])
            await world.AuditAsync(CleanupScene.Edge.AddDays(-1), data);
        await world.ExecuteAsync("INSERT INTO audit_logs (id, actor, action, subject_id, created_at) VALUES (-5, E'\\x01\\n\\\\', '', -1, '0099-01-01'), (9000000000000, 'x', 'y', NULL, '-infinity')");
        await world.ExecuteAsync("INSERT INTO audit_logs (action, data, created_at) SELECT 'huge', to_jsonb(repeat('0123456789\"', 1000000)), '2020-01-01' FROM generate_series(1, 3)");
        await world.RememberAsync();

        var run = await world.CleanupAsync("--rows-per-file", "7");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(12, run.Counter("audit_logs_exported"));
        await world.EachRowOnceAsync(folder);
    }

    [Theory]
    [InlineData]
    [InlineData("--limit", "13")]
    [InlineData("--limit", "10")]
    public async Task A_dry_run_tells_exactly_what_the_run_then_does(params string[] options)
    {
        await using var world = await fixture.WorldAsync();
        var folder = world.Folder();
        await world.ManyAsync(25);
        await world.RememberAsync();

        var dry = await world.CleanupAsync(["--dry-run", "--rows-per-file", "10", .. options]);
        Assert.Equal((25, 0, 0), (await world.CountAsync("audit_logs"), await world.CountAsync("audit_log_files"), folder.Files().Count));
        var real = await world.CleanupAsync(["--items", "--rows-per-file", "10", .. options]);

        Assert.Equal(dry.Told(), real.Told());
        await world.EachRowOnceAsync(folder);
    }

    [Theory]
    [InlineData("sha256 <> ''")]
    [InlineData("verified_at IS NOT NULL")]
    [InlineData("deleted_at IS NOT NULL")]
    public async Task A_run_goes_on_from_any_step_and_a_dry_run_knows_it(string step)
    {
        await using var world = await fixture.WorldAsync();
        var folder = world.Folder();
        await world.ManyAsync(25);
        await world.RememberAsync();
        await world.StopBeforeAsync(step);
        Assert.Equal(1, (await world.CleanupAsync("--rows-per-file", "10")).ExitCode);
        await world.GoOnAsync();
        // As a process leaves it that dies while it writes, or before the checksum.
        await File.WriteAllTextAsync($"{folder.DataFiles()[0]}.0123.part", "half a fi", TestContext.Current.CancellationToken);
        var written = await File.ReadAllBytesAsync(folder.DataFiles()[0], TestContext.Current.CancellationToken);
        if (step.StartsWith("sha256", StringComparison.Ordinal))
            File.Delete(folder.DataFiles()[0] + ".sha256");
        await world.ManyAsync(3, "6 months 5 days");
        await world.ExecuteAsync("INSERT INTO before SELECT * FROM audit_logs WHERE id > 25");

        var dry = await world.CleanupAsync("--dry-run", "--rows-per-file", "10");
        var real = await world.CleanupAsync("--items", "--rows-per-file", "10");

        Assert.Equal(dry.Told(), real.Told());
        Assert.Equal(written, await File.ReadAllBytesAsync(folder.DataFiles()[0], TestContext.Current.CancellationToken));
        // Only who writes it anew clears up.
        folder.Files().Where(f => f.EndsWith(".part", StringComparison.Ordinal) && !step.StartsWith("sha256", StringComparison.Ordinal)).ToList().ForEach(File.Delete);
        await world.EachRowOnceAsync(folder);
        Assert.Equal(28, folder.DataFiles().Sum(f => CleanupScene.Lines(File.ReadAllBytes(f)).Length));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("byte")]
    [InlineData("empty")]
    [InlineData("longer")]
    [InlineData("other")]
    public async Task A_damaged_file_is_found_and_no_row_is_deleted_and_once_removed_it_is_written_anew(string damage)
    {
        await using var world = await fixture.WorldAsync();
        var folder = world.Folder();
        await world.ManyAsync(25);
        await world.RememberAsync();
        await world.StopBeforeAsync("verified_at IS NOT NULL");
        Assert.Equal(1, (await world.CleanupAsync()).ExitCode);
        await world.GoOnAsync();
        var file = folder.DataFiles().Single();
        var content = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        byte[] damaged = damage switch
        {
            "cut" => content[..^20],
            "byte" => [.. content[..100], (byte)(content[100] ^ 1), .. content[101..]],
            "empty" => [],
            "longer" => [.. content, 0],
            _ => Zip("{\"id\":1,\"actor\":\"\"}\n"),
        };
        await File.WriteAllBytesAsync(file, damaged, TestContext.Current.CancellationToken);

        var error = (await world.CleanupAsync()).Error();

        Assert.StartsWith($"file://{file} does not hold what was written (", error, StringComparison.Ordinal);
        Assert.EndsWith("; no row was deleted; remove the file, then run again: it is written anew", error, StringComparison.Ordinal);
        Assert.Equal(25, await world.CountAsync("audit_logs"));
        File.Delete(file);
        var run = await world.CleanupAsync();
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Contains("written anew", run.Stderr, StringComparison.Ordinal);
        Assert.Equal(content, await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken));
        await world.EachRowOnceAsync(folder);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_whose_rows_are_half_deleted_is_verified_again_before_the_rest_goes(bool gone)
    {
        await using var world = await fixture.WorldAsync();
        var folder = world.Folder();
        await world.ManyAsync(25);
        await world.RememberAsync();
        await world.StopBeforeAsync("deleted_at IS NOT NULL");
        Assert.Equal(1, (await world.CleanupAsync()).ExitCode);
        await world.GoOnAsync();
        // The process died after 15 of the rows.
        await world.ExecuteAsync("INSERT INTO audit_logs SELECT * FROM before WHERE id > 15");
        var file = folder.DataFiles().Single();
        var content = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        if (gone)
            File.Delete(file);
        else
            await File.WriteAllBytesAsync(file, content[..^20], TestContext.Current.CancellationToken);

        var error = (await world.CleanupAsync()).Error();
        Assert.Contains("stay in audit_logs; bring", error, StringComparison.Ordinal);
        Assert.Equal(10, await world.CountAsync("audit_logs"));

        await File.WriteAllBytesAsync(file, content, TestContext.Current.CancellationToken);
        Assert.Equal(0, (await world.CleanupAsync()).ExitCode);
        await world.EachRowOnceAsync(folder);
    }

    [Fact]
    public async Task A_row_that_comes_late_into_a_range_that_was_exported_is_not_lost()
    {
        await using var world = await fixture.WorldAsync();
        var folder = world.Folder();
        await world.ManyAsync(25);
        await world.StopBeforeAsync("verified_at IS NOT NULL");
        Assert.Equal(1, (await world.CleanupAsync()).ExitCode);
        await world.GoOnAsync();
        // A long transaction that wrote history: committed after the file was written.
        await world.ExecuteAsync("INSERT INTO audit_logs (action, created_at) SELECT 'late', created_at FROM audit_logs WHERE id = 10");
        await world.RememberAsync();

        Assert.Equal(26, (await world.CleanupAsync()).Counter("audit_logs_exported"));
        Assert.Equal(2, folder.DataFiles().Count);
        await world.EachRowOnceAsync(folder);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_begun_under_another_url_is_given_up_as_long_as_no_row_was_deleted_for_it(bool toTable)
    {
        await using var world = await fixture.WorldAsync();
        var first = world.Folder();
        await world.ManyAsync(25);
        await world.RememberAsync();
        await world.StopBeforeAsync("verified_at IS NOT NULL");
        Assert.Equal(1, (await world.CleanupAsync()).ExitCode);
        await world.GoOnAsync();
        var second = world.Folder();
        if (toTable)
            world.Environment["ARCHIVE_URL"] = null;

        var run = await world.CleanupAsync();

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Contains($"The export to file://{first.DataFiles().Single()} was begun under another ARCHIVE_URL and is given up", run.Stderr, StringComparison.Ordinal);
        await world.EachRowOnceAsync(second);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_for_which_rows_were_deleted_must_be_completed_where_it_is(bool toTable)
    {
        await using var world = await fixture.WorldAsync();
        var first = world.Folder();
        var url = world.Environment["ARCHIVE_URL"];
        await world.ManyAsync(25);
        await world.RememberAsync();
        await world.StopBeforeAsync("deleted_at IS NOT NULL");
        Assert.Equal(1, (await world.CleanupAsync()).ExitCode);
        await world.GoOnAsync();
        world.Folder();
        if (toTable)
            world.Environment["ARCHIVE_URL"] = null;

        Assert.Equal(
            $"the export to file://{first.DataFiles().Single()} has begun to delete what is in it; set ARCHIVE_URL as it was until a run has completed it",
            (await world.CleanupAsync()).Error());

        world.Environment["ARCHIVE_URL"] = url;
        Assert.Equal(0, (await world.CleanupAsync()).ExitCode);
        await world.EachRowOnceAsync(first);
    }

    [Fact]
    public async Task Many_rows_take_little_memory_however_many_they_are()
    {
        await using var world = await fixture.WorldAsync();
        var folder = world.Folder();
        await world.ManyAsync(120_000);
        await world.RememberAsync();
        // 24 MB for everything managed.
        world.Environment["DOTNET_GCHeapHardLimit"] = "0x1800000";

        var run = await world.CleanupAsync();

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal((120_000, 2), (run.Counter("audit_logs_exported"), run.Counter("files")));
        await world.EachRowOnceAsync(folder);
    }

    [Theory]
    [InlineData("nonsense", "ARCHIVE_URL must be file:///folder or s3://bucket/prefix?region=eu-west-3")]
    [InlineData("https://example.org/x", "ARCHIVE_URL must be file:///folder or s3://bucket/prefix?region=eu-west-3, not https://")]
    [InlineData("file://backups/audit", "ARCHIVE_URL names a folder as file:///folder, with three slashes and without options")]
    [InlineData("s3:///prefix", "ARCHIVE_URL names no bucket; it must be s3://bucket/prefix")]
    [InlineData("s3://key:sesame-open@bucket/x", "ARCHIVE_URL must hold no credentials: an URL ends up in logs; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")]
    [InlineData("s3://bucket/x?reigon=eu-west-3", "ARCHIVE_URL: 'reigon' is not an option of an s3 URL; did you mean region?")]
    [InlineData("s3://bucket/x?endpoint=localhost", "ARCHIVE_URL: endpoint must be http://host:port or https://host:port")]
    [InlineData("s3://bucket/x?region=eu-west-3", "AWS_ACCESS_KEY_ID is not set; set it to the id of the access key that may write to the bucket")]
    [InlineData("file:///nowhere/at/all", "the folder /nowhere/at/all of ARCHIVE_URL does not exist; create it, or mount the disk that holds it")]
    [InlineData("file:///proc", "could not be written")]
    public async Task A_mistake_in_the_url_is_one_sentence_and_deletes_nothing(string url, string sentence)
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["ARCHIVE_URL"] = url;
        await world.ManyAsync(5);

        var error = (await world.CleanupAsync()).Error();

        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.DoesNotContain("sesame", error, StringComparison.Ordinal);
        Assert.Equal(5, await world.CountAsync("audit_logs"));
    }

    private static byte[] Zip(string text)
    {
        using var zipped = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(zipped, System.IO.Compression.CompressionLevel.Fastest))
            gzip.Write(System.Text.Encoding.UTF8.GetBytes(text));
        return zipped.ToArray();
    }
}
