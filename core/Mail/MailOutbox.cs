using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Mail;

/// <summary>
/// The outbox on its way out. A run claims a mail (`sending`), says so just before the last byte leaves (handed_over_at), and
/// records what became of it. Each step is a compare-and-set on the claim: who has lost it to another run learns so before
/// anything can be delivered.
/// </summary>
public sealed class MailOutbox(JobRun run, Db db)
{
    // A run is alive as long as it holds a lease: the claims of the others are taken back.
    private const string ClaimedByTheDead =
        """
        n.status = 'sending' AND n.claimed_by <> @RunId
          AND NOT EXISTS (SELECT FROM leases AS l WHERE right(l.holder, 32) = replace(n.claimed_by::text, '-', '') AND l.expires_at > clock_timestamp())
          AND (@Only::bigint IS NULL OR n.id = @Only)
          AND (@Count = 1 OR n.id % @Count = @Index)
        """;

    // What was not handed over cannot have been delivered; of the rest nobody knows.
    private const string TakeBack =
        $"""
        WITH left_behind AS (
            SELECT n.id FROM notifications AS n WHERE {ClaimedByTheDead} FOR UPDATE SKIP LOCKED
        ),
        taken AS (
            UPDATE notifications AS n
            SET status = CASE WHEN n.handed_over_at IS NULL THEN 'pending' ELSE 'unknown' END,
                claimed_by = CASE WHEN n.handed_over_at IS NULL THEN NULL ELSE n.claimed_by END,
                last_error = CASE WHEN n.handed_over_at IS NULL THEN n.last_error ELSE 'the run ended before it knew the answer' END
            FROM left_behind
            WHERE n.id = left_behind.id
            RETURNING n.status
        )
        """;

    private const string Counted = "SELECT count(*) FILTER (WHERE status = 'pending')::int AS back, count(*) FILTER (WHERE status = 'unknown')::int AS unknown FROM taken";

    private const string ForeseeTakeBack =
        $"""
        WITH taken AS (
            SELECT CASE WHEN n.handed_over_at IS NULL THEN 'pending' ELSE 'unknown' END AS status FROM notifications AS n WHERE {ClaimedByTheDead}
        )
        {Counted}
        """;

    /// <summary>What runs left behind that ended without a word.</summary>
    public async Task TakeBackAsync()
    {
        var found = await db.TransactionAsync(
            tx => run.DryRun
                ? tx.SingleAsync<TakenBack>(ForeseeTakeBack, Scope())
                : tx.SingleAndCommitAsync<TakenBack>($"{TakeBack} {Counted}", Scope()),
            run.Aborting);
        run.Counters.Add("taken_back", found.Back);
        run.Counters.Add("unknown", found.Unknown);
    }

    private sealed class TakenBack
    {
        public int Back { get; init; }
        public int Unknown { get; init; }
    }

    private object Scope() => new { RunId = run.Id, run.Options.Only, run.Options.Shard.Count, run.Options.Shard.Index };

    private const string Columns =
        "n.id, n.kind, n.user_id, n.to_address, n.locale, n.payload::text AS payload, n.dedupe_key, n.attempts, n.created_at";

    private const string DueOfKind =
        """
        n.id > @After AND (n.next_attempt_at IS NULL OR n.next_attempt_at <= @Now)
          AND (n.kind = ANY(@NonCriticalKinds)) <> @Critical
          AND (@Only::bigint IS NULL OR n.id = @Only)
          AND (@Count = 1 OR n.id % @Count = @Index)
        ORDER BY n.id
        LIMIT @Size
        """;

    private const string Due = $"SELECT {Columns} FROM notifications AS n WHERE n.status = 'pending' AND {DueOfKind}";

    // What would be taken back first is due as well.
    private const string DueInDryRun =
        $"""
        SELECT {Columns} FROM notifications AS n
        WHERE (n.status = 'pending' OR (n.handed_over_at IS NULL AND {ClaimedByTheDead})) AND {DueOfKind}
        """;

    private const string ClaimDue =
        $"""
        WITH due AS (
            SELECT n.id FROM notifications AS n WHERE n.status = 'pending' AND {DueOfKind}
            FOR UPDATE SKIP LOCKED
        )
        UPDATE notifications AS n
        SET status = 'sending', claimed_by = @RunId, claimed_at = @Now, handed_over_at = NULL
        FROM due
        WHERE n.id = due.id
        RETURNING {Columns}
        """;

