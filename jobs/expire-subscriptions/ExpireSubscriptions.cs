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
    }

    /// <summary>The rows that a batch looks at, and the last of them.</summary>
    private sealed class Taken
    {
        public int Seen { get; init; }
        public DateTime? LastEnd { get; init; }
        public long? LastId { get; init; }
    }

    private sealed class Totals
    {
        public int Expired { get; init; }
        public int Held { get; init; }
        public int Waiting { get; init; }
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
            var (taken, totals) = run.DryRun || run.WantsItems
                ? await BatchWithItemsAsync(mayHold, parameters)
                : await ExpireAsync(mayHold, Summary, parameters, answers => answers.ReadSingleAsync<Totals>());
            Count(totals);
            if (taken.Seen < size)
            {
                break;
            }

            (afterEnd, afterId) = (taken.LastEnd!.Value, taken.LastId!.Value);
        }

        if (run.Counters["held"] is > 0 and var held)
        {
            run.Log.LogHeld(held);
        }
    }

    private int NextBatchSize() =>
        (int)Math.Min(run.Options.BatchSize ?? DefaultBatch, (run.Options.Limit ?? long.MaxValue) - run.Counters["expired"]);

    private void Count(Totals totals)
    {
        run.Counters.Add("expired", totals.Expired);
        foreach (var (name, n) in (ReadOnlySpan<(string, int)>)[("held", totals.Held), ("waiting", totals.Waiting)])
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

    /// <summary>The ids stay with the transaction: what looks at them next need not wait until they have been to the job and back.</summary>
    private const string Lock =
        $"""
        WITH taken AS MATERIALIZED (SELECT s.id, s.ended_at {NextBatch} FOR NO KEY UPDATE SKIP LOCKED)
        SELECT count(*)::int AS seen,
               max(ended_at) AS last_end,
               (array_agg(id ORDER BY ended_at, id))[count(*)] AS last_id,
               set_config('jobs.taken', coalesce(array_agg(id ORDER BY ended_at, id), ARRAY[]::bigint[])::text, true) IS NOT NULL AS kept
        FROM taken
        """;

    private const string Locked = "SELECT id FROM unnest(current_setting('jobs.taken')::bigint[]) AS t (id)";

    /// <summary>Beginning of a statement: the taken ones and their outcomes. Those that wait are found all at once, not row by row.</summary>
    private string Look(string taken, bool mayHold) =>
        $"""
        WITH taken AS MATERIALIZED ({taken}),
        waiting AS MATERIALIZED (
            SELECT s.id FROM taken AS s WHERE {Lapse.InFlight}
            UNION
            SELECT s.id FROM taken AS s WHERE {Lapse.Parked}
        ),
        lapsed AS MATERIALIZED (
            SELECT s.id,
                   CASE WHEN s.id IN (SELECT id FROM waiting) THEN 'waiting' {(mayHold ? $"WHEN {Lapse.Held} THEN 'held'" : "")}{(_notice is null ? "" : $" WHEN {Lapse.AwaitsNotice} THEN 'held'")} ELSE 'expired' END AS outcome
            FROM {(mayHold || _notice is not null ? "subscriptions AS s JOIN taken USING (id)" : "taken AS s")}
        )
        """;

    private string Expire(bool mayHold) =>
        $"""
        {Look(Locked, mayHold)},
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
        """;

    private const string Summary =
        """
        SELECT (SELECT count(*) FROM expired)::int AS expired,
               count(*) FILTER (WHERE outcome = 'held')::int AS held, count(*) FILTER (WHERE outcome = 'waiting')::int AS waiting
        FROM lapsed
        """;

    private const string Rows = "SELECT s.id, s.ended_at, outcome FROM lapsed JOIN subscriptions AS s USING (id) ORDER BY s.ended_at, s.id";

    /// <summary>
    /// Locks the batch, then looks and writes with a new snapshot: a charge is prepared under the same lock, so that none can
    /// come up unseen in between. One round trip.
    /// </summary>
    private Task<(Taken Taken, T Result)> ExpireAsync<T>(bool mayHold, string result, Parameters parameters, Func<Answers, Task<T>> read) =>
        db.TransactionAsync(
            async tx =>
            {
                await using var answers = await tx.QueryMultipleAndCommitAsync($"{Lock};\n{Expire(mayHold)}\n{result}", parameters);
                return (await answers.ReadSingleAsync<Taken>(), await read(answers));
            },
            TimeSpan.FromMinutes(2),
            run.Aborting);

    private async Task<(Taken Taken, Totals Totals)> BatchWithItemsAsync(bool mayHold, Parameters parameters)
    {
        var rows = run.DryRun
            ? await db.TransactionAsync(
                tx => tx.QueryAsync<Row>($"{Look($"SELECT s.id {NextBatch}", mayHold)}\n{Rows}", parameters), TimeSpan.FromMinutes(2), run.Aborting)
            : (await ExpireAsync(mayHold, Rows, parameters, answers => answers.ReadAsync<Row>())).Result;
        foreach (var row in rows)
        {
            run.Item(row.Id, row.Outcome, ("ended_at", row.EndedAt));
        }

        return (
            new Taken { Seen = rows.Count, LastEnd = rows.LastOrDefault()?.EndedAt, LastId = rows.LastOrDefault()?.Id },
            new Totals
            {
                Expired = rows.Count(r => r.Outcome == "expired"),
                Held = rows.Count(r => r.Outcome == "held"),
                Waiting = rows.Count(r => r.Outcome == "waiting"),
            });
    }
}
