using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>Why a success could not be tied to what it pays for. `jobctl resolve` is the way out.</summary>
public static class ParkingReason
{
    public const string CustomerMismatch = "customer_mismatch";
    public const string AmountMismatch = "amount_mismatch";
    public const string CurrencyMismatch = "currency_mismatch";
    public const string Duplicate = "duplicate";
    public const string SubscriptionCanceled = "subscription_canceled";
    public const string SubscriptionUnknown = "subscription_unknown";
    public const string UserUnknown = "user_unknown";
    public const string PlanUnknown = "plan_unknown";
    public const string OrderUnknown = "order_unknown";
    public const string MembershipRefused = "membership_refused";

    /// <summary>The payment was canceled here, and the money came all the same: it is to go back.</summary>
    public const string Canceled = "canceled";
}

/// <summary>Money that arrived and cannot be booked: kept in `unmatched_payments`, told to staff once, never dropped.</summary>
public static class Parking
{
    // A payment in flight that is parked leaves the flight, so that it blocks no later period for ever, also when it was tied
    // to the money only after that was parked; what is unsettled for its own period is held back through the parked row itself.
    private const string Park =
        """
        WITH parked AS (
            INSERT INTO unmatched_payments AS u (provider_payment_id, payment_id, reason, data, created_at)
            VALUES (@ProviderPaymentId, @PaymentId, @Reason, @Data::jsonb, @Now)
            ON CONFLICT (provider_payment_id) DO UPDATE SET payment_id = excluded.payment_id
            WHERE u.payment_id IS NULL AND excluded.payment_id IS NOT NULL
            RETURNING xmax = 0 AS is_new
        ),
        landed AS (
            UPDATE payments
            SET status = CASE @Reason WHEN 'canceled' THEN status ELSE 'failed' END, failure_code = @Reason, next_check_at = NULL, updated_at = clock_timestamp(),
                provider = coalesce(provider, @Provider), provider_payment_id = coalesce(provider_payment_id, @ProviderPaymentId),
                provider_ended_at = @Now
            WHERE id = @PaymentId AND status IN ('pending', 'processing', 'requires_action', 'failed', 'canceled', 'expired')
              AND coalesce(provider_payment_id, @ProviderPaymentId) = @ProviderPaymentId
              AND (status IN ('pending', 'processing', 'requires_action') OR EXISTS (SELECT FROM parked))
            RETURNING id
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.parked', 'payment', landed.id, @RunId, @Data::jsonb FROM landed
        )
        SELECT count(*)::int FROM parked WHERE is_new
        """;

    /// <returns>True when parked now; false when it was parked before.</returns>
    internal static async Task<bool> ParkAsync(this Tx tx, Origin origin, Received received, long? paymentId, string reason)
    {
        var data = JsonText.Of(
            ("reason", reason), ("provider", received.Provider), ("provider_payment_id", received.ProviderPaymentId),
            ("amount_minor", received.AmountMinor), ("currency", received.Currency), ("customer", received.ProviderCustomerId),
            ("created", received.ProviderCreatedAt), ("payment_id", paymentId), ("description", received.Description),
            ("metadata", received.Metadata));
        var parked = await tx.SingleAsync<int>(
            Park,
            new
            {
                received.Provider,
                received.ProviderPaymentId,
                PaymentId = paymentId,
                Reason = reason,
                Data = data,
                origin.Now,
                origin.Actor,
                origin.RunId,
            });
        return parked == 1;
    }

    // Rows and mail in one statement: told once, however often and wherever the run dies.
    private const string Tell =
        """
        WITH untold AS (
            SELECT id, provider_payment_id, reason, data
            FROM unmatched_payments
            WHERE reported_at IS NULL
            ORDER BY id
            LIMIT 500
            FOR UPDATE SKIP LOCKED
        ),
        told AS (
            UPDATE unmatched_payments AS u
            SET reported_at = clock_timestamp()
            FROM untold
            WHERE u.id = untold.id
            RETURNING u.id
        )
        INSERT INTO notifications (kind, to_address, payload, dedupe_key, created_at)
        SELECT 'staff_unmatched_payments', @StaffEmail,
               jsonb_build_object('count', count(*), 'payments', jsonb_agg(jsonb_build_object(
                   'id', id, 'payment_intent', provider_payment_id, 'reason', reason,
                   'amount_minor', data -> 'amount_minor', 'currency', data -> 'currency') ORDER BY id)),
               'staff_unmatched_payments:' || min(id) || '-' || max(id), @Now
        FROM untold
        HAVING count(*) > 0
        ON CONFLICT (dedupe_key) DO NOTHING
        """;

    /// <summary>Tells staff, in one mail, of everything parked that they were not told of yet.</summary>
    public static async Task TellStaffAsync(Db db, JobRun run, Settings settings)
    {
        if (run.DryRun)
        {
            return;
        }

        if (settings.Optional("STAFF_EMAIL") is not { } staff)
        {
            var waiting = await db.TransactionAsync(
                tx => tx.SingleAsync<long>("SELECT count(*) FROM unmatched_payments WHERE reported_at IS NULL"), run.Aborting);
            if (waiting > 0)
            {
                run.Log.LogStaffMissing(waiting);
            }

            return;
        }

        while (await db.TransactionAsync(tx => tx.ExecuteAsync(Tell, new { StaffEmail = staff, run.Now }), run.Aborting) > 0)
        {
            // 500 a mail.
        }
    }
}
