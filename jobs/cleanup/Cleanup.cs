using Jobs.Database;
using Jobs.Runs;
using Jobs.Storage;

namespace Jobs;

/// <summary>
/// Sessions untouched for 2 weeks are deleted. Audit logs older than 6 months are moved to `audit_log_archive` or, with
/// ARCHIVE_URL, exported to files there. --limit counts the sessions and the audit logs each.
/// </summary>
public sealed class Cleanup(JobRun run, Db db, JobOptions options, Settings settings) : IJob
{
    internal const int DefaultBatch = 5000;
    private const int MonthsOfAudit = 6;

    public static readonly JobOption<TimeSpan?> SessionsIdle = new(
        "--sessions-idle", "duration", "Delete sessions untouched for more than this long. Default: 14d.", OptionValue.Duration, TimeSpan.FromDays(14));

    public static readonly JobOption<TimeSpan?> AuditOlderThan = new(
        "--audit-older-than", "duration", "Archive audit logs older than this. Default: 6 calendar months.", OptionValue.Duration, null);

    // A session that is being touched right now is not idle.
    private const string Idle =
        """
        WITH idle AS MATERIALIZED (
            SELECT id, updated_at FROM sessions
            WHERE updated_at < @Before AND (updated_at, id) > (@AfterTime, @AfterId)
            ORDER BY updated_at, id
            LIMIT @Size
        """;

    private const string DeleteIdle =
        $"""
        {Idle} FOR UPDATE SKIP LOCKED
        ),
        deleted AS (
            DELETE FROM sessions AS s USING idle WHERE s.id = idle.id AND s.updated_at < @Before RETURNING s.id, s.updated_at
        )
        """;

    private const string Totals =
        """
        SELECT count(*)::int AS seen, (SELECT count(*) FROM deleted)::int AS done,
               (array_agg(updated_at ORDER BY updated_at DESC, id DESC))[1] AS last_time,
               (array_agg(id ORDER BY updated_at DESC, id DESC))[1] AS last_id
        FROM idle
        """;

    public async Task RunAsync()
    {
        if (run.Options.Only is not null || !run.Options.Shard.IsAll)
        {
            throw new OperatorException("cleanup takes neither --only nor --shard: it goes through two kinds of rows, in the order of their age");
        }

        // What is wrong with the URL is said before anything is deleted.
        using var store = settings.Optional("ARCHIVE_URL") is { } url ? FileStore.Open("ARCHIVE_URL", url, settings) : null;
        run.Counters.Add("sessions_deleted", 0);
        await Batches.EachAsync(run, "sessions_deleted", run.Now - options.Get(SessionsIdle)!.Value, DeleteSessionsAsync);
        var before = options.Get(AuditOlderThan) is { } age ? run.Now - age : run.Now.AddMonths(-MonthsOfAudit);
        await (store is null
            ? new AuditMove(run, db).RunAsync(before)
            : new AuditExport(run, db, options, store).RunAsync(before));
    }

    private async Task<Batch> DeleteSessionsAsync(BatchKey key)
    {
        if (!run.DryRun && !run.WantsItems)
        {
            return await db.TransactionAsync(tx => tx.SingleAndCommitAsync<Batch>($"{DeleteIdle} {Totals}", key), Batches.Patience, run.Aborting);
        }

        var rows = await db.TransactionAsync(
            tx => tx.QueryAsync<BatchRow>(
                run.DryRun
                    ? $"{Idle}) SELECT id, updated_at AS time, 'deleted' AS outcome FROM idle ORDER BY updated_at, id"
                    : $"{DeleteIdle} SELECT id, updated_at AS time, 'deleted' AS outcome FROM deleted ORDER BY updated_at, id",
                key),
            Batches.Patience,
            run.Aborting);
        return Batches.List(run, rows, "session", "updated_at", "deleted");
    }
}
