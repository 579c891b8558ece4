using Jobs.Database;

namespace Jobs.Runs;

/// <summary>
/// Tells staff by mail of a job that fails three times in a row, or is late: once, until it has succeeded again. For those who have no
/// alerts, and for those whose alerts do not work. A run restricted by --only or --limit counts neither way.
/// </summary>
internal static class JobAlarm
{
    /// <summary>
    /// The episode is what follows a success: told under its name once, whatever happens in it. A part of the statement that ends a failed run, after `finished`, which returns its job, shard and id. The two failures before
    /// this one are on record; this one is not yet, for a statement does not see what it writes.
    /// </summary>
    public const string TellFailing =
        """
        told AS (
            INSERT INTO notifications (kind, to_address, payload, dedupe_key)
            SELECT 'staff_job_failing', @StaffEmail,
                   jsonb_build_object('job', concerned.job, 'failures', before.failures + 1, 'since', success.finished_at, 'error', @Error::text,
                                      'run_id', concerned.id, 'runbook', 'job-failing.md'),
                   'staff_job:' || concerned.job || coalesce(' ' || concerned.shard, '') || ':' || coalesce(success.id::text, 'never')
            FROM finished AS concerned
            LEFT JOIN LATERAL (
                SELECT id, started_at, finished_at
                FROM job_runs
                WHERE job = concerned.job AND shard IS NOT DISTINCT FROM concerned.shard AND status = 'succeeded' AND NOT partial
                ORDER BY started_at DESC
                LIMIT 1) AS success ON true
            CROSS JOIN LATERAL (
                SELECT count(*) AS failures
                FROM (
                    SELECT FROM job_runs
                    WHERE job = concerned.job AND shard IS NOT DISTINCT FROM concerned.shard AND status = 'failed' AND NOT partial
                      AND started_at > coalesce(success.started_at, '-infinity')
                    LIMIT 1000) AS failed) AS before
            WHERE before.failures >= 2 AND NOT concerned.partial
            ON CONFLICT (dedupe_key) DO NOTHING
        )
        """;

    // A job that was paused until a moment ago has not been late all that time. Who never succeeded is late since it was first seen.
    private const string TellLate =
        """
        INSERT INTO notifications (kind, to_address, payload, dedupe_key)
        SELECT 'staff_job_late', @StaffEmail,
               jsonb_build_object('job', concerned.job, 'since', success.finished_at, 'error', last.error, 'run_id', last.id, 'runbook', 'job-stale.md'),
               episode.name
        FROM (SELECT watched.job, watched.seconds * interval '1 second' AS late_after
              FROM unnest(@Jobs::text[], @LateAfter::double precision[]) AS watched (job, seconds)) AS concerned
        CROSS JOIN LATERAL (SELECT id, status, started_at, error FROM job_runs WHERE job = concerned.job ORDER BY started_at DESC LIMIT 1) AS last
        CROSS JOIN LATERAL (SELECT started_at FROM job_runs WHERE job = concerned.job ORDER BY started_at LIMIT 1) AS first
        LEFT JOIN LATERAL (
            SELECT id, finished_at
            FROM job_runs
            WHERE job = concerned.job AND status = 'succeeded' AND NOT partial
            ORDER BY started_at DESC
            LIMIT 1) AS success ON true
        CROSS JOIN LATERAL (SELECT 'staff_job:' || concerned.job || ':' || coalesce(success.id::text, 'never') AS name) AS episode
        WHERE greatest(coalesce(success.finished_at, first.started_at), CASE WHEN last.status = 'skipped' AND last.error = 'paused' THEN last.started_at END)
              < clock_timestamp() - concerned.late_after
          AND NOT EXISTS (SELECT FROM job_pauses AS p WHERE p.job = concerned.job AND (p.until IS NULL OR p.until > clock_timestamp()))
          AND NOT EXISTS (SELECT FROM notifications AS n WHERE n.dedupe_key = episode.name)
        ON CONFLICT (dedupe_key) DO NOTHING
        """;

    private static readonly JobDefinition[] Watched = [.. Catalogue.Jobs.Where(job => job.Schedule is not null)];

    /// <summary>Looks for jobs that are late by the database's clock; those the ledger has never seen run elsewhere, or not at all.</summary>
    public static Task TellLateAsync(Db db, string staff, CancellationToken cancellation) => db.TransactionAsync(
        tx => tx.ExecuteAndCommitAsync(TellLate, new
        {
            StaffEmail = staff,
            Jobs = Array.ConvertAll(Watched, job => job.Name),
            LateAfter = Array.ConvertAll(Watched, job => job.LateAfter!.Value.TotalSeconds),
        }),
        cancellation);
}
