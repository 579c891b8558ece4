using Jobs.Database;
using Npgsql;

namespace Jobs.Billing;

/// <summary>
/// Records payments taken by hand: payment, receipt number, what it pays for, mail and audit rows in one transaction, or
/// nothing. Safe to repeat under the same reference, also after a lost answer and by two callers at once.
/// </summary>
public sealed class PaymentService(Db db, BusinessZone zone, RenewalPolicy? policy = null)
{
    private readonly Granting _granting = new(
        zone, new(zone, policy ?? RenewalPolicy.Default), new(zone, staffEmail: null), new(zone));

    /// <returns>What was recorded, now or the first time; on a read-only <see cref="Db"/> what would be.</returns>
    /// <exception cref="RefusedException">A rule says no. Nothing was written.</exception>
    public async Task<RecordedPayment> RecordAsync(ManualPayment payment, Origin origin, CancellationToken cancellation = default)
    {
        payment.Check();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await db.TransactionAsync(tx => InTransactionAsync(tx, payment, origin), cancellation);
            }
            catch (PostgresException e) when (
                e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.ExclusionViolation && attempt < 3)
            {
                // Somebody used the reference, the order or the term between our look and our write; the next look sees it.
            }
        }
    }

    private async Task<RecordedPayment> InTransactionAsync(Tx tx, ManualPayment payment, Origin origin)
    {
        var (known, role, first) = await LookAsync(tx, payment);
        if (first is not null)
        {
            first.CheckSame(payment);
            return first.ToRecorded();
        }

        if (!known)
        {
            throw new RefusedException(ParkingReason.UserUnknown, $"there is no user {payment.UserId}");
        }

        Recorder.Check(payment.RecordedBy, role);
        var success = new Success
        {
            Origin = origin,
            Received = new(payment.AmountMinor, payment.Currency, payment.Method) { RecordedBy = payment.RecordedBy, Reference = payment.Reference },
            UserId = payment.UserId,
            Purpose = payment.Purpose,
            Plan = payment.Plan,
            OrderId = payment.OrderId,
            MembershipType = payment.MembershipType,
            ReducedPrice = payment.ReducedPrice,
        };
        var refusal = await RefuseOnlineAsync(tx, payment) ?? await _granting.GrantAsync(tx, success);
        return refusal is not null ? throw new RefusedException(refusal) : new()
        {
            PaymentId = tx.ReadOnly ? null : success.Booked.Id,
            ReceiptNumber = tx.ReadOnly ? null : success.Booked.Number,
            OrderId = success.OrderId,
            SubscriptionId = success.SubscriptionId,
            PeriodStart = success.PeriodStart,
            MembershipId = success.MembershipId,
            StartDate = success.Term?.Start,
            EndDate = success.Term?.End,
        };
    }

    private const string Role = "SELECT role FROM users WHERE id = @RecordedBy";

    private const string OfReference =
        """
        SELECT p.id, p.user_id, p.amount_minor, p.currency, p.method, p.purpose, p.recorded_by, p.membership_type, p.reduced_price,
               p.order_id, plans.code AS plan, p.subscription_id, p.period_start, p.membership_id, m.start_date, m.end_date,
               r.number AS receipt_number
        FROM payments AS p
        LEFT JOIN plans ON plans.id = p.plan_id
        LEFT JOIN memberships AS m ON m.id = p.membership_id
        LEFT JOIN receipts AS r ON r.payment_id = p.id
        WHERE p.reference = @Reference
        """;

    /// <summary>What stands under the reference already.</summary>
    private sealed class First
    {
        public long Id { get; init; }
        public long UserId { get; init; }
        public long AmountMinor { get; init; }
        public string Currency { get; init; } = "";
        public string Method { get; init; } = "";
        public string Purpose { get; init; } = "";
        public long? RecordedBy { get; init; }
        public string? MembershipType { get; init; }
        public bool ReducedPrice { get; init; }
        public long? OrderId { get; init; }
        public string? Plan { get; init; }
        public long? SubscriptionId { get; init; }
        public DateOnly? PeriodStart { get; init; }
        public long? MembershipId { get; init; }
        public DateOnly? StartDate { get; init; }
        public DateOnly? EndDate { get; init; }
        public string? ReceiptNumber { get; init; }

        public void CheckSame(ManualPayment now) => Reference.CheckSame(
            now.Reference,
            $"payment {Id}",
            ("user", UserId, now.UserId),
            ("amount", Amount.Text(AmountMinor, Currency), Amount.Text(now.AmountMinor, now.Currency)),
            ("method", Method, now.Method),
            ("purpose", Purpose, now.Purpose),
            ("recorder", RecordedBy, now.RecordedBy),
            ("membership type", MembershipType, now.MembershipType),
            ("reduced price", ReducedPrice, now.ReducedPrice),
            ("order", OrderId, now.OrderId),
            ("plan", Plan, now.Plan));

        public RecordedPayment ToRecorded() => new()
        {
            PaymentId = Id,
            ReceiptNumber = ReceiptNumber,
            OrderId = OrderId,
            SubscriptionId = SubscriptionId,
            PeriodStart = PeriodStart,
            MembershipId = MembershipId,
            StartDate = StartDate,
            EndDate = EndDate,
            Repeated = true,
        };
    }

    /// <summary>Locks the payer, then looks: two at once for the same person queue up, and the second sees what the first did.</summary>
    private static async Task<(bool Known, string? Role, First? First)> LookAsync(Tx tx, ManualPayment payment)
    {
        await using var answers = await tx.QueryMultipleAsync(
            $"SELECT id FROM users WHERE id = @UserId {tx.RowLock};\n{Role};\n{OfReference}",
            new { payment.UserId, payment.RecordedBy, payment.Reference });
        var user = await answers.ReadSingleOrDefaultAsync<long?>();
        var role = await answers.ReadSingleOrDefaultAsync<string>();
        return (user is not null, role, await answers.ReadSingleOrDefaultAsync<First>());
    }

    // Of a subscription, or of one that would be created, autopayment's own attempts may be charged any moment. A checkout that was
    // only begun does not keep anybody from paying an order or a membership at the desk; one that is being carried out does.
    private const string Online =
        """
        SELECT plan.id IS NOT NULL AS plan_known,
               plan.active AS plan_active,
               (SELECT min(a.id)
                FROM payments AS a
                LEFT JOIN subscriptions AS s ON s.id = a.subscription_id
                WHERE a.user_id = @UserId AND a.status IN ('pending', 'processing', 'requires_action')
                  AND (coalesce(s.plan_id, a.plan_id) = plan.id
                       OR (a.status <> 'pending'
                           AND (a.order_id = @OrderId
                                OR (a.purpose = 'membership' AND a.membership_type = @MembershipType))))) AS in_flight,
               (SELECT min(s.id) FROM subscriptions AS s
                WHERE s.user_id = @UserId AND s.plan_id = plan.id AND s.provider_subscription_id IS NOT NULL
                  AND s.status IN ('active', 'past_due', 'paused', 'pending')) AS billed_by_stripe,
               EXISTS (SELECT FROM subscriptions AS s
                WHERE s.user_id = @UserId AND s.plan_id = plan.id AND s.status IN ('active', 'past_due', 'paused', 'pending')) AS subscribed
        FROM (SELECT 1) AS one
        LEFT JOIN plans AS plan ON plan.code = @Plan
        """;

    private sealed class OnlineState
    {
        public bool PlanKnown { get; init; }
        public bool? PlanActive { get; init; }
        public long? InFlight { get; init; }
        public long? BilledByStripe { get; init; }
        public bool Subscribed { get; init; }
    }

    /// <summary>What happens online to the same goes first: both might succeed.</summary>
    private static async Task<Refusal?> RefuseOnlineAsync(Tx tx, ManualPayment payment)
    {
        if (payment.Purpose == "other")
        {
            return null;
        }

        var online = await tx.SingleAsync<OnlineState>(Online, new { payment.UserId, payment.Plan, payment.OrderId, payment.MembershipType });
        return online.InFlight is { } attempt
                ? new(RefusalReason.InFlight, $"payment {attempt} for the same is still under way; wait for its result, or cancel it first")
            : online.BilledByStripe is { } subscription
                ? new(RefusalReason.BilledByStripe, $"Stripe Billing collects for subscription {subscription} itself; record the payment on its invoice there")
            : online is { PlanKnown: true, PlanActive: false, Subscribed: false }
                ? new(RefusalReason.PlanInactive, $"the plan '{payment.Plan}' is not sold any more, and user {payment.UserId} has no subscription of it")
            : null;
    }
}
