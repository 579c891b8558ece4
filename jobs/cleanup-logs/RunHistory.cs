using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>Old rows of `job_runs`.</summary>
internal sealed class RunHistory(JobRun run, Db db)
{
    // Kept: what runs; a job's last run and its last success, of each slice, by which one tells that it is late, and that an outage
    // is over; and what is named by an audit row (until `cleanup` archives that), a mail under way, an open question to a card
    // terminal or a backup that is there.
    private const string Old =
        """
        WITH old AS MATERIALIZED (
            SELECT r.id, r.started_at,
                   r.status <> 'running'
                   AND EXISTS (SELECT FROM job_runs AS later WHERE later.job = r.job AND later.started_at > r.started_at)
                   AND (r.status <> 'succeeded' OR EXISTS (
                       SELECT FROM job_runs AS later
                       WHERE later.job = r.job AND later.started_at > r.started_at AND later.status = 'succeeded'
                         AND later.shard IS NOT DISTINCT FROM r.shard AND (r.partial OR NOT later.partial)))
                   AND NOT EXISTS (SELECT FROM audit_logs AS a WHERE a.run_id = r.id)
                   AND NOT EXISTS (SELECT FROM notifications AS n WHERE n.status = 'sending' AND n.claimed_by = r.id)
                   AND NOT EXISTS (SELECT FROM terminal_attempts AS t WHERE t.settled_at IS NULL AND t.run_id = r.id)
                   AND NOT EXISTS (SELECT FROM backups AS b WHERE b.deleted_at IS NULL AND b.run_id = r.id) AS over
            FROM job_runs AS r
            WHERE r.started_at < @before AND (r.started_at, r.id) > (@afterTime, coalesce(nullif(@afterId, ''), '00000000-0000-0000-0000-000000000000')::uuid)
            ORDER BY r.started_at, r.id
            LIMIT @size
        )
        """;

    private const string Delete =
        $"""
        {Old},
        deleted AS (
            DELETE FROM job_runs AS r USING old WHERE r.id = old.id AND old.over AND r.status <> 'running' RETURNING r.id
        )
        SELECT old.id::text AS id, old.started_at AS at, CASE WHEN deleted.id IS NULL THEN '' ELSE 'runs_deleted' END AS outcome
        FROM old
        LEFT JOIN deleted ON deleted.id = old.id
        ORDER BY old.started_at, old.id
        """;

    private const string Foresee =
        $"""
        {Old}
        SELECT id::text AS id, started_at AS at, CASE WHEN over THEN 'runs_deleted' ELSE '' END AS outcome FROM old ORDER BY started_at, id
        """;

    public Task PruneAsync(DateTime before) => Batches.EachAsync(run, db, run.DryRun ? Foresee : Delete, "run", before, "runs_deleted");
}
