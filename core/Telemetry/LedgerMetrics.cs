using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>The last run of every job and shard, as the ledger knows them.</summary>
internal static class LedgerMetrics
{
    // Of shards, those among a job's last 50 runs.
    private const string LastRuns =
        """
        SELECT last.job, last.shard, last.began_at, last.started_at, last.finished_at, last.status = 'succeeded' AS succeeded,
               success.finished_at AS succeeded_at
        FROM (
            SELECT DISTINCT ON (recent.job, recent.shard) recent.*, max(recent.started_at) OVER (PARTITION BY recent.job, recent.shard) AS began_at
            FROM unnest(@Jobs) AS name
            CROSS JOIN LATERAL (
                SELECT job, shard, started_at, finished_at, status
                FROM job_runs
                WHERE job = name AND status <> 'skipped'
                ORDER BY started_at DESC
                LIMIT 50) AS recent
            ORDER BY recent.job, recent.shard, recent.finished_at IS NULL, recent.started_at DESC) AS last
        LEFT JOIN LATERAL (
            SELECT finished_at
            FROM job_runs
            WHERE job = last.job AND shard IS NOT DISTINCT FROM last.shard AND status = 'succeeded' AND NOT partial
            ORDER BY started_at DESC
            LIMIT 1) AS success ON true
        """;

    private sealed class LastRun
    {
        public string Job { get; init; } = "";
        public string? Shard { get; init; }
        public DateTime BeganAt { get; init; }
        public DateTime StartedAt { get; init; }
        public DateTime? FinishedAt { get; init; }
        public bool Succeeded { get; init; }
        public DateTime? SucceededAt { get; init; }
    }

    public static async Task<RunMetrics> LastRunsAsync(Tx tx)
    {
        var metrics = new RunMetrics();
        foreach (var run in await tx.QueryAsync<LastRun>(LastRuns, new { Jobs = Catalogue.Jobs.Select(job => job.Name).ToArray() }))
        {
            metrics.Add(
                run.Job, run.Shard, run.BeganAt, run.FinishedAt, run.SucceededAt, run.FinishedAt - run.StartedAt,
                run.FinishedAt is null ? null : run.Succeeded ? 0 : 1);
        }

        return metrics;
    }

    private const string LastSuccess =
        """
        SELECT finished_at
        FROM job_runs
        WHERE job = @Job AND shard IS NOT DISTINCT FROM @Shard::text AND status = 'succeeded' AND NOT partial
        ORDER BY started_at DESC
        LIMIT 1
        """;

    public static Task<DateTime?> LastSuccessAsync(Tx tx, string job, Shard shard) =>
        tx.SingleOrDefaultAsync<DateTime?>(LastSuccess, new { Job = job, Shard = shard.IsAll ? null : shard.ToString() });
}
