using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs.Billing;

public enum Reversal
{
    /// <summary>Everything here is as Stripe says.</summary>
    None,

    /// <summary>No booked payment here: unknown, or still to be matched.</summary>
    Unbooked,
    PartiallyRefunded,
    Refunded,

    /// <summary>A refund failed or was canceled: the amount belongs to the payment again.</summary>
    RefundReturned,
    Disputed,
    DisputeLost,
    DisputeWon,

    /// <summary>Another stage of a dispute, the same for the money.</summary>
    DisputeMoved,
}

public static class ReversalNames
{
    /// <summary>In counters, items and audit rows.</summary>
    public static string Name(this Reversal reversal) => reversal switch
    {
        Reversal.PartiallyRefunded => "partially_refunded",
        Reversal.Refunded => "refunded",
        Reversal.RefundReturned => "refund_returned",
        Reversal.Disputed => "disputed",
        Reversal.DisputeLost => "dispute_lost",
        Reversal.DisputeWon => "dispute_won",
        Reversal.DisputeMoved => "dispute_moved",
        Reversal.Unbooked => "unbooked",
        _ => "unchanged",
    };
}

/// <summary>
/// Brings refunds and disputes of a payment into the database, from Stripe's current lists and never from an event's
/// snapshot: late, repeated and disordered news do no harm. A full refund or a lost dispute ends what was paid for, once;
/// the payment keeps its period, so that it is never charged a second time.
/// </summary>
public sealed class Reversals(StripeClient stripe, Db db, JobRun run, Settings settings)
{
    private const int Looks = 5;

    private sealed class Booked
    {
        public long Id { get; init; }
        public long UserId { get; init; }
        public string Version { get; init; } = "";
        public string Status { get; init; } = "";
        public long AmountMinor { get; init; }
        public long AmountRefundedMinor { get; init; }
        public string? ProviderDisputeStatus { get; init; }
        public string[] Refunds { get; init; } = [];
        public long[] Amounts { get; init; } = [];

        /// <summary>Given back by other ways than Stripe's.</summary>
        public long ByHandMinor { get; init; }

        /// <summary>A subscription that Stripe Billing runs: it is not ended here.</summary>
        public bool BilledByStripe { get; init; }
    }

    // The version is the row's own: any write since changes it.
    private const string Find =
        """
        SELECT p.id, p.user_id, p.xmin::text AS version, p.status, p.amount_minor, p.amount_refunded_minor, p.provider_dispute_status,
               coalesce(r.refunds, '{}') AS refunds, coalesce(r.amounts, '{}') AS amounts, coalesce(r.by_hand, 0)::bigint AS by_hand_minor,
               EXISTS (SELECT FROM subscriptions AS s WHERE s.id = p.subscription_id AND s.provider_subscription_id IS NOT NULL) AS billed_by_stripe
        FROM payments AS p
        LEFT JOIN LATERAL (
            SELECT array_agg(provider_refund_id ORDER BY provider_refund_id) FILTER (WHERE provider_refund_id IS NOT NULL) AS refunds,
                   array_agg(amount_minor ORDER BY provider_refund_id) FILTER (WHERE provider_refund_id IS NOT NULL) AS amounts,
                   sum(amount_minor) FILTER (WHERE provider_refund_id IS NULL) AS by_hand
            FROM payment_refunds
            WHERE payment_id = p.id
        ) AS r ON true
        WHERE p.provider_payment_id = @intentId AND p.status IN ('succeeded', 'refunded', 'disputed')
        """;

    /// <param name="Ends">Why what was paid for ends; null when it does not.</param>
    /// <param name="Review">Why people have to look: Stripe Billing goes on charging, or money is back for what was ended.</param>
    private sealed record Outcome(Reversal What, string Status, long RefundedMinor, string? DisputeStatus, string? Ends, string? Review);

    public async Task<Reversal> ReconcileAsync(string intentId)
    {
        for (var look = 1; look <= Looks; look++)
        {
            // First the row, then Stripe, then the write if the row is still the same: what is written was always seen after
            // whatever it replaces.
            var booked = await db.TransactionAsync(tx => tx.SingleOrDefaultAsync<Booked>(Find, new { intentId }), run.Aborting);
            if (booked is null)
            {
                return Reversal.Unbooked;
            }

            var refunds = await stripe.Refunds.ListAsync(new() { PaymentIntent = intentId }, run.Aborting).Where(r => r.Counts).ToListAsync(run.Aborting);
            var disputes = await stripe.Disputes.ListAsync(new() { PaymentIntent = intentId }, run.Aborting).ToListAsync(run.Aborting);
            var outcome = Judge(booked, refunds, disputes);
            if (outcome.What == Reversal.None || run.DryRun
                || await db.TransactionAsync(tx => WriteAsync(tx, booked, refunds, outcome), run.Aborting))
            {
                return outcome.What;
            }
        }

        throw new InvalidOperationException($"the payment of {intentId} changed under every look at it");
    }

