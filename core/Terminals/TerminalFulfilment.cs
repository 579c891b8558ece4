using Jobs.Billing;
using Jobs.Database;
using Npgsql;

namespace Jobs.Terminals;

public enum ApprovalOutcome
{
    /// <summary>Booked now, with what it grants.</summary>
    Fulfilled,

    /// <summary>This transaction was booked before; nothing changed.</summary>
    AlreadyFulfilled,

    /// <summary>Could not be tied to what it pays for: in `unmatched_payments`, <see cref="Parking.TellStaffAsync"/> tells of it.</summary>
    Parked,

    /// <summary>Booked, with its receipt; the order that it pays cannot be had any more. Staff are told to refund.</summary>
    RefundDue,
}

/// <summary>
/// What an answer of a card terminal does to its payment, in the caller's transaction, which also closes the attempt and the place
/// in the queue. Each locks the payer first, as every fulfilment does: call it before the transaction locks anything else. All are
/// safe to repeat.
/// </summary>
public sealed class TerminalFulfilment(Granting granting)
{
    /// <summary>
    /// The card was charged. Grants what was paid for, exactly once; money for a payment that was canceled here, or for what
    /// cannot be had any more, is parked. A payment that failed or expired here is fulfilled all the same while that can be.
    /// </summary>
    /// <param name="received">
    /// Provider <c>sumup</c>, method <c>card_terminal</c>, with the provider's transaction id: a second one for the same payment
    /// is a second charge, and parked.
    /// </param>
    /// <exception cref="PostgresException">A unique violation when somebody booked the same meanwhile: run the transaction again.</exception>
    public async Task<ApprovalOutcome> ApproveAsync(Tx tx, Origin origin, long paymentId, Received received)
    {
        if (received is not { Provider: "sumup", ProviderPaymentId: not null, Method: "card_terminal" })
        {
            throw new ArgumentException("a terminal's payment is SumUp's and has its transaction id", nameof(received));
        }

        var row = await LockAsync(tx, paymentId);
        if (row.IsTerminal && row.ProviderPaymentId == received.ProviderPaymentId)
        {
            return ApprovalOutcome.AlreadyFulfilled;
        }

        if (Disagreement(row, received) is { } reason)
        {
            return await ParkAsync(tx, origin, received, row, reason);
        }

        var success = SuccessOf(row, origin, received with { RecordedBy = row.RecordedBy }, foreseen: false);
        var refusal = await granting.GrantAsync(tx, success);
        return refusal is not null ? await ParkAsync(tx, origin, received, row, refusal.Reason)
            : success.RefundDue ? ApprovalOutcome.RefundDue
            : ApprovalOutcome.Fulfilled;
    }

    private static string? Disagreement(Payment row, Received received) =>
        row.IsTerminal ? ParkingReason.Duplicate
        : row.Currency != received.Currency ? ParkingReason.CurrencyMismatch
        : row.AmountMinor != received.AmountMinor ? ParkingReason.AmountMismatch
        : row.Status == PaymentStatus.Canceled ? ParkingReason.Canceled
        : null;

    private static async Task<ApprovalOutcome> ParkAsync(Tx tx, Origin origin, Received received, Payment row, string reason)
    {
        await tx.ParkAsync(origin, received, row.Id, reason);
        return ApprovalOutcome.Parked;
    }

    private static Success SuccessOf(Payment row, Origin origin, Received received, bool foreseen) => new()
    {
        Origin = origin,
        Received = received,
        Row = row,
        Foreseen = foreseen,
        MoreFollows = true,
        UserId = row.UserId,
        Purpose = row.Purpose,
        SubscriptionId = row.SubscriptionId,
        PlanId = row.PlanId,
        OrderId = row.OrderId,
        MembershipId = row.MembershipId,
        MembershipType = row.MembershipType,
        ReducedPrice = row.ReducedPrice,
        PeriodStart = row.PeriodStart,
    };

    // The row is read after the lock, when nobody else can book for this person.
    private const string LockPayer =
        $"""
        SELECT id FROM users WHERE id = (SELECT user_id FROM payments WHERE id = @paymentId) FOR NO KEY UPDATE;
        SELECT {Payment.Columns} FROM payments WHERE id = @paymentId
        """;