    /// <summary>The next due mails after the given id, oldest first; claimed if asked for.</summary>
    public async Task<List<Notification>> NextAsync(bool critical, bool claim, long after, int size, DateTime now)
    {
        var parameters = new
        {
            RunId = run.Id,
            After = after,
            Size = size,
            Now = now,
            MailPolicy.NonCriticalKinds,
            Critical = critical,
            run.Options.Only,
            run.Options.Shard.Count,
            run.Options.Shard.Index,
        };
        var sql = claim ? ClaimDue : run.DryRun ? DueInDryRun : Due;
        var due = await db.TransactionAsync(tx => tx.QueryAsync<Notification>(sql, parameters), run.Aborting);
        due.Sort((a, b) => a.Id.CompareTo(b.Id));
        return due;
    }

    // Two runs at once must not each find room for one more: they queue up behind the person.
    private const string LockPerson = "SELECT pg_advisory_xact_lock(hashtextextended(@Person, 1))";

    // A dry run claims nothing: an earlier mail to the same person stands for the claim it would be.
    private const string Recent =
        $"""
        SELECT count(*) FILTER (WHERE n.claimed_at >= @Today)::int AS today, max(n.claimed_at) AS last,
               @DryRun AND EXISTS (
                   SELECT FROM notifications AS earlier
                   WHERE (earlier.user_id = @UserId OR (@UserId::bigint IS NULL AND earlier.user_id IS NULL AND earlier.to_address = @ToAddress))
                     AND earlier.kind = ANY(@NonCriticalKinds) AND earlier.status = 'pending' AND earlier.id < @Id
                     AND (earlier.next_attempt_at IS NULL OR earlier.next_attempt_at <= @Now)) AS waits_for_another
        FROM notifications AS n
        WHERE {MailPolicy.HadLately}
        """;

    private const string ClaimOne =
        """
        UPDATE notifications SET status = 'sending', claimed_by = @RunId, claimed_at = @Now, handed_over_at = NULL
        WHERE id = @Id AND status = 'pending'
        """;

    private const string Postpone = "UPDATE notifications SET next_attempt_at = @Until WHERE id = @Id AND status = 'pending'";

    /// <summary>Claims a mail that can wait, if its reader may have it now; else puts it off.</summary>
    /// <returns>What became of it, and until when it was put off; a dry run only says so.</returns>
    public async Task<(Claim Claim, DateTime? Until)> ClaimAsync(Notification mail, DateTime now, BusinessZone zone)
    {
        (Claim, DateTime?) outcome = default;
        await db.TransactionAsync(async tx => outcome = await ClaimAsync(tx, mail, now, zone), run.Aborting);
        return outcome;
    }

    private async Task<(Claim Claim, DateTime? Until)> ClaimAsync(Tx tx, Notification mail, DateTime now, BusinessZone zone)
    {
        if (!run.DryRun)
        {
            await tx.ExecuteAsync(LockPerson, new { Person = mail.UserId?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? mail.ToAddress });
        }

        var recent = await tx.SingleAsync<RecentMail>(
            Recent,
            new
            {
                mail.Id,
                mail.UserId,
                mail.ToAddress,
                MailPolicy.NonCriticalKinds,
                Today = zone.StartOfDay(zone.Date(now)),
                Now = now,
                MailPolicy.Apart,
                run.DryRun,
            });
        var until = MailPolicy.PostponedTo(now, zone, recent.Today + (recent.WaitsForAnother ? 1 : 0), recent.WaitsForAnother ? now : recent.Last);
        if (run.DryRun)
        {
            return (until is null ? Claim.Claimed : Claim.Postponed, until);
        }

        var changed = await tx.ExecuteAndCommitAsync(until is null ? ClaimOne : Postpone, new { mail.Id, Until = until, RunId = run.Id, Now = now });
        return (changed == 0 ? Claim.Gone : until is null ? Claim.Claimed : Claim.Postponed, until);
    }

    private sealed class RecentMail
    {
        public int Today { get; init; }
        public DateTime? Last { get; init; }
        public bool WaitsForAnother { get; init; }
    }

