using Jobs.Database;
using Jobs.Runs;
using Jobs.SumUp;
using Npgsql;

namespace Jobs.Terminals;

/// <summary>The head of the queue: the first that waits and whose payer has no other payment under way.</summary>
public sealed class WaitingPayment
{
    public long QueueId { get; init; }
    public long PaymentId { get; init; }
    public long UserId { get; init; }
    public long Position { get; init; }
    public long AmountMinor { get; init; }
    public string Currency { get; init; } = "";
}

/// <summary>
/// The queue of card-terminal payments as the job moves it. Each step is one transaction and a compare-and-set, so that two
/// runs at once, or one that was frozen and wakes, cannot both take it.
/// </summary>
/// <remarks>
/// What holds a reader and a payer is their row in status `processing` or `unknown`, by unique indexes, until the result is known,
/// however long that takes. The lease `payment:user:ID` tells applications of it for 3 minutes at most, and is only a courtesy.
/// </remarks>
public sealed class TerminalQueue(Db db, JobRun run)
{
    /// <summary>How long a payer's lease lasts; after it, a payment without a result is `unknown`.</summary>
    public static readonly TimeSpan LeaseLength = TimeSpan.FromMinutes(3);

    /// <summary>How long an attempt that ended without money is still asked about: what was approved late has been seen 8 hours after.</summary>
    public static readonly TimeSpan Watch = TimeSpan.FromHours(48);

    // Left by a run that died between its claim and the mark that it sends: nothing left for the provider. A row that somebody set
    // to `processing` by hand, or an older version, is followed by its reference; without one nobody can tell.
    private const string TakeOver =
        $"""
        {Turn};
        WITH unsent AS (
            UPDATE terminal_attempts
            SET outcome = 'not_sent', reason = 'run_ended', settled_at = clock_timestamp(), updated_at = clock_timestamp()
            WHERE settled_at IS NULL AND sent_at IS NULL AND run_id IS DISTINCT FROM @RunId
            RETURNING queue_id, terminal_id
        ),
        waiting AS (
            UPDATE payment_queue AS q
            SET status = 'waiting', terminal_id = NULL, updated_at = clock_timestamp()
            FROM unsent
            WHERE q.id = unsent.queue_id AND q.status IN ('processing', 'unknown')
            RETURNING q.user_id
        ),
        freed AS (
            UPDATE payment_terminals AS t
            SET status = 'available', updated_at = clock_timestamp()
            FROM unsent
            WHERE t.id = unsent.terminal_id AND t.status = 'busy'
        ),
        adopted AS (
            INSERT INTO terminal_attempts (queue_id, payment_id, terminal_id, provider_reader_id, client_reference, amount_minor, currency, run_id, sent_at)
            SELECT q.id, q.payment_id, q.terminal_id, t.provider_reader_id, q.client_reference, p.amount_minor, p.currency, @RunId,
                   coalesce(q.started_at, q.updated_at)
            FROM payment_queue AS q
            JOIN payments AS p ON p.id = q.payment_id
            LEFT JOIN payment_terminals AS t ON t.id = q.terminal_id
            WHERE q.status IN ('processing', 'unknown') AND q.client_reference IS NOT NULL
              AND NOT EXISTS (SELECT FROM terminal_attempts AS a WHERE a.queue_id = q.id AND (a.settled_at IS NULL OR a.client_reference = q.client_reference))
            ON CONFLICT DO NOTHING
        ),
        unclear AS (
            UPDATE payment_queue AS q
            SET status = 'unknown', reason = 'no_reference', started_at = coalesce(q.started_at, q.updated_at), updated_at = clock_timestamp()
            WHERE q.status = 'processing' AND q.client_reference IS NULL
        )
        DELETE FROM leases
        WHERE name LIKE 'payment:user:%'
          AND (expires_at < clock_timestamp() OR name IN (SELECT 'payment:user:' || user_id FROM waiting))
        """;

    /// <summary>Puts right what runs left behind that ended without a word.</summary>
    public Task TakeOverAsync() => db.TransactionAsync(tx => tx.ExecuteAsync(TakeOver, new { RunId = run.Id }), run.Aborting);

    // Canceled, or paid in some other way, before a reader was asked.
    private const string DropUnwanted =
        """
        WITH dropped AS (
            UPDATE payment_queue AS q
            SET status = 'canceled', reason = 'payment_' || p.status, finished_at = clock_timestamp(), updated_at = clock_timestamp()
            FROM payments AS p
            WHERE p.id = q.payment_id AND q.status = 'waiting' AND p.status <> 'pending'
            RETURNING q.id
        )
        SELECT count(*)::int FROM dropped
        """;

