using System.Globalization;
using System.Text;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>
/// cleanup beside the same move of audit logs in plain SQL through psql: deleted and inserted by one statement, as many a batch, a
/// transaction each, going on from the last key. Each on its own copy of the same database, in alternating order. Then the export.
/// </summary>
internal static class Cleanup
{
    private const double MostRatio = 1.3;
    private const double MostMiB = 96;
    private const int Batch = 5000;

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, int rows, int rounds)
    {
        Progress.Say($"cleanup: {rows:N0} audit logs are made");
        var full = await ground.Server.CreateDatabaseAsync(ground.Template);
        await ground.FillAsync(full, Fill(rows));
        await ground.FillAsync(full, "VACUUM ANALYZE");
        var script = Path.GetTempFileName();
        await File.WriteAllTextAsync(script, Plain(rows));

        var (jobs, plains) = (new List<Measured>(), new List<Measured>());
        for (var round = 0; round < rounds; round++)
        {
            Progress.Say($"cleanup: round {round + 1} of {rounds}");
            foreach (var job in round % 2 == 0 ? new[] { true, false } : [false, true])
            {
                (job ? jobs : plains).Add(await OnACopyAsync(ground, full, rows, copy => job
                    ? Measured.Run(JobProcess.Executable("cleanup"), [], ground.EnvironmentFor(copy)).Succeeding("cleanup")
                    : Measured.Run(ground.Psql, ["-Xq", "-v", "ON_ERROR_STOP=1", "-f", script, ground.UrlFor(copy)], []).Succeeding("psql")));
            }
        }

        Progress.Say($"cleanup: {rows:N0} audit logs go into files");
        var folder = Directory.CreateTempSubdirectory("bench-archive");
        var export = await OnACopyAsync(ground, full, 0, copy => Measured.Run(
            JobProcess.Executable("cleanup"), [], [.. ground.EnvironmentFor(copy), new("ARCHIVE_URL", $"file://{folder.FullName}")]).Succeeding("cleanup"));
        var bytes = folder.EnumerateFiles("*.gz", SearchOption.AllDirectories).Sum(f => f.Length);
        folder.Delete(recursive: true);
        File.Delete(script);
        await ground.Server.DropDatabaseAsync(full);

        var (wall, plain) = (Seconds(jobs), Seconds(plains));
        var line = string.Create(CultureInfo.InvariantCulture, $"cleanup {rows:N0}");
        return
        [
            Result.Yardstick(line, "plain SQL through psql", FormattableString.Invariant($"{plain:0.00} s")),
            Result.Yardstick(line, "cleanup", FormattableString.Invariant($"{wall:0.00} s, {rows / wall:0} rows/s, {jobs.Max(j => j.Cpu.TotalSeconds):0.00} s CPU of its own")),
            Result.AtMost(line, "time against plain SQL", wall / plain, MostRatio, "x"),
            Result.AtMost(line, "peak memory", jobs.Max(j => j.PeakMiB), MostMiB, "MiB"),
            Result.Yardstick(line, "export to files", FormattableString.Invariant(
                $"{export.Wall.TotalSeconds:0.00} s, {rows / export.Wall.TotalSeconds:0} rows/s, {bytes / 1048576.0:0.0} MiB, {export.Cpu.TotalSeconds:0.00} s CPU of its own")),
            Result.AtMost(line, "export, peak memory", export.PeakMiB, MostMiB, "MiB"),
        ];
    }

    private static async Task<Measured> OnACopyAsync(Ground ground, string full, int rows, Func<string, Measured> measure)
    {
        var copy = await ground.Server.CreateDatabaseAsync(full);
        await ground.FillAsync(copy, "CHECKPOINT");
        var measured = measure(copy);
        var (left, moved) = (
            await ground.ScalarAsync<long>(copy, "SELECT count(*) FROM audit_logs WHERE created_at < now() - interval '7 months'"),
            await ground.ScalarAsync<long>(copy, "SELECT count(*) FROM audit_log_archive"));
        await ground.Server.DropDatabaseAsync(copy);
        return (left, moved) == (0, rows) ? measured : throw new InvalidOperationException($"{moved} of {rows} audit logs were moved, {left} are left");
    }

    private static double Seconds(List<Measured> runs) => Result.Median(runs.Select(r => r.Wall.TotalSeconds));

    // As many young ones as a tenth of the old: they must not be looked at.
    private static string Fill(int rows) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data, created_at)
        SELECT 'expire-subscriptions', 'subscription.expired', 'subscription', n, md5((n / 1000)::text)::uuid,
               jsonb_build_object('ended_at', now(), 'amount_minor', n % 5000),
               CASE WHEN n <= {rows} THEN now() - interval '3 years' + n * interval '10 seconds' ELSE now() - interval '1 month' END
        FROM generate_series(1, {rows} + {rows} / 10) AS n
        """);

    private const string OneBatch =
        """
        WITH old AS MATERIALIZED (
            SELECT id, created_at FROM audit_logs
            WHERE created_at < now() - interval '6 months' AND (created_at, id) > (:'after_time', :after_id)
            ORDER BY created_at, id
            LIMIT 5000
        ),
        moved AS (
            DELETE FROM audit_logs AS a USING old WHERE a.id = old.id
            RETURNING a.id, a.actor, a.action, a.subject_type, a.subject_id, a.run_id, a.data, a.created_at
        ),
        kept AS (
            INSERT INTO audit_log_archive (id, actor, action, subject_type, subject_id, run_id, data, created_at) SELECT * FROM moved
        )
        SELECT created_at AS after_time, id AS after_id FROM old ORDER BY created_at DESC, id DESC LIMIT 1
        \gset
        """;

    private static string Plain(int rows)
    {
        var script = new StringBuilder("\\set after_time -infinity\n\\set after_id 0\n");
        for (var done = 0; done < rows; done += Batch)
            script.Append(OneBatch).Append('\n');
        return script.ToString();
    }
}
