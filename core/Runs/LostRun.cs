namespace Jobs.Runs;

/// <summary>
/// Runs of scheduled jobs that began and never ended - killed, or their host was lost - and that no whole success has followed. They are
/// on record as `running` without a living lease, or were closed as such by whoever came next.
/// </summary>
internal static class LostRun
{
    /// <summary>
    /// A query: the last of each job and shard, with how many runs were skipped since; of the jobs in the parameter Leased. A success
    /// without a shard has done the work of all shards. "job BETWEEN x AND x ORDER BY job" leaves no way but the index that begins with the job.
    /// </summary>
    public const string Last =
        $"""
        SELECT DISTINCT ON (lost.job, lost.shard) lost.job, lost.shard, lost.id, lost.host, lost.started_at, lost.closed_at, skipped.number AS skipped
        FROM unnest(@Leased::text[]) AS leased (job)
        CROSS JOIN LATERAL (
            (SELECT r.job, r.shard, r.id, r.host, r.started_at, r.finished_at AS closed_at
             FROM job_runs AS r
             WHERE r.job = leased.job AND r.status = 'running'
               AND NOT EXISTS (
                   SELECT FROM leases AS l
                   WHERE l.name = r.job || coalesce(' ' || r.shard, '') AND right(l.holder, 32) = replace(r.id::text, '-', '')
                     AND l.expires_at > clock_timestamp())
             LIMIT 100)
            UNION ALL
            SELECT f.job, f.shard, f.id, f.host, f.started_at, f.finished_at
            FROM (SELECT k.* FROM job_runs AS k
                  WHERE k.job BETWEEN leased.job AND leased.job AND k.status IN ('failed', 'interrupted') ORDER BY k.job, k.started_at DESC LIMIT 100) AS f
            WHERE f.error = '{RunLedger.WithoutAWord}'
        ) AS lost
        CROSS JOIN LATERAL (
            SELECT count(*)::int AS number
            FROM (SELECT FROM job_runs AS k
                  WHERE k.job BETWEEN lost.job AND lost.job AND k.started_at > lost.started_at AND k.status = 'skipped' AND k.shard IS NOT DISTINCT FROM lost.shard
                  ORDER BY k.job, k.started_at DESC LIMIT 1000) AS k
        ) AS skipped
        WHERE NOT EXISTS (
            SELECT FROM job_runs AS s
            WHERE s.job BETWEEN lost.job AND lost.job AND s.status = 'succeeded' AND NOT s.partial AND s.started_at > lost.started_at
              AND (s.shard IS NULL OR s.shard = lost.shard))
        ORDER BY lost.job, lost.shard, lost.started_at DESC
        """;

    /// <summary>The jobs that take a lease.</summary>
    public static readonly string[] Leased = [.. Catalogue.Jobs.Where(job => job.Kind == JobKind.Scheduled).Select(job => job.Name)];
}
