using Jobs.Acting;
using Jobs.Runs;

namespace Jobs.Settle;

/// <summary>An item that a job parked because it failed again and again: it is tried anew (retry), or left alone for good (drop).</summary>
internal static class ParkedItem
{
    private sealed class Row
    {
        public int Failures { get; init; }
        public string LastError { get; init; } = "";
        public bool Parked { get; init; }
        public bool Dropped { get; init; }
    }

    private const string Find =
        "SELECT failures, last_error, parked_at IS NOT NULL AS parked, dropped_at IS NOT NULL AS dropped FROM job_item_failures WHERE job = @job AND item = @item";

    private const string Retry =
        """
        WITH changed AS (
            UPDATE job_item_failures SET failures = 0, parked_at = NULL, dropped_at = NULL, drop_reason = NULL
            WHERE job = @job AND item = @item AND (failures > 0 OR parked_at IS NOT NULL)
            RETURNING job, item
        )
        """;

    // As if it had failed often enough: only --only takes it up.
    private const string Drop =
        """
        WITH changed AS (
            UPDATE job_item_failures
            SET failures = greatest(failures, 5), parked_at = coalesce(parked_at, clock_timestamp()), dropped_at = clock_timestamp(), drop_reason = @Reason
            WHERE job = @job AND item = @item AND dropped_at IS NULL
            RETURNING job, item
        )
        """;

    private const string Audit =
        """
        INSERT INTO audit_logs (actor, action, subject_type, data)
        SELECT @Actor, 'job_item.' || @As, 'job_item_failure', jsonb_build_object('job', job, 'item', item, 'reason', @Reason)
        FROM changed
        """;

    public static async Task<Answer> SettleAsync(ToolRun run, ToolServices services, Decision decision)
    {
        if (run.Words is not [var job, var item])
        {
            throw new OperatorException("say which: jobctl resolve item JOB ITEM; `jobctl resolve list` shows both");
        }

        var (row, changed) = await services.Db.TransactionAsync(
            async tx =>
            {
                var found = await tx.SingleOrDefaultAsync<Row>(Find, new { job, item })
                    ?? throw new OperatorException($"no failure of {item} of {job} is on record; `jobctl resolve list` shows what is parked");
                var open = decision.As == "retry" ? found.Failures > 0 || found.Parked : !found.Dropped;
                return (found, open && (decision.DryRun
                    || await tx.ExecuteAsync($"{(decision.As == "retry" ? Retry : Drop)}\n{Audit}", new { job, item, decision.As, decision.Actor, decision.Reason }) == 1));
            },
            run.Stopping);
        var what = $"item {item} of {job}";
        return !changed
            ? new("unchanged", $"{what} {(decision.As == "retry" ? "is to be tried again" : "was dropped")} already")
            : new("settled", $"{what}{(decision.DryRun ? " would be" : " is")} {(decision.As == "retry" ? "tried again from the next run on" : $"left alone from now on; {job} --only {item} still takes it up")}")
            {
                Notes = [$"{row.Failures} failures; the last: {row.LastError}"],
            };
    }
}