    // Repeated when the answer to its COMMIT was lost: nobody but this run writes the column under this claim.
    private const string HandOver =
        """
        UPDATE notifications
        SET handed_over_at = clock_timestamp(), attempts = attempts + 1
        WHERE id = @id AND status = 'sending' AND claimed_by = @RunId AND (handed_over_at IS NULL OR @IsRepetition)
        """;

    /// <returns>False: the claim is lost, and the mail must not leave.</returns>
    public Task<bool> HandOverAsync(long id) => db.TransactionAsync(
        async tx => await tx.ExecuteAndCommitAsync(HandOver, new { id, RunId = run.Id, tx.IsRepetition }) == 1, run.Aborting);

    // Also of a mail that another run gave up as unknown while this one was frozen: now it is known.
    private const string Record =
        """
        UPDATE notifications
        SET status = @Status,
            sent_at = CASE WHEN @Status = 'sent' THEN clock_timestamp() END,
            next_attempt_at = @NextAttemptAt,
            last_error = @Error,
            attempts = attempts + CASE WHEN handed_over_at IS NULL THEN 1 ELSE 0 END,
            claimed_by = CASE WHEN @Status = 'pending' THEN NULL ELSE claimed_by END,
            handed_over_at = CASE WHEN @Status = 'pending' THEN NULL ELSE handed_over_at END
        WHERE id = @id AND claimed_by = @RunId AND status IN ('sending', 'unknown')
        """;

    /// <param name="status">`sent`, `pending` (to be tried again), `failed` or `unknown`.</param>
    public Task RecordAsync(long id, string status, string? error = null, DateTime? nextAttemptAt = null) => db.TransactionAsync(
        tx => tx.ExecuteAndCommitAsync(Record, new { id, Status = status, Error = error, NextAttemptAt = nextAttemptAt, RunId = run.Id }),
        run.Aborting);

    private const string GiveBack =
        "UPDATE notifications SET status = 'pending', claimed_by = NULL WHERE status = 'sending' AND claimed_by = @RunId AND handed_over_at IS NULL";

    /// <summary>What was claimed and not begun.</summary>
    public Task GiveBackAsync() => db.TransactionAsync(tx => tx.ExecuteAndCommitAsync(GiveBack, new { RunId = run.Id }), run.Aborting);

    // Rows and mail in one statement: told once, however often and wherever the run dies. Of this mail itself nobody is told.
    private const string Tell =
        """
        WITH untold AS (
            SELECT id, kind, user_id, status, last_error
            FROM notifications
            WHERE status IN ('failed', 'unknown') AND reported_at IS NULL AND kind <> 'staff_undelivered_mails'
            ORDER BY id
            LIMIT 500
            FOR UPDATE SKIP LOCKED
        ),
        told AS (
            UPDATE notifications AS n
            SET reported_at = clock_timestamp()
            FROM untold
            WHERE n.id = untold.id
        )
        INSERT INTO notifications (kind, to_address, payload, dedupe_key, created_at)
        SELECT 'staff_undelivered_mails', @StaffEmail,
               jsonb_build_object('count', count(*), 'mails', jsonb_agg(jsonb_build_object(
                   'id', id, 'kind', kind, 'user_id', user_id, 'status', status, 'reason', last_error) ORDER BY id)),
               'staff_undelivered_mails:' || @RunId || ':' || min(id), @Now
        FROM untold
        HAVING count(*) > 0
        ON CONFLICT (dedupe_key) DO NOTHING
        """;

    /// <summary>Tells staff, in one mail, of every mail that was not delivered, or of which nobody knows.</summary>
    public async Task TellStaffAsync(string staff)
    {
        while (await db.TransactionAsync(tx => tx.ExecuteAsync(Tell, new { StaffEmail = staff, RunId = run.Id.ToString(), run.Now }), run.Aborting) > 0)
        {
            // 500 a mail.
        }
    }

    /// <summary>Tells staff, once, of each job that should have succeeded by now: this one comes every minute.</summary>
    public Task TellLateJobsAsync(string staff) => JobAlarm.TellLateAsync(db, staff, run.Aborting);
}

public enum Claim
{
    Claimed,
    Postponed,

    /// <summary>Another run has it.</summary>
    Gone,
}
