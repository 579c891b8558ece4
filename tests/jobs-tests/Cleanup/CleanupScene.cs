using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Cleanup;

/// <summary>Sessions and audit logs of all ages, and what is found of them afterwards: in the tables and in the files.</summary>
internal static class CleanupScene
{
    /// <summary>A Sunday, two o'clock in Paris.</summary>
    public static readonly DateTime Now = new(2026, 11, 22, 1, 0, 0, DateTimeKind.Utc);

    /// <summary>Exactly 6 months before; a row of this moment stays.</summary>
    public static readonly DateTime Edge = Now.AddMonths(-6);

    /// <summary>The shortest time PostgreSQL tells apart.</summary>
    public static readonly TimeSpan Moment = TimeSpan.FromMicroseconds(1);

    public static Task<JobResult> CleanupAsync(this JobWorld world, params string[] args) =>
        world.RunAsync("cleanup", ["--as-of", Now.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture), .. args]);

    public static Task<long> SessionAsync(this JobWorld world, DateTime updatedAt) =>
        world.ScalarAsync<long>("INSERT INTO sessions (updated_at) VALUES (@updatedAt) RETURNING id", new { updatedAt });

    public static Task<long> AuditAsync(this JobWorld world, DateTime createdAt, string data = "{}") =>
        world.ScalarAsync<long>(
            """
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, data, created_at)
            VALUES ('ada', 'order.expired', 'order', 7, @data::jsonb, @createdAt) RETURNING id
            """,
            new { createdAt, data });

    /// <summary>Rows of the past, the oldest first, every third without a run; some share their moment.</summary>
    public static Task ManyAsync(this JobWorld world, int count, string age = "7 months") =>
        world.ExecuteAsync(
            $"""
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data, created_at)
            SELECT 'job', 'payment.succeeded', 'payment', n, CASE WHEN n % 3 > 0 THEN md5(n::text)::uuid END,
                   jsonb_build_object('amount_minor', n, 'note', md5(n::text)), @Now::timestamptz - interval '{age}' + (n / 2) * interval '1 second'
            FROM generate_series(1, @count) AS n
            ORDER BY n
            """,
            new { Now, count });

    /// <summary>A copy of what is there before anything is archived.</summary>
    public static Task RememberAsync(this JobWorld world) => world.ExecuteAsync("DROP TABLE IF EXISTS before; CREATE TABLE before AS SELECT * FROM audit_logs");

    public static Task<long> CountAsync(this JobWorld world, string table) => world.ScalarAsync<long>($"SELECT count(*) FROM {table}");

    public static async Task<IReadOnlyList<long>> IdsAsync(this JobWorld world, string table) =>
        [.. (await world.QueryAsync($"SELECT id FROM {table} ORDER BY id")).Select(r => (long)r.id)];

    /// <summary>Gives a world a folder of its own as ARCHIVE_URL.</summary>
    public static DirectoryInfo Folder(this JobWorld world)
    {
        var folder = Directory.CreateTempSubdirectory("archive");
        world.Environment["ARCHIVE_URL"] = $"file://{folder.FullName}";
        return folder;
    }

    public static IReadOnlyList<string> Files(this DirectoryInfo folder) =>
        [.. folder.EnumerateFiles("*", SearchOption.AllDirectories).Select(f => f.FullName).Order(StringComparer.Ordinal)];

    public static IReadOnlyList<string> DataFiles(this DirectoryInfo folder) => [.. folder.Files().Where(f => f.EndsWith(".gz", StringComparison.Ordinal))];

    public static string[] Lines(byte[] file)
    {
        using var gzip = new GZipStream(new MemoryStream(file), CompressionMode.Decompress);
        using var reader = new StreamReader(gzip, Encoding.UTF8);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>
    /// The restore of the README: what is in the files and what is in the tables is what was there before, each row once and
    /// with each column; and the files are what their checksums say.
    /// </summary>
    public static async Task EachRowOnceAsync(this JobWorld world, DirectoryInfo folder)
    {
        foreach (var file in folder.DataFiles())
        {
            using var check = Process.Start(new ProcessStartInfo("sha256sum", ["-c", "--quiet", "--strict", Path.GetFileName(file) + ".sha256"]) { WorkingDirectory = Path.GetDirectoryName(file) })!;
            await check.WaitForExitAsync();
            Assert.Equal(0, check.ExitCode);
        }

        Assert.DoesNotContain(folder.Files(), f => f.EndsWith(".part", StringComparison.Ordinal));
        await world.EachRowOnceAsync(folder.DataFiles().SelectMany(f => Lines(File.ReadAllBytes(f))));
    }

    public static async Task EachRowOnceAsync(this JobWorld world, IEnumerable<string> lines)
    {
        await world.ExecuteAsync("DROP TABLE IF EXISTS restored; CREATE TABLE restored (LIKE audit_logs)");
        foreach (var some in lines.Chunk(5000))
            await world.ExecuteAsync(
                """
                INSERT INTO restored (id, actor, action, subject_type, subject_id, run_id, data, created_at)
                SELECT r.id, r.actor, r.action, r.subject_type, r.subject_id, r.run_id, line::jsonb -> 'data', r.created_at
                FROM unnest(@some::text[]) AS line, jsonb_populate_record(NULL::audit_logs, line::jsonb) AS r
                """, new { some });
        await world.ExecuteAsync(
            """
            INSERT INTO restored SELECT * FROM audit_logs;
            INSERT INTO restored SELECT id, actor, action, subject_type, subject_id, run_id, data, created_at FROM audit_log_archive
            """);
        var wrong = await world.QueryAsync(
            """
            SELECT row_to_json(w)::text AS row FROM (
                (SELECT 'lost' AS what, * FROM before EXCEPT ALL SELECT 'lost', * FROM restored) UNION ALL
                (SELECT 'more', * FROM restored EXCEPT ALL SELECT 'more', * FROM before)) AS w LIMIT 5
            """);
        Assert.True(wrong.Count == 0, string.Join('\n', wrong.Select(w => (string)w.row)));
    }

    /// <summary>Counters and items: what a dry run has to foretell.</summary>
    public static string Told(this JobResult run)
    {
        Assert.True(run.ExitCode == 0, run.ToString());
        return $"{run.Json.GetProperty("counters").GetRawText()}\n{string.Join('\n', run.Json.GetProperty("items").EnumerateArray().Select(i => i.GetRawText()))}";
    }

    public static string Error(this JobResult run)
    {
        Assert.True(run.ExitCode == 1, run.ToString());
        Assert.DoesNotContain("   at ", run.Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain(FakeS3Process.SecretKey, run.Stdout + run.Stderr, StringComparison.Ordinal);
        return run.Json.GetProperty("error").GetString()!;
    }

    /// <summary>Kept from its next step: no row of audit_log_files can be changed so that the condition holds afterwards.</summary>
    public static Task StopBeforeAsync(this JobWorld world, string condition) =>
        world.ExecuteAsync($"ALTER TABLE audit_log_files ADD CONSTRAINT stop CHECK (NOT ({condition})) NOT VALID");

    public static Task GoOnAsync(this JobWorld world) => world.ExecuteAsync("ALTER TABLE audit_log_files DROP CONSTRAINT stop");
}