    private static async Task<Payment> LockAsync(Tx tx, long paymentId)
    {
        await using var answers = await tx.QueryMultipleAsync(LockPayer, new { paymentId });
        await answers.ReadSingleOrDefaultAsync<long?>();
        return await answers.ReadSingleOrDefaultAsync<Payment>()
            ?? throw new InvalidOperationException($"there is no payment {paymentId}");
    }

    /// <summary>
    /// Asked before a reader is given a waiting payment: what it pays for may have been paid otherwise meanwhile, or gone.
    /// </summary>
    /// <returns>Null: give it. Else why not; <see cref="CancelAsync"/> takes it out of the queue.</returns>
    public async Task<Refusal?> StillWantedAsync(Tx tx, Origin origin, long paymentId)
    {
        var row = await LockAsync(tx, paymentId);
        return row.Status != PaymentStatus.Pending
            ? new(row.IsTerminal ? ParkingReason.Duplicate : row.Status, $"payment {row.Id} is {row.Status}, not pending")
            : await granting.GrantAsync(tx, SuccessOf(row, origin, new(row.AmountMinor, row.Currency, "card_terminal"), foreseen: true));
    }

    // Over at the provider as well: nobody asks Stripe about it, and no later attempt waits for it.
    private const string Close =
        """
        WITH closed AS (
            UPDATE payments
            SET status = @status, failure_code = @reason, next_check_at = NULL, provider_ended_at = @Now, updated_at = clock_timestamp()
            WHERE id = @paymentId AND status = 'pending'
            RETURNING id
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'payment.' || @status, 'payment', id, @RunId, jsonb_build_object('reason', @reason)
        FROM closed
        """;

    /// <summary>The provider says for certain that the card was not charged: pending becomes failed.</summary>
    /// <param name="failureCode">Why, such as <c>declined</c>.</param>
    /// <returns>False when it was not pending any more; nothing changed.</returns>
    public static async Task<bool> DeclineAsync(Tx tx, Origin origin, long paymentId, string failureCode)
    {
        await LockAsync(tx, paymentId);
        return await tx.ExecuteAsync(
            Close,
            new { paymentId, status = PaymentStatus.Failed, reason = failureCode, origin.Now, origin.Actor, origin.RunId }) == 1;
    }

    // The place is locked before the payment is looked at: whoever is giving it to a reader has done so by then, or finds it gone.
    private const string Cancel =
        """
        SELECT id FROM payment_queue WHERE payment_id = @paymentId FOR UPDATE;
        WITH closed AS (
            UPDATE payments AS p
            SET status = 'canceled', failure_code = @reason, next_check_at = NULL, provider_ended_at = @Now, updated_at = clock_timestamp()
            WHERE p.id = @paymentId AND p.status = 'pending'
              AND EXISTS (SELECT FROM payment_queue AS q WHERE q.payment_id = p.id AND q.status = 'waiting')
            RETURNING p.id
        ),
        place AS (
            UPDATE payment_queue AS q
            SET status = 'canceled', reason = @reason, finished_at = @Now, updated_at = clock_timestamp()
            FROM closed
            WHERE q.payment_id = closed.id
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.canceled', 'payment', id, @RunId, jsonb_build_object('reason', @reason) FROM closed
        )
        SELECT count(*)::int FROM closed
        """;

    /// <summary>Takes a payment that still waits out of the queue: payment and place become canceled. One that a reader may have is left.</summary>
    /// <param name="reason">On both rows, such as <c>paid_otherwise</c>.</param>
    /// <returns>False when it does not wait any more; nothing changed.</returns>
    public static async Task<bool> CancelAsync(Tx tx, Origin origin, long paymentId, string reason)
    {
        await LockAsync(tx, paymentId);
        await using var answers = await tx.QueryMultipleAsync(
            Cancel, new { paymentId, reason, origin.Now, origin.Actor, origin.RunId });
        await answers.ReadSingleOrDefaultAsync<long?>();
        return await answers.ReadSingleAsync<int>() == 1;
    }
}