    private static Outcome Judge(Booked booked, List<Refund> refunds, List<Dispute> disputes)
    {
        // Of several the worst decides.
        var dispute = disputes.Select(d => d.Status).MaxBy(Weight);
        var (weight, weightBefore) = (Weight(dispute), Weight(booked.ProviderDisputeStatus));
        var refunded = Math.Min(refunds.Sum(r => r.Amount) + booked.ByHandMinor, booked.AmountMinor);
        var inFull = refunded == booked.AmountMinor && refunded > 0;
        var status = weight > 0 ? "disputed" : inFull ? "refunded" : "succeeded";
        var differs = refunded != booked.AmountRefundedMinor || status != booked.Status
            || !refunds.Select(r => (r.Id, r.Amount)).ToHashSet().SetEquals(booked.Refunds.Zip(booked.Amounts));
        var what = weight != weightBefore ? weight switch { 2 => Reversal.DisputeLost, 1 => Reversal.Disputed, _ => Reversal.DisputeWon }
            : refunded < booked.AmountRefundedMinor ? Reversal.RefundReturned
            : differs ? inFull ? Reversal.Refunded : refunded > 0 ? Reversal.PartiallyRefunded : Reversal.DisputeWon
            : dispute != booked.ProviderDisputeStatus ? Reversal.DisputeMoved
            : Reversal.None;
        // Once: what people gave again after the refund was recorded stays given.
        var ends = weight == 2 && weightBefore < 2 ? "dispute_lost"
            : inFull && booked.Amounts.Sum() + booked.ByHandMinor < booked.AmountMinor ? "refunded"
            : null;
        var review = ends is not null && booked.BilledByStripe ? "billed_by_stripe"
            : ends is null && status == "succeeded" && (booked.Status == "refunded" || weightBefore == 2) ? "paid_after_all"
            : null;
        return new Outcome(what, status, refunded, dispute, ends, review);
    }

    /// <summary>2: the money is gone; 1: withheld until it is decided; 0: ours.</summary>
    private static int Weight(string? dispute) => DisputeStatus.IsLost(dispute) ? 2 : DisputeStatus.IsHarmless(dispute) ? 0 : 1;

    private const string Write =
        """
        WITH changed AS (
            UPDATE payments
            SET status = @Status, amount_refunded_minor = @RefundedMinor, provider_dispute_status = @DisputeStatus, updated_at = clock_timestamp()
            WHERE id = @Id AND xmin::text = @Version
            RETURNING id
        ),
        returned AS (
            DELETE FROM payment_refunds AS r
            USING changed
            WHERE r.payment_id = changed.id AND r.provider_refund_id IS NOT NULL AND r.provider_refund_id <> ALL (@refunds)
        ),
        kept AS (
            INSERT INTO payment_refunds AS r (provider_refund_id, payment_id, amount_minor, refunded_at)
            SELECT stripe.id, changed.id, stripe.amount_minor, stripe.refunded_at
            FROM changed, unnest(@refunds, @amounts, @times) AS stripe (id, amount_minor, refunded_at)
            ON CONFLICT (provider_refund_id) DO UPDATE
            SET amount_minor = excluded.amount_minor
            WHERE r.amount_minor <> excluded.amount_minor
        ),
        staff AS (
            INSERT INTO notifications (kind, to_address, payload, dedupe_key, created_at)
            SELECT 'staff_reversal_review', @StaffEmail, jsonb_build_object('payment_id', id, 'reason', @Review),
                   'staff_reversal_review:' || id || ':' || @Review, @Now
            FROM changed
            WHERE @Review::text IS NOT NULL AND @StaffEmail::text IS NOT NULL
            ON CONFLICT (dedupe_key) DO NOTHING
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.' || @action, 'payment', id, @RunId,
                   jsonb_build_object('status', @Status, 'amount_refunded_minor', @RefundedMinor, 'dispute', @DisputeStatus)
            FROM changed
        )
        SELECT count(*)::int FROM changed
        """;

    /// <returns>False when the payment has changed since it was read.</returns>
    private async Task<bool> WriteAsync(Tx tx, Booked booked, List<Refund> refunds, Outcome outcome)
    {
        // The payer first, as in fulfilment.
        await tx.ExecuteAsync("SELECT FROM users WHERE id = @UserId FOR NO KEY UPDATE", new { booked.UserId });
        var written = await tx.SingleAsync<int>(
            Write,
            new
            {
                booked.Id,
                booked.Version,
                outcome.Status,
                outcome.RefundedMinor,
                outcome.DisputeStatus,
                outcome.Review,
                action = outcome.What.Name(),
                refunds = refunds.Select(r => r.Id).ToArray(),
                amounts = refunds.Select(r => r.Amount).ToArray(),
                times = refunds.Select(r => r.Created.UtcDateTime).ToArray(),
                StaffEmail = settings.Optional("STAFF_EMAIL"),
                run.Now,
                run.Origin.Actor,
                run.Origin.RunId,
            });
        if (written == 1 && outcome.Ends is { } reason)
        {
            await tx.EndAsync(run, booked.Id, reason);
        }

        return written == 1;
    }
}
