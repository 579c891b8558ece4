using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

internal static class CleanupLogsScenarios
{
    /// <summary>In several batches, so that it can die between two of them.</summary>
    public static readonly Scenario Prune = new(
        "cleanup-logs", "cleanup-logs", [("runs_deleted", 4), ("mails_deleted", 2), ("mails_emptied", 2)], SeedAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--batch-size", "2"],
        Check = RunsAsync,
    };

    private static async Task SeedAsync(JobWorld world)
    {
        await world.ExecuteAsync(
            """
            INSERT INTO job_runs (id, job, status, started_at, finished_at)
            SELECT md5(n::text)::uuid, 'daily-stats', 'succeeded', @Now::timestamptz - interval '100 days' + n * interval '3 days', @Now
            FROM generate_series(0, 5) AS n;
            INSERT INTO audit_logs (action, run_id) VALUES ('x', md5('0')::uuid);
            INSERT INTO job_runs (id, job, status, started_at, finished_at) VALUES (md5('last')::uuid, 'cleanup', 'failed', @Now::timestamptz - interval '1 year', @Now);
            INSERT INTO job_runs (id, job, status, started_at, finished_at) VALUES (md5('before')::uuid, 'cleanup', 'failed', @Now::timestamptz - interval '2 years', @Now);
            INSERT INTO notifications (kind, to_address, payload, dedupe_key, status, sent_at)
            SELECT 'staff_alert', 'a', '{"x": 1}', CASE WHEN n > 2 THEN 'k' || n END, 'sent', @Now::timestamptz - interval '200 days' + n * interval '15 days'
            FROM generate_series(1, 4) AS n;
            UPDATE notifications SET sent_at = sent_at - interval '60 days';
            """,
            new { Scenario.Now });
    }

    private static async Task RunsAsync(JobWorld world)
    {
        Assert.Equal(2, await world.ScalarAsync<long>("SELECT count(*) FILTER (WHERE payload = '{}' AND to_address = '') + 10 * (count(*) - 2) FROM notifications"));
        Assert.Equal(
            ["daily-stats 0", "cleanup last", "daily-stats 4", "daily-stats 5"],
            (await world.QueryAsync(
                """
                SELECT job || ' ' || which AS run FROM job_runs
                JOIN unnest(ARRAY['0', '1', '2', '3', '4', '5', 'last', 'before']) WITH ORDINALITY AS w (which, nr) ON id = md5(which)::uuid
                ORDER BY CASE which WHEN '0' THEN 1 WHEN 'last' THEN 2 ELSE 3 END, which
                """)).Select(r => (string)r.run));
    }
}
