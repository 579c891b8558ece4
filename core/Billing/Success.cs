using Jobs.Database;

namespace Jobs.Billing;

/// <summary>The period that a success pays for.</summary>
internal readonly record struct Period(DateTime Start, DateTime End, int AnchorDay);

/// <summary>The days of a membership, the last one included.</summary>
internal readonly record struct Term(DateOnly Start, DateOnly End);

/// <summary>
/// A success being booked: what was received, and what it is for - as the payments row says, or as the PaymentIntent's metadata
/// or whoever recorded it says when no row is known.
/// </summary>
internal sealed class Success
{
    public required Origin Origin { get; init; }
    public required Received Received { get; init; }

    /// <summary>Null: unknown here until now; the row is made with the effect.</summary>
    public Payment? Row { get; init; }

    public required long UserId { get; init; }
    public required string Purpose { get; init; }

    /// <summary>All of it went back already: booked as refunded, and nobody is sent a receipt.</summary>
    public bool Refunded { get; set; }

    /// <summary>Only asked for: nothing is written, as in a dry run.</summary>
    public bool Foreseen { get; init; }

    /// <summary>The caller has more to write in the transaction, so that no COMMIT travels with the booking.</summary>
    public bool MoreFollows { get; init; }

    /// <summary>Recorded without any effect of ours: Stripe Billing extends its own subscriptions.</summary>
    public bool RecordOnly { get; init; }

    public long? SubscriptionId { get; set; }
    public long? PlanId { get; set; }

    /// <summary>plans.code, where <see cref="PlanId"/> is not known.</summary>
    public string? Plan { get; init; }

    public long? OrderId { get; set; }
    public long? MembershipId { get; set; }
    public string? MembershipType { get; init; }
    public bool ReducedPrice { get; init; }

    /// <summary>Of the membership that is granted with the booking.</summary>
    public Term? Term { get; set; }

    public DateOnly? PeriodStart { get; set; }

    /// <summary>Set when the subscription gets a period more with the booking.</summary>
    public Period? Extension { get; set; }

    /// <summary>The subscription as it was looked at with the payer.</summary>
    public SubscriptionFulfilment.Looked? Looked { get; init; }

    /// <summary>Of <see cref="Extension"/>, in the audit row.</summary>
    public string ExtensionAction { get; set; } = "subscription.extended";

    /// <summary>The money is booked, and what it was for cannot be had any more: it is to go back.</summary>
    public bool RefundDue { get; set; }

    /// <summary>Once booked.</summary>
    public Booked Booked { get; private set; } = new();

    /// <summary>What must have been received; null when only the effect knows (plan or order price).</summary>
    public long? AmountMinor => Row?.AmountMinor;

    public string? Currency => Row?.Currency;

    /// <returns>Null when the money is what was asked for.</returns>
    public Refusal? Disagreement(long amountMinor, string currency) =>
        Received.Currency == currency && Received.AmountMinor == amountMinor ? null : new(
            Received.Currency != currency ? ParkingReason.CurrencyMismatch : ParkingReason.AmountMismatch,
            $"{Amount.Text(amountMinor, currency)} is to be paid, not {Amount.Text(Received.AmountMinor, Received.Currency)}");

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
                       'subscription_id', paid.subscription_id, 'order_id', paid.order_id, 'period_start', paid.period_start,
                       'membership_id', paid.membership_id, 'membership_type', paid.membership_type,
                       'start_date', @StartDate::date, 'end_date', @EndDate::date),
                   'payment_receipt:' || paid.id, @Now
            FROM paid, receipt, users AS u
            WHERE u.id = paid.user_id AND u.email <> '' AND paid.status = 'succeeded'
            ON CONFLICT (dedupe_key) DO NOTHING
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.' || paid.status, 'payment', paid.id, @RunId,
                   jsonb_build_object('provider_payment_id', paid.provider_payment_id, 'amount_minor', paid.amount_minor,
                       'currency', paid.currency, 'method', paid.method, 'recorded_by', paid.recorded_by, 'receipt', receipt.number)
            FROM paid, receipt
        ),
        unblocked AS (
            DELETE FROM blocked_payment_methods AS b
            USING paid
            WHERE b.provider_payment_method_id = paid.provider_payment_method_id AND b.created_at < @ProviderCreatedAt
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
            SET status = @Status, amount_refunded_minor = @RefundedMinor, succeeded_at = @Now, provider = @Provider, provider_payment_id = @ProviderPaymentId,
                provider_payment_method_id = coalesce(@ProviderPaymentMethodId, provider_payment_method_id),
                provider_customer_id = coalesce(@ProviderCustomerId, provider_customer_id),
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
                period_start, membership_type, reduced_price, recorded_by, reference, created_at, succeeded_at)
            VALUES (
                @UserId, @SubscriptionId, @OrderId, @MembershipId, @PlanId, @Purpose, @AmountMinor, @Currency, @RefundedMinor, @Status, @Method,
                @Provider, @ProviderPaymentId, @ProviderPaymentMethodId, @ProviderCustomerId, @ProviderEndedAt,
                @PeriodStart, @MembershipType, @ReducedPrice, @RecordedBy, @Reference, @Now, @Now)
            RETURNING *
        ),
        """;

    private const string PayAlone = $"{Pay}\n{Tail}";
    private const string PayAndExtend = $"{Pay}\n{Extend}\n{Tail}";
    private const string InsertAlone = $"{Insert}\n{Tail}";
    private const string InsertAndExtend = $"{Insert}\n{Extend}\n{Tail}";

    /// <summary>Books the money: payment, receipt, mail, audit row and the period it pays for, if any, at once.</summary>
    /// <param name="tx">The transaction.</param>
    /// <param name="zone">Decides the year of the receipt.</param>
    /// <param name="last">Nothing was written before in the transaction, and nothing will be after, unless <see cref="MoreFollows"/>.</param>
    public async Task BookAsync(Tx tx, BusinessZone zone, bool last = false)
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
            RefundedMinor = Refunded ? Received.AmountMinor : 0,
            UserId,
            SubscriptionId,
            OrderId,
            MembershipId,
            PlanId,
            Purpose,
            Received.AmountMinor,
            Received.Currency,
            Received.Method,
            Received.Provider,
            Received.ProviderPaymentId,
            Received.ProviderPaymentMethodId,
            Received.ProviderCustomerId,
            Received.ProviderCreatedAt,
            ProviderEndedAt = Received.Provider is null ? (DateTime?)null : Origin.Now,
            Received.RecordedBy,
            Received.Reference,
            PeriodStart,
            MembershipType,
            ReducedPrice,
            StartDate = Term?.Start,
            EndDate = Term?.End,
            Origin.Now,
            zone.Date(Origin.Now).Year,
            Origin.Actor,
            Origin.RunId,
            Extension?.Start,
            Extension?.End,
            AnchorDay = (short?)Extension?.AnchorDay,
            ExtensionAction,
        };
        Booked = await (last && !MoreFollows ? tx.SingleAndCommitAsync<Booked>(sql, parameters) : tx.SingleAsync<Booked>(sql, parameters));
    }
}

internal sealed class Booked
{
    public long Id { get; init; }
    public string Number { get; init; } = "";
}
