using Jobs.Database;
using Jobs.Runs;
using Npgsql;

namespace Jobs;

/// <summary>
/// Old audit logs move to `audit_log_archive`: a batch is deleted here and inserted there by one statement. A row that stands there
/// already is only deleted; one whose id stands there with another content stays, and is reported.
/// </summary>
internal sealed class AuditMove(JobRun run, Db db)
{
    private const string Old =
        """
        WITH old AS MATERIALIZED (
            SELECT id, created_at FROM audit_logs
            WHERE created_at < @Before AND (created_at, id) > (@AfterTime, @AfterId)
            ORDER BY created_at, id
            LIMIT @Size
        )
        """;

    // Usually the archive has nothing in the range of these ids, which its index knows at once, and then no row is compared.
    private const string OldAndOther =
        $"""
        {Old},
        other AS MATERIALIZED (
            SELECT id FROM old JOIN audit_log_archive AS k USING (id) JOIN audit_logs AS a USING (id)
            WHERE (SELECT min(id) FROM audit_log_archive WHERE id >= (SELECT min(id) FROM old)) <= (SELECT max(id) FROM old)
              AND (a.actor, a.action, a.subject_type, a.subject_id, a.run_id, a.data, a.created_at)
                  IS DISTINCT FROM (k.actor, k.action, k.subject_type, k.subject_id, k.run_id, k.data, k.created_at)
        )
        """;

    private const string Returned = "RETURNING a.id, a.actor, a.action, a.subject_type, a.subject_id, a.run_id, a.data, a.created_at";

    private const string Keep =
        """
        INSERT INTO audit_log_archive (id, actor, action, subject_type, subject_id, run_id, data, created_at)
        SELECT id, actor, action, subject_type, subject_id, run_id, data, created_at FROM moved
        """;

    // Two runs at once: who comes second finds the row gone, and inserts nothing. An array, so that whatever PostgreSQL knows of
    // tables that grow and shrink like this, each row is found by its key.
    private const string MoveNew =
        $"""
        {Old},
        moved AS (
            DELETE FROM audit_logs AS a WHERE a.id = ANY (ARRAY(SELECT id FROM old)) {Returned}
        ),
        kept AS (
            {Keep}
        )
        """;

    // Looking for each id in the archive beforehand costs a third more.
    private const string Move =
        $"""
        {OldAndOther},
        moved AS (
            DELETE FROM audit_logs AS a
            WHERE a.id = ANY (ARRAY(SELECT id FROM old WHERE id NOT IN (SELECT id FROM other)))
            {Returned}
        ),
        kept AS (
            {Keep}
            ON CONFLICT (id) DO NOTHING
        )
        """;

    private const string Totals =
        """
        FROM (SELECT (SELECT count(*) FROM old)::int AS seen, (SELECT count(*) FROM moved)::int AS done) AS counts
        LEFT JOIN (SELECT created_at AS last_time, id AS last_id FROM old ORDER BY created_at DESC, id DESC LIMIT 1) AS last ON true
        """;

    private const string Foreseen =
        """
        SELECT id, created_at AS time, CASE WHEN id IN (SELECT id FROM other) THEN 'failed' ELSE 'archived' END AS outcome
        FROM old
        ORDER BY created_at, id
        """;

    private const string Happened =
        """
        SELECT id, created_at AS time,
               CASE WHEN id IN (SELECT id FROM moved) THEN 'archived' WHEN id IN (SELECT id FROM other) THEN 'failed' ELSE 'gone' END AS outcome
        FROM old
        ORDER BY created_at, id
        """;

    private bool _someArchived;

    public async Task RunAsync(DateTime before)
    {
        run.Counters.Add("audit_logs_archived", 0);
        await AuditFile.GiveUpAsync(run, db, elsewhere: null);
        await Batches.EachAsync(run, "audit_logs_archived", before, MoveAsync);
        if (run.Counters["failed"] is > 0 and var failed)
        {
            run.Log.LogOther(failed);
        }
    }

    private async Task<Batch> MoveAsync(BatchKey key)
    {
        var batch = run.DryRun || run.WantsItems
            ? await MoveWithItemsAsync(key)
            : await MoveAllAsync(key);
        if (batch.Failed > 0)
        {
            run.Counters.Add("failed", batch.Failed);
        }

        return batch;
    }

    /// <summary>As if nothing stood in the archive already; where something does, all is undone, and from there on it is looked for.</summary>
    private async Task<Batch> MoveAllAsync(BatchKey key)
    {
        try
        {
            if (!_someArchived)
            {
                return await MoveAsync($"{MoveNew} SELECT * {Totals}", key);
            }
        }
        catch (PostgresException e) when (e is { SqlState: PostgresErrorCodes.UniqueViolation, TableName: "audit_log_archive" })
        {
            _someArchived = true;
        }

        return await MoveAsync($"{Move} SELECT *, (SELECT count(*) FROM other)::int AS failed {Totals}", key);
    }

    private Task<Batch> MoveAsync(string sql, BatchKey key) =>
        db.TransactionAsync(tx => tx.SingleAndCommitAsync<Batch>(sql, key), Batches.Patience, run.Aborting);

    private async Task<Batch> MoveWithItemsAsync(BatchKey key)
    {
        var sql = run.DryRun ? $"{OldAndOther} {Foreseen}" : $"{Move} {Happened}";
        var rows = await db.TransactionAsync(tx => tx.QueryAsync<BatchRow>(sql, key), Batches.Patience, run.Aborting);
        return Batches.List(run, rows, "audit_log", "created_at", "archived");
    }
}
