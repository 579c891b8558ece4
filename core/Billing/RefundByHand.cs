using Jobs.Database;

namespace Jobs.Billing;

/// <summary>Money that people gave back by other ways than Stripe's: in cash, by transfer, at SumUp.</summary>
public static class RefundByHand
{
    private const string Write =
        """
        SELECT FROM users WHERE id = (SELECT user_id FROM payments WHERE id = @paymentId) FOR NO KEY UPDATE;
        WITH changed AS (
            UPDATE payments AS p
            SET status = 'refunded', amount_refunded_minor = p.amount_minor, updated_at = clock_timestamp()
            FROM (SELECT id, amount_refunded_minor FROM payments WHERE id = @paymentId) AS before
            WHERE p.id = before.id AND p.status = 'succeeded'
            RETURNING p.id, p.amount_minor - before.amount_refunded_minor AS amount_minor
        ),
        refund AS (
            INSERT INTO payment_refunds (payment_id, amount_minor, refunded_at)
            SELECT id, amount_minor, @Now FROM changed WHERE amount_minor > 0
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'payment.refunded', 'payment', id, @RunId, jsonb_build_object('amount_minor', amount_minor, 'by_hand', true)
        FROM changed
        """;

    /// <summary>All of the payment went back: it is `refunded`, and what it paid for ends. Safe to repeat.</summary>
    /// <returns>False when it was not `succeeded` any more; nothing changed.</returns>
    public static async Task<bool> RefundByHandAsync(this Tx tx, Origin origin, long paymentId)
    {
        if (await tx.ExecuteAsync(Write, new { paymentId, origin.Now, origin.Actor, origin.RunId }) == 0)
        {
            return false;
        }

        await tx.EndAsync(origin, paymentId, "refunded");
        return true;
    }
}
