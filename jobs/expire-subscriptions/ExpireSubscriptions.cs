using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Active and past_due subscriptions whose period ended more than the grace ago become expired. Stripe Billing's own are
/// left to it; one with a charge in flight, or with money parked, waits for the result. An outage of ours cuts nobody off:
/// an auto-renewing subscription that autopayment has not tried for its period is held while autopayment did not do its work.
/// </summary>
public sealed class ExpireSubscriptions(JobRun run, Db db, RenewalPolicy policy, BusinessZone zone) : IJob
{
    private const int DefaultBatch = 5000;

    // What the ledger says of autopayment. A sharded success counts when every shard has one.
    private const string Autopayment =
        """
        SELECT EXISTS (SELECT FROM job_runs WHERE job = 'autopayment') AS known,
               EXISTS (SELECT FROM job_pauses WHERE job = 'autopayment' AND (until IS NULL OR until > clock_timestamp()))
               OR EXISTS (SELECT FROM job_runs WHERE job = 'autopayment' AND status = 'running')
               OR coalesce((SELECT status IN ('failed', 'interrupted') FROM job_runs
                            WHERE job = 'autopayment' AND status <> 'skipped' ORDER BY started_at DESC LIMIT 1), false) AS down,
               (SELECT max(since) FROM (
                    SELECT min(latest) AS since
                    FROM (SELECT coalesce(shard, '0/1') AS shard, max(coalesce(as_of, started_at)) AS latest
                          FROM job_runs
                          WHERE job = 'autopayment' AND status = 'succeeded' AND NOT partial
                          GROUP BY 1) AS success
                    GROUP BY split_part(shard, '/', 2)
                    HAVING count(*) = split_part(shard, '/', 2)::int) AS complete) AS last_success
        """;

    private const string Held =
        """
        s.auto_renew AND NOT s.cancel_at_period_end
            AND EXISTS (SELECT FROM plans AS p WHERE p.id = s.plan_id AND p.recurring)
            AND (@Down OR s.ended_at > coalesce(@LastSuccess::timestamptz, '-infinity'))
            AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id
                            AND a.period_start >= (s.ended_at AT TIME ZONE @Zone)::date)
        """;

    private const string Waiting =
        """
        EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.status IN ('pending', 'processing', 'requires_action'))
            OR EXISTS (SELECT FROM unmatched_payments AS u JOIN payments AS a ON a.id = u.payment_id
                       WHERE a.subscription_id = s.id AND u.resolved_at IS NULL AND u.reason <> 'duplicate')
        """;

    private const string Lapsed =
        """
        FROM subscriptions AS s
        WHERE s.status IN ('active', 'past_due') AND s.provider_subscription_id IS NULL
          AND s.ended_at < @Before AND (s.ended_at, s.id) > (@AfterEnd, @AfterId)
          AND (@Only::bigint IS NULL OR s.id = @Only)
          AND (@Count = 1 OR s.id % @Count = @Index)
        """;

    private sealed class Ledger
    {
        public bool Known { get; init; }
        public bool Down { get; init; }
        public DateTime? LastSuccess { get; init; }
    }

    private sealed class Batch
    {
        public int Seen { get; init; }
        public int Expired { get; init; }
        public int Held { get; init; }
        public int Waiting { get; init; }
        public DateTime? LastEnd { get; init; }
        public long? LastId { get; init; }
    }

    private sealed class Row
    {
        public long Id { get; init; }
        public DateTime EndedAt { get; init; }
        public string Outcome { get; init; } = "";
    }

