using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs.Billing;

/// <summary>The period that a success pays for.</summary>
internal readonly record struct Period(DateTime Start, DateTime End, int AnchorDay);

/// <summary>
/// A success being booked: what the payments row says, or what the PaymentIntent's metadata says when no row is known.
/// </summary>
internal sealed class Success
{
    public required PaymentIntent Intent { get; init; }
    public required PaymentMetadata Metadata { get; init; }

    /// <summary>Null: unknown here until now; the row is made with the effect.</summary>
    public Payment? Row { get; init; }

    public required long UserId { get; init; }
    public required string Purpose { get; init; }

    /// <summary>All of it went back already: booked as refunded, and nobody is sent a receipt.</summary>
    public bool Refunded { get; set; }

    /// <summary>Recorded without any effect of ours: Stripe Billing extends its own subscriptions.</summary>
    public bool RecordOnly { get; init; }

    public long? SubscriptionId { get; set; }
    public long? PlanId { get; set; }
    public long? OrderId { get; set; }
    public long? MembershipId { get; set; }
    public DateOnly? PeriodStart { get; set; }

    /// <summary>Set when the subscription gets a period more with the booking.</summary>
    public Period? Extension { get; set; }

    /// <summary>Of <see cref="Extension"/>, in the audit row.</summary>
    public string ExtensionAction { get; set; } = "subscription.extended";

    public string? MembershipType => Row?.MembershipType ?? Metadata.MembershipType;
    public bool ReducedPrice => Row?.ReducedPrice ?? Metadata.ReducedPrice;

    /// <summary>What must have been received; null when only the effect knows (plan or order price).</summary>
    public long? AmountMinor => Row?.AmountMinor;

    public string? Currency => Row?.Currency;

    /// <returns>A parking reason when the money is not what was asked for.</returns>
    public string? Disagreement(long amountMinor, string currency) =>
        Intent.Currency != currency ? ParkingReason.CurrencyMismatch
        : Intent.AmountReceived != amountMinor ? ParkingReason.AmountMismatch
        : null;

    // One statement: the payment, its receipt number, the mail and the audit row stand or fall together. The counter is
    // touched only if the payment row is, so that no number is skipped; a receipt is never dated before the one before it.
    private const string Tail =
        """
        counter AS (
            INSERT INTO receipt_counters AS c (series, year, last_number, last_issued_at)
            SELECT 'R', @Year, 1, @Now::timestamptz FROM paid
            ON CONFLICT (series, year) DO UPDATE
            SET last_number = c.last_number + 1, last_issued_at = greatest(c.last_issued_at, excluded.last_issued_at)
            RETURNING last_number, last_issued_at
        ),
        receipt AS (
            INSERT INTO receipts (number, payment_id, issued_at, amount_minor, currency)
            SELECT @Year::text || '-' || lpad(counter.last_number::text, greatest(6, length(counter.last_number::text)), '0'),
                   paid.id, counter.last_issued_at, paid.amount_minor, paid.currency
            FROM paid, counter
            RETURNING number, payment_id, issued_at
        ),
        mail AS (
            INSERT INTO notifications (kind, user_id, to_address, locale, payload, dedupe_key, created_at)
            SELECT 'payment_receipt', u.id, u.email, u.locale,
                   jsonb_build_object('payment_id', paid.id, 'receipt_number', receipt.number, 'issued_at', receipt.issued_at,
                       'amount_minor', paid.amount_minor, 'currency', paid.currency, 'purpose', paid.purpose,
                       'subscription_id', paid.subscription_id, 'order_id', paid.order_id, 'period_start', paid.period_start),
                   'payment_receipt:' || paid.id, @Now
            FROM paid, receipt, users AS u
            WHERE u.id = paid.user_id AND u.email <> '' AND paid.status = 'succeeded'
            ON CONFLICT (dedupe_key) DO NOTHING
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.' || paid.status, 'payment', paid.id, @RunId,
                   jsonb_build_object('provider_payment_id', paid.provider_payment_id, 'amount_minor', paid.amount_minor,
                       'currency', paid.currency, 'receipt', receipt.number)
            FROM paid, receipt
        ),
        unblocked AS (
            DELETE FROM blocked_payment_methods AS b
            USING paid
            WHERE b.provider_payment_method_id = paid.provider_payment_method_id AND b.created_at < @IntentCreated
        ),
        unparked AS (
            UPDATE unmatched_payments AS u
            SET resolved_at = @Now, resolution = 'booked'
            FROM paid
            WHERE u.provider_payment_id = paid.provider_payment_id AND u.resolved_at IS NULL
        )
        SELECT paid.id, receipt.number FROM paid, receipt
        """;

