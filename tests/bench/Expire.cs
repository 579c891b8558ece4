using System.Globalization;
using System.Text;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>
/// expire-subscriptions beside the same effect in plain SQL through psql: update and audit row, as many a batch, a
/// transaction each, going on from the last key. Each on its own copy of the same database, in alternating order.
/// </summary>
internal static class Expire
{
    private const double MostRatio = 1.25;
    private const double MostMiB = 96;
    private const int Batch = 5000;

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, int rows, int rounds)
    {
        Progress.Say($"expire: {rows:N0} subscriptions are made");
        var full = await ground.Server.CreateDatabaseAsync(ground.Template);
        await ground.FillAsync(full, Fill(rows));
        await ground.FillAsync(full, "VACUUM ANALYZE");
        var script = Path.GetTempFileName();
        await File.WriteAllTextAsync(script, Plain(rows));

        var (jobs, plains) = (new List<Measured>(), new List<Measured>());
        for (var round = 0; round < rounds; round++)
        {
            Progress.Say($"expire: round {round + 1} of {rounds}");
            foreach (var job in round % 2 == 0 ? new[] { true, false } : [false, true])
                (job ? jobs : plains).Add(await OnACopyAsync(ground, full, rows, job, script));
        }

        File.Delete(script);
        await ground.Server.DropDatabaseAsync(full);
        var (wall, plain) = (Seconds(jobs), Seconds(plains));
        var line = string.Create(CultureInfo.InvariantCulture, $"expire {rows:N0}");
        return
        [
            Result.Yardstick(line, "plain SQL through psql", FormattableString.Invariant($"{plain:0.00} s")),
            Result.Yardstick(line, "expire-subscriptions", FormattableString.Invariant($"{wall:0.00} s, {rows / wall:0} rows/s, {jobs.Max(j => j.Cpu.TotalSeconds):0.00} s CPU of its own")),
            Result.AtMost(line, "time against plain SQL", wall / plain, MostRatio, "x"),
            Result.AtMost(line, "peak memory", jobs.Max(j => j.PeakMiB), MostMiB, "MiB"),
        ];
    }

    private static async Task<Measured> OnACopyAsync(Ground ground, string full, int rows, bool job, string script)
    {
        var copy = await ground.Server.CreateDatabaseAsync(full);
        await ground.FillAsync(copy, "CHECKPOINT");
        var measured = job
            ? Measured.Run(JobProcess.Executable("expire-subscriptions"), [], ground.EnvironmentFor(copy)).Succeeding("expire-subscriptions")
            : Measured.Run(ground.Psql, ["-Xq", "-v", "ON_ERROR_STOP=1", "-f", script, ground.UrlFor(copy)], []).Succeeding("psql");
        var done = await ground.ScalarAsync<long>(
            copy, "SELECT least((SELECT count(*) FROM subscriptions WHERE status = 'expired'), (SELECT count(*) FROM audit_logs WHERE action = 'subscription.expired'))");
        await ground.Server.DropDatabaseAsync(copy);
        return done == rows ? measured : throw new InvalidOperationException($"{(job ? "expire-subscriptions" : "psql")} expired {done} of {rows}");
    }

    private static double Seconds(List<Measured> runs) => Result.Median(runs.Select(r => r.Wall.TotalSeconds));

    private static string Fill(int rows) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO plans (code, amount_minor) VALUES ('monthly', 1500);
        INSERT INTO users (email) SELECT 'u' || n || '@example.test' FROM generate_series(1, 10000) AS n;
        INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, auto_renew)
        SELECT 1 + n % 10000, 1, CASE WHEN n % 4 = 0 THEN 'past_due' ELSE 'active' END,
               now() - interval '60 days', now() - interval '4 days' - n * interval '1 second', true
        FROM generate_series(1, {rows}) AS n
        """);

    private const string OneBatch =
        """
        WITH lapsed AS MATERIALIZED (
            SELECT id, ended_at FROM subscriptions
            WHERE status IN ('active', 'past_due') AND provider_subscription_id IS NULL
              AND ended_at < now() - interval '3 days' AND (ended_at, id) > (:'after_end', :after_id)
            ORDER BY ended_at, id
            LIMIT 5000
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        expired AS (
            UPDATE subscriptions AS s
            SET status = 'expired', next_attempt_at = NULL, updated_at = clock_timestamp()
            FROM lapsed
            WHERE s.id = lapsed.id
            RETURNING s.id, s.ended_at
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, data)
            SELECT 'psql', 'subscription.expired', 'subscription', id, jsonb_build_object('ended_at', ended_at)
            FROM expired
        )
        SELECT ended_at AS after_end, id AS after_id FROM lapsed ORDER BY ended_at DESC, id DESC LIMIT 1
        \gset
        """;

    private static string Plain(int rows)
    {
        var script = new StringBuilder("\\set after_end -infinity\n\\set after_id 0\n");
        for (var done = 0; done < rows; done += Batch)
            script.Append(OneBatch).Append('\n');
        return script.ToString();
    }
}
