using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Active and past_due subscriptions whose period ended more than the grace ago become expired. Stripe Billing's own are
/// left to it; one with a charge in flight, or with money parked, waits for the result. An outage of ours cuts nobody off:
/// an auto-renewing subscription that autopayment has not tried for its period is held while autopayment did not do its work,
/// or might not because the notice that it requires did not go out in time.
/// </summary>
public sealed class ExpireSubscriptions(JobRun run, Db db, RenewalPolicy policy, BusinessZone zone, JobOptions options) : IJob
{
    private const int DefaultBatch = 5000;

    private readonly TimeSpan? _notice = options.Get(RenewalNotice.Required);

    private const string Lapsed =
        $"""
        FROM subscriptions AS s
        WHERE {Lapse.IsLapsed} AND (s.ended_at, s.id) > (@AfterEnd, @AfterId)
          AND (@Only::bigint IS NULL OR s.id = @Only)
          AND (@Count = 1 OR s.id % @Count = @Index)
        """;

    private sealed class Parameters
    {
        public DateTime Before { get; init; }
        public DateTime AfterEnd { get; init; }
        public long AfterId { get; init; }
        public int Size { get; init; }
        public long? Only { get; init; }
        public int Count { get; init; }
        public int Index { get; init; }
        public bool Down { get; init; }
        public DateTime? LastSuccess { get; init; }
        public DateTime? NoticedBy { get; init; }
        public string Zone { get; init; } = "";
        public string Actor { get; init; } = "";
        public Guid RunId { get; init; }

        /// <summary>The rows that are locked, and when they ended.</summary>
        public long[] Ids { get; set; } = [];
        public DateTime[] Ends { get; set; } = [];
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
        var ledger = await db.TransactionAsync(tx => tx.SingleAsync<AutopaymentLedger>(Lapse.Autopayment), run.Aborting);
        var mayHold = ledger.MayHold(before);
        var (afterEnd, afterId) = Keyset.Beginning;
        while (!run.Stopping.IsCancellationRequested && NextBatchSize() is > 0 and var size)
        {
            var parameters = new Parameters
            {
                Before = before,
                AfterEnd = afterEnd,
                AfterId = afterId,
                Size = size,
                Only = run.Options.Only,
                Count = run.Options.Shard.Count,
                Index = run.Options.Shard.Index,
                Down = ledger.Down,
                LastSuccess = ledger.LastSuccess,
                NoticedBy = ledger.NoticedBy(run.Now, _notice),
                Zone = zone.Id,
                Actor = run.Job.Name,
                RunId = run.Id,
            };
            var batch = run.DryRun || run.WantsItems
                ? await BatchWithItemsAsync(mayHold, parameters)
                : await ExpireAsync(parameters, (tx, locked) => tx.SingleAndCommitAsync<Batch>(ExpireBatch(mayHold, Totals), locked));
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

    private const string NextBatch =
        $"""
        {Lapsed}
        ORDER BY s.ended_at, s.id
        LIMIT @Size
        """;

    private const string Lock = $"SELECT s.id, s.ended_at {NextBatch} FOR NO KEY UPDATE SKIP LOCKED";

    // What the lock told is not read again unless more of it is needed.
    private string Locked(bool mayHold) =>
        mayHold || _notice is not null ? "FROM subscriptions AS s WHERE s.id = ANY (@Ids)" : "FROM unnest(@Ids, @Ends) AS s (id, ended_at)";

    private string Outcomes(bool mayHold) =>
        $"""
        SELECT s.id, s.ended_at,
               CASE WHEN {Lapse.Waiting} THEN 'waiting' {(mayHold ? $"WHEN {Lapse.Held} THEN 'held'" : "")}{(_notice is null ? "" : $" WHEN {Lapse.AwaitsNotice} THEN 'held'")} ELSE 'expired' END AS outcome
        """;

    private string ExpireBatch(bool mayHold, string result) =>
        $"""
        WITH lapsed AS MATERIALIZED (
            {Outcomes(mayHold)}
            {Locked(mayHold)}
        ),
        expired AS (
            UPDATE subscriptions AS s
            SET status = 'expired', next_attempt_at = NULL, updated_at = clock_timestamp()
            FROM lapsed
            WHERE s.id = lapsed.id AND lapsed.outcome = 'expired' AND s.status IN ('active', 'past_due')
            RETURNING s.id, s.ended_at
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'subscription.expired', 'subscription', id, @RunId, jsonb_build_object('ended_at', ended_at)
            FROM expired
        )
        {result}
        """;

    /// <summary>
    /// Locks the batch, then looks and writes with a new snapshot: a charge is prepared under the same lock, so that none can
    /// come up unseen in between.
    /// </summary>
    private Task<T> ExpireAsync<T>(Parameters parameters, Func<Tx, Parameters, Task<T>> expire) =>
        db.TransactionAsync(
            async tx =>
            {
                var rows = await tx.QueryAsync<Row>(Lock, parameters);
                (parameters.Ids, parameters.Ends) = ([.. rows.Select(r => r.Id)], [.. rows.Select(r => r.EndedAt)]);
                return await expire(tx, parameters);
            },
            TimeSpan.FromMinutes(2),
            run.Aborting);

    private const string Totals =
        """
        SELECT count(*)::int AS seen, (SELECT count(*) FROM expired)::int AS expired,
               count(*) FILTER (WHERE outcome = 'held')::int AS held, count(*) FILTER (WHERE outcome = 'waiting')::int AS waiting,
               (array_agg(ended_at ORDER BY ended_at DESC, id DESC))[1] AS last_end,
               (array_agg(id ORDER BY ended_at DESC, id DESC))[1] AS last_id
        FROM lapsed
        """;

    private const string Rows = "SELECT id, ended_at, outcome FROM lapsed ORDER BY ended_at, id";

    private async Task<Batch> BatchWithItemsAsync(bool mayHold, Parameters parameters)
    {
        var rows = run.DryRun
            ? await db.TransactionAsync(tx => tx.QueryAsync<Row>($"{Outcomes(mayHold)} {NextBatch}", parameters), TimeSpan.FromMinutes(2), run.Aborting)
            : await ExpireAsync(parameters, (tx, locked) => tx.QueryAsync<Row>(ExpireBatch(mayHold, Rows), locked));
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