    private const string Extend =
        """
        extended AS (
            UPDATE subscriptions AS s
            SET status = CASE WHEN s.status = 'paused' THEN s.status ELSE 'active' END,
                started_at = coalesce(s.started_at, @Start), ended_at = @End, anchor_day = @AnchorDay, payment_id = paid.id,
                retry_count = 0, next_attempt_at = NULL, last_decline_code = NULL, updated_at = clock_timestamp()
            FROM paid
            WHERE s.id = paid.subscription_id
            RETURNING s.id, s.status
        ),
        extension AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, @ExtensionAction, 'subscription', extended.id, @RunId,
                   jsonb_build_object('payment_id', paid.id, 'period_start', @Start::timestamptz, 'period_end', @End::timestamptz,
                       'status', extended.status)
            FROM extended, paid
        ),
        """;

    private const string Pay =
        """
        WITH paid AS (
            UPDATE payments
            SET status = @Status, amount_refunded_minor = @RefundedMinor, succeeded_at = @Now, provider = 'stripe', provider_payment_id = @IntentId,
                provider_payment_method_id = coalesce(@MethodId, provider_payment_method_id),
                provider_customer_id = coalesce(@CustomerId, provider_customer_id),
                subscription_id = @SubscriptionId, order_id = @OrderId, membership_id = @MembershipId, plan_id = @PlanId,
                period_start = @PeriodStart, failure_code = NULL, next_check_at = NULL, provider_ended_at = @Now,
                updated_at = clock_timestamp()
            WHERE id = @Id AND status IN ('pending', 'processing', 'requires_action', 'failed', 'canceled', 'expired')
            RETURNING *
        ),
        """;

    private const string Insert =
        """
        WITH paid AS (
            INSERT INTO payments (
                user_id, subscription_id, order_id, membership_id, plan_id, purpose, amount_minor, currency, amount_refunded_minor, status, method,
                provider, provider_payment_id, provider_payment_method_id, provider_customer_id, provider_ended_at,
                period_start, membership_type, reduced_price, created_at, succeeded_at)
            VALUES (
                @UserId, @SubscriptionId, @OrderId, @MembershipId, @PlanId, @Purpose, @AmountReceived, @Currency, @RefundedMinor, @Status, 'card',
                'stripe', @IntentId, @MethodId, @CustomerId, @Now,
                @PeriodStart, @MembershipType, @ReducedPrice, @Now, @Now)
            RETURNING *
        ),
        """;

    private const string PayAlone = $"{Pay}\n{Tail}";
    private const string PayAndExtend = $"{Pay}\n{Extend}\n{Tail}";
    private const string InsertAlone = $"{Insert}\n{Tail}";
    private const string InsertAndExtend = $"{Insert}\n{Extend}\n{Tail}";

    /// <summary>Books the money: payment, receipt, mail, audit row and the period it pays for, if any, at once.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="run">The run that books.</param>
    /// <param name="zone">Decides the year of the receipt.</param>
    /// <param name="last">Nothing was written before in the transaction, and nothing will be after.</param>
    /// <returns>The payment's id and receipt number.</returns>
    public Task<Booked> BookAsync(Tx tx, JobRun run, BusinessZone zone, bool last = false)
    {
        var sql = (Row is null, Extension is null) switch
        {
            (false, false) => PayAndExtend,
            (false, true) => PayAlone,
            (true, false) => InsertAndExtend,
            (true, true) => InsertAlone,
        };
        var parameters = new
        {
            Row?.Id,
            Status = Refunded ? "refunded" : PaymentStatus.Succeeded,
            RefundedMinor = Refunded ? Intent.AmountReceived : 0,
            UserId,
            SubscriptionId,
            OrderId,
            MembershipId,
            PlanId,
            Purpose,
            Intent.AmountReceived,
            Intent.Currency,
            IntentId = Intent.Id,
            IntentCreated = Intent.Created.UtcDateTime,
            MethodId = Intent.PaymentMethodId,
            Intent.CustomerId,
            PeriodStart,
            MembershipType,
            ReducedPrice,
            run.Now,
            zone.Date(run.Now).Year,
            Actor = run.Job.Name,
            RunId = run.Id,
            Extension?.Start,
            Extension?.End,
            AnchorDay = (short?)Extension?.AnchorDay,
            ExtensionAction,
        };
        return last ? tx.SingleAndCommitAsync<Booked>(sql, parameters) : tx.SingleAsync<Booked>(sql, parameters);
    }
}

internal sealed class Booked
{
    public long Id { get; init; }
    public string Number { get; init; } = "";
}
