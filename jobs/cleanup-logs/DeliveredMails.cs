using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Mails delivered long ago. A row whose key cannot come up again is deleted; of others the key stays, so that nobody is told the same
/// twice, and what was said to whom goes.
/// </summary>
internal sealed class DeliveredMails(JobRun run, Db db)
{
    // Over: no key; a receipt of a payment that cannot succeed again; a reminder of a term that ended as long ago. A reminder of a term
    // that still runs is left whole: it is also the notice that a renewal needs.
    private const string Old =
        """
        SET LOCAL jit = off;
        WITH old AS MATERIALIZED (
            SELECT n.id, n.sent_at,
                   CASE WHEN n.kind = 'renewal_reminder' THEN
                            CASE WHEN n.payload ->> 'ends_on' < to_char(@before::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD') THEN 'mails_deleted' ELSE '' END
                        WHEN n.dedupe_key IS NULL THEN 'mails_deleted'
                        WHEN n.kind = 'payment_receipt' AND EXISTS (
                            SELECT FROM payments AS p
                            WHERE p.id = (n.payload ->> 'payment_id')::bigint AND n.dedupe_key = 'payment_receipt:' || p.id
                              AND p.status IN ('succeeded', 'refunded', 'disputed')) THEN 'mails_deleted'
                        ELSE 'mails_emptied' END AS outcome
            FROM notifications AS n
            WHERE n.status = 'sent' AND n.payload <> '{}' AND n.sent_at < @before
              AND (n.sent_at, n.id) > (@afterTime, coalesce(nullif(@afterId, ''), '0')::bigint)
            ORDER BY n.sent_at, n.id
            LIMIT @size
        )
        """;

    private const string Prune =
        $$"""
        {{Old}},
        deleted AS (
            DELETE FROM notifications AS n
            WHERE n.id = ANY (ARRAY(SELECT id FROM old WHERE outcome = 'mails_deleted')) AND n.status = 'sent'
            RETURNING n.id
        ),
        emptied AS (
            UPDATE notifications AS n SET payload = '{}', to_address = '', last_error = NULL
            WHERE n.id = ANY (ARRAY(SELECT id FROM old WHERE outcome = 'mails_emptied')) AND n.status = 'sent' AND n.payload <> '{}'
            RETURNING n.id
        ),
        done AS (
            SELECT id FROM deleted UNION ALL SELECT id FROM emptied
        )
        SELECT old.id::text AS id, old.sent_at AS at, CASE WHEN done.id IS NULL THEN '' ELSE old.outcome END AS outcome
        FROM old
        LEFT JOIN done ON done.id = old.id
        ORDER BY old.sent_at, old.id
        """;

    private const string Foresee = $"{Old} SELECT id::text AS id, sent_at AS at, outcome FROM old ORDER BY sent_at, id";

    public Task PruneAsync(DateTime before) =>
        Batches.EachAsync(run, db, run.DryRun ? Foresee : Prune, "mail", before, [], "mails_deleted", "mails_emptied");
}
