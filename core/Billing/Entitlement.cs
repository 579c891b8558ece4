using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>Takes back what a payment bought, when all its money went back.</summary>
internal static class Entitlement
{
    // A subscription whose later period is paid goes on; Stripe Billing decides about its own. Stock stays as it is: only people
    // know whether the goods came back.
    private const string End =
        """
        WITH payment AS (
            SELECT id, subscription_id, order_id, membership_id, coalesce(period_start::timestamp, succeeded_at::timestamp) AS paid_from
            FROM payments
            WHERE id = @paymentId
        ),
        subscription AS (
            UPDATE subscriptions AS s
            SET status = 'canceled', auto_renew = false, next_attempt_at = NULL, updated_at = clock_timestamp()
            FROM payment AS p
            WHERE s.id = p.subscription_id AND s.provider_subscription_id IS NULL AND s.status <> 'canceled'
              AND NOT EXISTS (
                  SELECT FROM payments AS later
                  WHERE later.subscription_id = s.id AND later.id <> p.id AND later.status = 'succeeded'
                    AND coalesce(later.period_start::timestamp, later.succeeded_at::timestamp) > p.paid_from)
            RETURNING s.id
        ),
        membership AS (
            UPDATE memberships AS m
            SET canceled_at = @Now, updated_at = clock_timestamp()
            FROM payment AS p
            WHERE m.id = p.membership_id AND m.canceled_at IS NULL
            RETURNING m.id
        ),
        ordered AS (
            UPDATE orders AS o
            SET status = 'canceled', updated_at = clock_timestamp()
            FROM payment AS p
            WHERE o.id = p.order_id AND o.status IN ('paid', 'refund_due')
            RETURNING o.id
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, subject || '.canceled', subject, id, @RunId, jsonb_build_object('reason', @reason, 'payment_id', @paymentId)
        FROM (SELECT 'subscription' AS subject, id FROM subscription
              UNION ALL SELECT 'membership', id FROM membership
              UNION ALL SELECT 'order', id FROM ordered) AS ended
        """;

    /// <summary>Safe to repeat; what is over already stays as it is.</summary>
    /// <param name="reason"><c>refunded</c> or <c>dispute_lost</c>.</param>
    public static Task<int> EndAsync(this Tx tx, JobRun run, long paymentId, string reason) => tx.EndAsync(run.Origin, paymentId, reason);

    /// <inheritdoc cref="EndAsync(Tx, JobRun, long, string)"/>
    public static Task<int> EndAsync(this Tx tx, Origin origin, long paymentId, string reason) =>
        tx.ExecuteAsync(End, new { paymentId, reason, origin.Now, origin.Actor, origin.RunId });
}