    /// <summary>Takes those out that wait for a payment which is no longer wanted.</summary>
    public Task<int> DropUnwantedAsync() => db.TransactionAsync(tx => tx.SingleAsync<int>(DropUnwanted), run.Aborting);

    // First come, first served - except behind a payment of the same person whose result is awaited, and behind a lease that an
    // application holds: then the next one goes first.
    private const string Eligible =
        """
        FROM payment_queue AS w
        JOIN payments AS p ON p.id = w.payment_id
        WHERE w.status = 'waiting' AND p.status = 'pending'
          AND NOT EXISTS (SELECT FROM payment_queue AS other WHERE other.user_id = p.user_id AND other.status IN ('processing', 'unknown'))
          AND NOT EXISTS (SELECT FROM leases WHERE name = 'payment:user:' || p.user_id AND expires_at > clock_timestamp())
        """;

    private const string Head =
        $"""
        SELECT w.id AS queue_id, w.payment_id, p.user_id, w.position, p.amount_minor, p.currency
        {Eligible}
          AND (@Only::bigint IS NULL OR w.payment_id = @Only)
        ORDER BY w.position, w.id
        LIMIT @limit
        """;

    public async Task<WaitingPayment?> HeadAsync() => (await WaitingAsync(1)).FirstOrDefault();

    /// <summary>The first of the queue that could go to a reader now.</summary>
    public Task<List<WaitingPayment>> WaitingAsync(int limit) =>
        db.TransactionAsync(tx => tx.QueryAsync<WaitingPayment>(Head, new { run.Options.Only, limit }), run.Aborting);

    // Who takes a place and who gives one back come one after the other. The statement behind it has a snapshot of its own: one that
    // was given back a moment ago is seen, and goes first.
    private const string Turn = "DO $turn$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('payment_queue')); END $turn$";

    // The lease goes first: without it, none of the rest happens. A fallback that began a moment ago counts.
    private const string Claim =
        $"""
        {Turn};
        WITH lease AS (
            INSERT INTO leases AS held (name, holder, expires_at)
            SELECT 'payment:user:' || @UserId, @Holder, clock_timestamp() + @LeaseLength
            FROM payment_queue AS q
            WHERE q.id = @QueueId AND q.status = 'waiting'
              AND (@Only::bigint IS NOT NULL OR NOT EXISTS (
                SELECT {Eligible} AND (w.position, w.id) < (q.position, q.id)))
              AND NOT EXISTS (
                SELECT FROM settings
                WHERE key = 'payment_fallback_mode' AND value ->> 'active' = 'true'
                  AND coalesce((value ->> 'until')::timestamptz > clock_timestamp(), true))
            ON CONFLICT (name) DO UPDATE
            SET holder = excluded.holder, expires_at = excluded.expires_at
            WHERE held.expires_at < clock_timestamp()
            RETURNING name
        ),
        claimed AS (
            UPDATE payment_queue AS q
            SET status = 'processing', terminal_id = @TerminalId, user_id = @UserId, client_reference = @Reference, attempts = q.attempts + 1,
                reason = '', started_at = clock_timestamp(), updated_at = clock_timestamp()
            FROM lease, payments AS p
            WHERE q.id = @QueueId AND q.status = 'waiting' AND p.id = q.payment_id AND p.status = 'pending'
            RETURNING q.id, q.payment_id, p.amount_minor, p.currency
        ),
        terminal AS (
            UPDATE payment_terminals AS t
            SET status = 'busy', retry_at = NULL, last_error = '', updated_at = clock_timestamp()
            FROM claimed
            WHERE t.id = @TerminalId
            RETURNING t.id, t.provider_reader_id
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.sent_to_terminal', 'payment', claimed.payment_id, @RunId,
                   jsonb_build_object('terminal_id', @TerminalId, 'client_reference', @Reference)
            FROM claimed
        )
        INSERT INTO terminal_attempts (queue_id, payment_id, terminal_id, provider_reader_id, client_reference, amount_minor, currency, run_id)
        SELECT claimed.id, claimed.payment_id, terminal.id, terminal.provider_reader_id, @Reference, claimed.amount_minor, claimed.currency, @RunId
        FROM claimed, terminal
        RETURNING id
        """;