    public async Task RunAsync()
    {
        run.Counters.Add("expired", 0);
        var before = run.Now - policy.Grace;
        var ledger = await db.TransactionAsync(tx => tx.SingleAsync<Ledger>(Autopayment), run.Aborting);
        // Without this nothing can be held, and the rows need not be asked one by one.
        var mayHold = ledger.Down || (ledger.Known && !(ledger.LastSuccess >= before));
        var (afterEnd, afterId) = (DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc), 0L);
        while (!run.Stopping.IsCancellationRequested && NextBatchSize() is > 0 and var size)
        {
            var parameters = new
            {
                Before = before,
                AfterEnd = afterEnd,
                AfterId = afterId,
                Size = size,
                run.Options.Only,
                run.Options.Shard.Count,
                run.Options.Shard.Index,
                ledger.Down,
                ledger.LastSuccess,
                Zone = zone.Id,
                Actor = run.Job.Name,
                RunId = run.Id,
            };
            var batch = run.DryRun || run.WantsItems
                ? await BatchWithItemsAsync(mayHold, parameters)
                : await db.TransactionAsync(tx => tx.SingleAsync<Batch>(ExpireBatch(mayHold), parameters), TimeSpan.FromMinutes(2), run.Aborting);
            Count(batch);
            if (batch.Seen < size)
            {
                break;
            }

            (afterEnd, afterId) = (batch.LastEnd!.Value, batch.LastId!.Value);
        }

        if (run.Counters["held"] is > 0 and var held)
        {
            run.Log.LogHeld(held);
        }
    }

    private int NextBatchSize() =>
        (int)Math.Min(run.Options.BatchSize ?? DefaultBatch, (run.Options.Limit ?? long.MaxValue) - run.Counters["expired"]);

    private void Count(Batch batch)
    {
        run.Counters.Add("expired", batch.Expired);
        foreach (var (name, n) in (ReadOnlySpan<(string, int)>)[("held", batch.Held), ("waiting", batch.Waiting)])
        {
            if (n > 0)
            {
                run.Counters.Add(name, n);
            }
        }

        run.ShowProgress(run.Counters["expired"]);
    }

    private static string Candidates(bool mayHold) =>
        $"""
        SELECT s.id, s.ended_at,
               CASE WHEN {Waiting} THEN 'waiting' {(mayHold ? $"WHEN {Held} THEN 'held'" : "")} ELSE 'expired' END AS outcome
        {Lapsed}
        ORDER BY s.ended_at, s.id
        LIMIT @Size
        """;

    // The status is asked again in the UPDATE: a row that was paid between the two looks stays.
    private static string ExpireBatch(bool mayHold, string result = Totals) =>
        $"""
        WITH lapsed AS MATERIALIZED (
            {Candidates(mayHold)}
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        expired AS (
            UPDATE subscriptions AS s
            SET status = 'expired', next_attempt_at = NULL, updated_at = clock_timestamp()
            FROM lapsed
            WHERE s.id = lapsed.id AND lapsed.outcome = 'expired' AND s.status IN ('active', 'past_due') AND s.ended_at = lapsed.ended_at
            RETURNING s.id, s.ended_at
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'subscription.expired', 'subscription', id, @RunId, jsonb_build_object('ended_at', ended_at)
            FROM expired
        )
        {result}
        """;

    private const string Totals =
        """
        SELECT count(*)::int AS seen, (SELECT count(*) FROM expired)::int AS expired,
               count(*) FILTER (WHERE outcome = 'held')::int AS held, count(*) FILTER (WHERE outcome = 'waiting')::int AS waiting,
               (array_agg(ended_at ORDER BY ended_at DESC, id DESC))[1] AS last_end,
               (array_agg(id ORDER BY ended_at DESC, id DESC))[1] AS last_id
        FROM lapsed
        """;

    private const string Rows = "SELECT id, ended_at, outcome FROM lapsed ORDER BY ended_at, id";

    private async Task<Batch> BatchWithItemsAsync(bool mayHold, object parameters)
    {
        var sql = run.DryRun ? Candidates(mayHold) : ExpireBatch(mayHold, Rows);
        var rows = await db.TransactionAsync(tx => tx.QueryAsync<Row>(sql, parameters), TimeSpan.FromMinutes(2), run.Aborting);
        foreach (var row in rows)
        {
            run.Item(row.Id, row.Outcome, ("ended_at", row.EndedAt));
        }

        return new Batch
        {
            Seen = rows.Count,
            Expired = rows.Count(r => r.Outcome == "expired"),
            Held = rows.Count(r => r.Outcome == "held"),
            Waiting = rows.Count(r => r.Outcome == "waiting"),
            LastEnd = rows.LastOrDefault()?.EndedAt,
            LastId = rows.LastOrDefault()?.Id,
        };
    }
}
