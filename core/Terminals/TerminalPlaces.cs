using Jobs.Billing;
using Jobs.Database;

namespace Jobs.Terminals;

/// <summary>The places in the queue for the card terminals: first come, first served, whoever puts a payment there.</summary>
internal static class TerminalPlaces
{
    /// <summary>A payment's place; foreseen only, it has no ids.</summary>
    internal sealed class Place
    {
        public long? PaymentId { get; init; }
        public long? QueueId { get; init; }

        /// <summary>As stored: rising in the order of the commits.</summary>
        public long Position { get; init; }

        /// <summary>Live places before it.</summary>
        public long Ahead { get; set; }
    }

    /// <summary>A live place of a payment.</summary>
    internal sealed class Live
    {
        public long PaymentId { get; init; }
        public string Status { get; init; } = "";

        /// <summary>No reader has it, so that it can still be taken back.</summary>
        public bool Waits => Status == "waiting";
    }

    // Locked, so that none is given to a reader before the transaction ends.
    private const string OfSame =
        """
        SELECT q.payment_id, q.status
        FROM payment_queue AS q
        JOIN payments AS p ON p.id = q.payment_id
        LEFT JOIN subscriptions AS s ON s.id = p.subscription_id
        WHERE p.user_id = @UserId AND q.status IN ('waiting', 'processing', 'unknown')
          AND (p.order_id = @OrderId
               OR (p.purpose = 'membership' AND p.membership_type = @MembershipType)
               OR coalesce(s.plan_id, p.plan_id) = (SELECT id FROM plans WHERE code = @Plan))
        ORDER BY q.id
        """;

    /// <summary>What is in the queue for the same order, membership or plan of the same person. The payer is locked.</summary>
    public static Task<List<Live>> OfSameAsync(Tx tx, ManualPayment payment) =>
        tx.QueryAsync<Live>(
            tx.ReadOnly ? OfSame : $"{OfSame} FOR UPDATE OF q",
            new { payment.UserId, payment.OrderId, payment.MembershipType, payment.Plan });

    /// <summary>Whether there is anything that takes cards.</summary>
    public static Task<bool> HasTerminalAsync(Tx tx) => tx.SingleAsync<bool>("SELECT EXISTS (SELECT FROM payment_terminals)");

    // The place is taken last: whoever comes next waits for this commit. What is ahead is counted after that, in a snapshot that
    // shows everybody before.
    private const string Enter =
        """
        WITH asked AS (
            INSERT INTO payments (
                user_id, subscription_id, order_id, plan_id, purpose, amount_minor, currency, status, method, provider,
                period_start, membership_type, reduced_price, recorded_by, reference, created_at)
            VALUES (
                @UserId, @SubscriptionId, @OrderId, @PlanId, @Purpose, @AmountMinor, @Currency, 'pending', 'card_terminal', 'sumup',
                @PeriodStart, @MembershipType, @ReducedPrice, @RecordedBy, @Reference, @Now)
            RETURNING id, user_id, amount_minor, currency, recorded_by
        ),
        place AS (
            INSERT INTO payment_queue (payment_id, user_id, created_at)
            SELECT id, user_id, @Now FROM asked
            RETURNING id, payment_id, position
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.queued', 'payment', asked.id, @RunId,
                   jsonb_build_object('queue_id', place.id, 'position', place.position, 'amount_minor', asked.amount_minor,
                       'currency', asked.currency, 'method', 'card_terminal', 'recorded_by', asked.recorded_by)
            FROM asked, place
        )
        SELECT payment_id, id AS queue_id, position FROM place;
        SELECT count(*)
        FROM payment_queue AS q
        JOIN payment_queue AS before ON before.position < q.position AND before.status IN ('waiting', 'processing', 'unknown')
        WHERE q.payment_id = (SELECT id FROM payments WHERE reference = @Reference)
        """;

    // In a dry run.
    private const string Foresee =
        """
        SELECT coalesce(max(position), 0) + 1 AS position, count(*) AS ahead
        FROM payment_queue
        WHERE status IN ('waiting', 'processing', 'unknown')
        """;

    /// <param name="success">What it is to pay for, foreseen.</param>
    public static async Task<Place> EnterAsync(Tx tx, Success success)
    {
        if (tx.ReadOnly)
        {
            return await tx.SingleAsync<Place>(Foresee);
        }

        await using var answers = await tx.QueryMultipleAsync(
            Enter,
            new
            {
                success.UserId,
                success.SubscriptionId,
                success.OrderId,
                success.PlanId,
                success.Purpose,
                success.Received.AmountMinor,
                success.Received.Currency,
                success.PeriodStart,
                success.MembershipType,
                success.ReducedPrice,
                success.Received.RecordedBy,
                success.Received.Reference,
                success.Origin.Now,
                success.Origin.Actor,
                success.Origin.RunId,
            });
        var place = await answers.ReadSingleAsync<Place>();
        place.Ahead = await answers.ReadSingleAsync<long>();
        return place;
    }
}