    /// <summary>Gives a reader to a waiting payment: nobody else can take either until the result is known.</summary>
    /// <returns>Null when somebody was faster, or the payment is no longer wanted.</returns>
    public async Task<TerminalAttempt?> ClaimAsync(WaitingPayment payment, long terminalId)
    {
        // Random, and made anew for each attempt: what an earlier one left at the provider is never taken for this one's.
        var reference = Guid.NewGuid().ToString("D");
        try
        {
            return await db.TransactionAsync(
                async tx =>
                {
                    var id = await tx.SingleOrDefaultAsync<long?>(
                        Claim,
                        new
                        {
                            payment.QueueId,
                            payment.UserId,
                            TerminalId = terminalId,
                            Reference = reference,
                            Holder = $"{run.Job.Name} {run.Id:N}",
                            LeaseLength,
                            run.Options.Only,
                            Actor = run.Job.Name,
                            RunId = run.Id,
                        });
                    // Also after a commit whose answer was lost: the reference is ours alone.
                    return id is null && !tx.IsRepetition
                        ? null
                        : await tx.SingleOrDefaultAsync<TerminalAttempt>(
                            $"{TerminalAttempt.Select} WHERE a.client_reference = @reference AND a.settled_at IS NULL", new { reference });
                },
                run.Aborting);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return null;
        }
    }

    // Under the payment's lock: who cancels it afterwards finds it sent.
    private const string MarkSent =
        """
        UPDATE terminal_attempts AS a
        SET sent_at = clock_timestamp(), updated_at = clock_timestamp()
        FROM (SELECT id FROM payments WHERE id = @PaymentId AND status = 'pending' FOR NO KEY UPDATE) AS p
        WHERE a.id = @Id AND a.payment_id = p.id AND a.settled_at IS NULL AND a.run_id = @RunId AND (a.sent_at IS NULL OR @repeated)
        RETURNING a.sent_at
        """;

    /// <summary>Committed just before the request leaves. False: it must not leave, somebody else took the row or the payment is no longer wanted.</summary>
    public async Task<bool> MarkSentAsync(TerminalAttempt attempt)
    {
        attempt.SentAt = await db.TransactionAsync(
            tx => tx.SingleOrDefaultAsync<DateTime?>(MarkSent, new { attempt.Id, attempt.PaymentId, RunId = run.Id, repeated = tx.IsRepetition }),
            run.Aborting);
        return attempt.SentAt is not null;
    }

    private const string Accept =
        """
        UPDATE terminal_attempts
        SET client_transaction_id = @ClientTransactionId, checkout_id = @CheckoutId, updated_at = clock_timestamp()
        WHERE id = @Id AND client_transaction_id IS NULL
        """;

    /// <summary>The provider's own ids. It has accepted, which proves nothing yet.</summary>
    public Task AcceptedAsync(TerminalAttempt attempt) =>
        db.TransactionAsync(tx => tx.ExecuteAsync(Accept, new { attempt.Id, attempt.ClientTransactionId, attempt.CheckoutId }), run.Aborting);

    private const string GiveBack =
        $"""
        {Turn};
        WITH settled AS (
            UPDATE terminal_attempts
            SET outcome = @Outcome, reason = @Reason, settled_at = clock_timestamp(), updated_at = clock_timestamp(),
                watch_until = CASE WHEN @Outcome = 'refused' THEN clock_timestamp() + @Watch END,
                next_check_at = CASE WHEN @Outcome = 'refused' THEN clock_timestamp() + interval '5 minutes' END
            WHERE id = @Id AND settled_at IS NULL
            RETURNING queue_id, terminal_id
        ),
        waiting AS (
            UPDATE payment_queue AS q
            SET status = 'waiting', terminal_id = NULL, reason = @Reason, updated_at = clock_timestamp()
            FROM settled
            WHERE q.id = settled.queue_id AND q.status IN ('processing', 'unknown')
        ),
        terminal AS (
            UPDATE payment_terminals AS t
            SET status = @TerminalStatus, retry_at = clock_timestamp() + @RetryAfter::interval, last_error = CASE WHEN @TerminalStatus = 'available' THEN '' ELSE @Reason END,
                updated_at = clock_timestamp()
            FROM settled
            WHERE t.id = settled.terminal_id
        )
        DELETE FROM leases WHERE name = 'payment:user:' || @UserId AND EXISTS (SELECT FROM settled)
        """;

    /// <summary>Nothing was shown on the reader: the payment waits again, at its place, and the reader is left alone for a while.</summary>
    /// <param name="attempt">What was not carried out.</param>
    /// <param name="outcome"><c>not_sent</c> or <c>refused</c>.</param>
    /// <param name="reason">Why.</param>
    /// <param name="terminalStatus">Of the reader from now on.</param>
    /// <param name="retryAfter">When to try it again; null: at once.</param>
    public Task GiveBackAsync(TerminalAttempt attempt, string outcome, string reason, string terminalStatus, TimeSpan? retryAfter) =>
        db.TransactionAsync(
            tx => tx.ExecuteAsync(
                GiveBack,
                new { attempt.Id, attempt.UserId, Outcome = outcome, Reason = reason, TerminalStatus = terminalStatus, RetryAfter = retryAfter, Watch }),
            run.Aborting);

