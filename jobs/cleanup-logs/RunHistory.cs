using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>Old rows of `job_runs`.</summary>
internal sealed class RunHistory(JobRun run, Db db)
{
    // A job's last run, and its last successes of each slice, whole or in part: by these one tells that it is late, and that an
    // outage is over. Found once: what runs meanwhile only makes more of them superfluous.
    private const string Kept =
        """
        SET LOCAL jit = off;
        SELECT last.id
        FROM (SELECT DISTINCT job, shard FROM job_runs WHERE started_at < @before) AS slice
        CROSS JOIN LATERAL (
            (SELECT r.id FROM job_runs AS r WHERE r.job = slice.job ORDER BY r.started_at DESC LIMIT 1)
            UNION ALL
            (SELECT r.id FROM job_runs AS r
             WHERE r.job = slice.job AND r.status = 'succeeded' AND r.shard IS NOT DISTINCT FROM slice.shard
             ORDER BY r.started_at DESC LIMIT 1)
            UNION ALL
            (SELECT r.id FROM job_runs AS r
             WHERE r.job = slice.job AND r.status = 'succeeded' AND r.shard IS NOT DISTINCT FROM slice.shard AND NOT r.partial
             ORDER BY r.started_at DESC LIMIT 1)
        ) AS last
        """;

    // What runs stays as well, and what is named by an audit row (until `cleanup` archives that), a mail under way, an open
    // question to a card terminal or a backup that is there.
    private const string Old =
        """
        SET LOCAL jit = off;
        WITH page AS MATERIALIZED (
            SELECT id, status, started_at
            FROM job_runs
            WHERE started_at < @before AND (started_at, id) > (@afterTime, coalesce(nullif(@afterId, ''), '00000000-0000-0000-0000-000000000000')::uuid)
            ORDER BY started_at, id
            LIMIT @size
        ),
        old AS MATERIALIZED (
            SELECT p.id, p.started_at,
                   p.status <> 'running'
                   AND p.id <> ALL (@kept)
                   AND NOT EXISTS (SELECT FROM audit_logs AS a WHERE a.run_id = p.id)
                   AND NOT EXISTS (SELECT FROM notifications AS n WHERE n.status = 'sending' AND n.claimed_by = p.id)
                   AND NOT EXISTS (SELECT FROM terminal_attempts AS t WHERE t.settled_at IS NULL AND t.run_id = p.id)
                   AND NOT EXISTS (SELECT FROM backups AS b WHERE b.deleted_at IS NULL AND b.run_id = p.id) AS over
            FROM page AS p
        )
        """;

    // An array, so that whatever PostgreSQL knows of a table that shrinks like this, each row is found by its key.
    private const string Delete =
        $"""
        {Old},
        deleted AS (
            DELETE FROM job_runs AS r WHERE r.id = ANY (ARRAY(SELECT id FROM old WHERE over)) AND r.status <> 'running' RETURNING r.id
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

    public async Task PruneAsync(DateTime before)
    {
        var kept = await db.TransactionAsync(tx => tx.QueryAsync<Guid>(Kept, new { before }), Batches.Patience, run.Aborting);
        await Batches.EachAsync(run, db, run.DryRun ? Foresee : Delete, "run", before, [.. kept], "runs_deleted");
    }
}