    private const string Doubt =
        """
        WITH doubted AS (
            UPDATE payment_queue
            SET status = 'unknown', reason = @reason, updated_at = clock_timestamp()
            WHERE id = @QueueId AND client_reference = @ClientReference AND status = 'processing'
        )
        UPDATE terminal_attempts SET next_check_at = clock_timestamp() + @Again, updated_at = clock_timestamp() WHERE id = @Id AND settled_at IS NULL
        """;

    private const string EndLease = "DELETE FROM leases WHERE name = 'payment:user:' || @UserId";

    /// <summary>Nobody knows the result. Reader and payer stay held; it is asked about less and less often, for as long as it takes.</summary>
    /// <param name="attempt">Which.</param>
    /// <param name="reason">Why.</param>
    /// <param name="endLease">The lease's time is up.</param>
    public Task DoubtAsync(TerminalAttempt attempt, string reason, bool endLease) =>
        db.TransactionAsync(
            tx => tx.ExecuteAsync(
                endLease ? $"{Doubt};\n{EndLease}" : Doubt,
                new { attempt.Id, attempt.QueueId, attempt.ClientReference, attempt.UserId, reason, Again = Again(attempt.Age ?? TimeSpan.Zero) }),
            run.Aborting);

    private static TimeSpan Again(TimeSpan age) =>
        age < TimeSpan.FromMinutes(3) ? TimeSpan.Zero
        : age < TimeSpan.FromMinutes(30) ? TimeSpan.FromSeconds(10)
        : age < TimeSpan.FromHours(24) ? TimeSpan.FromMinutes(1)
        : TimeSpan.FromMinutes(15);

    private const string Terminated =
        "UPDATE terminal_attempts SET terminated_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id = @Id AND terminated_at IS NULL AND settled_at IS NULL";

    /// <returns>True the first time: a reader is told to stop at most once an attempt, since a second time might hit the next sale.</returns>
    public async Task<bool> MarkTerminatedAsync(TerminalAttempt attempt) =>
        await db.TransactionAsync(tx => tx.ExecuteAsync(Terminated, new { attempt.Id }), run.Aborting) == 1;

    // Nobody else may have settled it; what was closed without money may still turn out paid.
    private const string Settle =
        """
        UPDATE terminal_attempts
        SET outcome = @outcome, reason = @reason, provider_transaction_id = @TransactionId, settled_at = clock_timestamp(), updated_at = clock_timestamp(),
            client_transaction_id = coalesce(client_transaction_id, @ClientTransactionId),
            watch_until = CASE WHEN @outcome = 'approved' THEN NULL ELSE clock_timestamp() + @Watch END,
            next_check_at = CASE WHEN @outcome = 'approved' THEN NULL ELSE clock_timestamp() + interval '5 minutes' END
        WHERE id = @Id AND (settled_at IS NULL OR (@outcome = 'approved' AND outcome <> 'approved'))
        """;

    private const string Close =
        """
        WITH ended AS (
            UPDATE payment_queue
            SET status = @status, reason = @reason, finished_at = clock_timestamp(), updated_at = clock_timestamp()
            WHERE id = @QueueId AND client_reference = @ClientReference AND status IN ('waiting', 'processing', 'unknown', 'failed')
            RETURNING id
        ),
        terminal AS (
            UPDATE payment_terminals AS t
            SET status = 'available', retry_at = NULL, last_error = '', last_seen_at = clock_timestamp(), updated_at = clock_timestamp()
            FROM ended
            WHERE t.id = @TerminalId AND t.status = 'busy'
              AND NOT EXISTS (SELECT FROM terminal_attempts AS a WHERE a.terminal_id = t.id AND a.settled_at IS NULL AND a.id <> @Id)
        )
        DELETE FROM leases WHERE name = 'payment:user:' || @UserId AND EXISTS (SELECT FROM ended)
        """;

    /// <summary>The result is known: attempt, queue row, reader and payer are settled with what <paramref name="effect"/> does, in one transaction.</summary>
    /// <param name="attempt">Open, or closed without money and now found paid.</param>
    /// <param name="outcome"><c>approved</c>, <c>declined</c>, <c>not_paid</c> or <c>refused</c>.</param>
    /// <param name="reason">Why, unless approved.</param>
    /// <param name="transaction">The money that was taken.</param>
    /// <param name="effect">What it means for the payment.</param>
    /// <returns>Null when somebody else settled it.</returns>
    public Task<T?> SettleAsync<T>(TerminalAttempt attempt, string outcome, string reason, Transaction? transaction, Func<Tx, Task<T>> effect)
        where T : struct =>
        db.TransactionAsync(tx => SettleAsync(tx, attempt, outcome, reason, transaction?.Id, transaction?.ClientTransactionId, effect), run.Aborting);

    /// <summary>The same within the caller's transaction.</summary>
    public static async Task<T?> SettleAsync<T>(
        Tx tx, TerminalAttempt attempt, string outcome, string reason, string? transactionId, string? clientTransactionId, Func<Tx, Task<T>> effect)
        where T : struct
    {
        var settled = await tx.ExecuteAsync(
            Settle, new { attempt.Id, outcome, reason, TransactionId = transactionId, ClientTransactionId = clientTransactionId, Watch });
        if (settled == 0)
        {
            return null;
        }

        var result = await effect(tx);
        await tx.ExecuteAsync(
            Close,
            new
            {
                attempt.Id,
                attempt.QueueId,
                attempt.ClientReference,
                attempt.TerminalId,
                attempt.UserId,
                status = outcome == "approved" ? "done" : "failed",
                reason,
            });
        return result;
    }

    private const string Open =
        $"""
        {TerminalAttempt.Select}
        WHERE a.settled_at IS NULL AND a.sent_at IS NOT NULL AND (a.next_check_at IS NULL OR a.next_check_at <= clock_timestamp())
          AND (@Only::bigint IS NULL OR a.payment_id = @Only)
        ORDER BY a.sent_at, a.id
        """;

    /// <summary>Sent, without a result, and due to be asked about.</summary>
    public Task<List<TerminalAttempt>> OpenAsync() =>
        db.TransactionAsync(tx => tx.QueryAsync<TerminalAttempt>(Open, new { run.Options.Only }), run.Aborting);

    private const string Read = $"{TerminalAttempt.Select} WHERE a.id = @id";

    public Task<TerminalAttempt> ReadAsync(long id) => db.TransactionAsync(tx => tx.SingleAsync<TerminalAttempt>(Read, new { id }), run.Aborting);

    private const string CountHeld =
        """
        SELECT count(*) FILTER (WHERE status = 'waiting')::int AS waiting, count(*) FILTER (WHERE status = 'processing')::int AS processing,
               count(*) FILTER (WHERE status = 'unknown')::int AS unknown
        FROM payment_queue
        WHERE status IN ('waiting', 'processing', 'unknown')
        """;

    public Task<QueueLength> LengthAsync() => db.TransactionAsync(tx => tx.SingleAsync<QueueLength>(CountHeld), run.Aborting);

    private const string TellUnknown =
        """
        WITH told AS (
            UPDATE payment_queue AS q
            SET reported_at = clock_timestamp()
            FROM payments AS p
            WHERE p.id = q.payment_id AND q.status = 'unknown' AND q.reported_at IS NULL AND q.started_at < clock_timestamp() - @after
            RETURNING q.id, q.payment_id, q.user_id, q.terminal_id, q.client_reference, q.started_at, p.amount_minor, p.currency
        )
        INSERT INTO notifications (kind, to_address, payload, dedupe_key, created_at)
        SELECT 'staff_terminal_unknown', @staff,
               jsonb_build_object('payment_id', told.payment_id, 'queue_id', told.id, 'terminal', t.name, 'amount_minor', told.amount_minor,
                   'currency', told.currency, 'user_id', told.user_id, 'client_reference', told.client_reference, 'since', told.started_at),
               'staff_terminal_unknown:' || coalesce(told.client_reference, told.id::text), @Now
        FROM told
        LEFT JOIN payment_terminals AS t ON t.id = told.terminal_id
        ON CONFLICT (dedupe_key) DO NOTHING
        """;

    /// <summary>Tells staff, once each, of payments whose result nobody has known for longer than this.</summary>
    public Task<int> TellUnknownAsync(string staff, TimeSpan after) =>
        db.TransactionAsync(tx => tx.ExecuteAsync(TellUnknown, new { staff, after, run.Now }), run.Aborting);
}

/// <summary>How many rows are live, by status.</summary>
public sealed class QueueLength
{
    public int Waiting { get; init; }
    public int Processing { get; init; }
    public int Unknown { get; init; }
}
