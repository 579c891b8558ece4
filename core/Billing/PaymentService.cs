using Jobs.Database;
using Jobs.Terminals;
using Npgsql;

namespace Jobs.Billing;

/// <summary>
/// Takes payments at the desk. What is taken by hand is recorded: payment, receipt number, what it pays for, mail and audit rows
/// in one transaction, or nothing. What a card terminal is to take is queued, under the same rules. Safe to repeat under the same
/// reference, also after a lost answer and by two callers at once.
/// </summary>
public sealed class PaymentService(Db db, BusinessZone zone, RenewalPolicy? policy = null)
{
    private readonly Granting _granting = new(
        zone, new(zone, policy ?? RenewalPolicy.Default), new(zone, staffEmail: null), new(zone));

    /// <returns>What was recorded, now or the first time; on a read-only <see cref="Db"/> what would be.</returns>
    /// <exception cref="RefusedException">A rule says no. Nothing was written.</exception>
    public Task<RecordedPayment> RecordAsync(ManualPayment payment, Origin origin, CancellationToken cancellation = default)
    {
        payment.Check();
        return payment.Method != "card_terminal"
            ? OnceAsync(tx => RecordAsync(tx, payment, origin), cancellation)
            : throw new RefusedException(
                RefusalReason.Invalid, "a payment by card_terminal is not recorded before the card was charged: queue it (PaymentService.QueueAsync)");
    }

    /// <summary>
    /// Gives a payment its place in the queue for the card terminals. It is granted, with its receipt and mail, when a terminal has
    /// taken it; while it waits, paying the same otherwise takes it out of the queue.
    /// </summary>
    /// <returns>Its place, now or the first time; on a read-only <see cref="Db"/> what it would be.</returns>
    /// <exception cref="RefusedException">A rule says no. Nothing was written.</exception>
    public Task<QueuedPayment> QueueAsync(ManualPayment payment, Origin origin, CancellationToken cancellation = default)
    {
        payment.Check();
        return payment.Method == "card_terminal"
            ? OnceAsync(tx => QueueAsync(tx, payment, origin), cancellation)
            : throw new RefusedException(
                RefusalReason.Invalid, $"only payments by card_terminal are queued; one by {payment.Method} is recorded (PaymentService.RecordAsync)");
    }

    private async Task<T> OnceAsync<T>(Func<Tx, Task<T>> work, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await db.TransactionAsync(work, cancellation);
            }
            catch (PostgresException e) when (
                e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.ExclusionViolation && attempt < 3)
            {
                // Somebody used the reference, the order or the term between our look and our write; the next look sees it.
            }
        }
    }

    private async Task<RecordedPayment> RecordAsync(Tx tx, ManualPayment payment, Origin origin)
    {
        if (await BeginAsync(tx, payment) is { } first)
        {
            return first.ToRecorded();
        }

        var queued = await QueuedForSameAsync(tx, payment);
        if (queued.Find(q => !q.Waits) is { } charging)
        {
            throw InFlight(charging.PaymentId, "is at a card terminal; wait for its result");
        }

        var success = Of(payment, origin, foreseen: false, moreFollows: queued.Count > 0);
        await GrantAsync(tx, payment, success);
        foreach (var waiting in tx.ReadOnly ? [] : queued)
        {
            await TerminalFulfilment.CancelAsync(tx, origin, waiting.PaymentId, "paid_otherwise");
        }

        return new()
        {
            PaymentId = tx.ReadOnly ? null : success.Booked.Id,
            ReceiptNumber = tx.ReadOnly ? null : success.Booked.Number,
            OrderId = success.OrderId,
            SubscriptionId = success.SubscriptionId,
            PeriodStart = success.PeriodStart,
            MembershipId = success.MembershipId,
            StartDate = success.Term?.Start,
            EndDate = success.Term?.End,
            CanceledPaymentId = queued is [var overtaken, ..] ? overtaken.PaymentId : null,
        };
    }

    private async Task<QueuedPayment> QueueAsync(Tx tx, ManualPayment payment, Origin origin)
    {
        var fallback = (await FallbackMode.ReadAsync(tx)).IsActive(origin.Now);
        if (await BeginAsync(tx, payment) is { } first)
        {
            return first.ToQueued(fallback);
        }

        if (!await TerminalPlaces.HasTerminalAsync(tx))
        {
            throw new RefusedException(
                RefusalReason.MethodUnavailable,
                "no card terminal is known: insert each into payment_terminals, with its name and its provider_reader_id at SumUp");
        }

        if (await QueuedForSameAsync(tx, payment) is [var other, ..])
        {
            throw InFlight(other.PaymentId, other.Waits ? "waits for a card terminal already" : "is at a card terminal; wait for its result");
        }

        var success = Of(payment, origin, foreseen: true, moreFollows: true);
        await GrantAsync(tx, payment, success);
        var place = await TerminalPlaces.EnterAsync(tx, success);
        return new()
        {
            PaymentId = place.PaymentId,
            QueueId = place.QueueId,
            Position = place.Position,
            Ahead = place.Ahead,
            Fallback = fallback,
            OrderId = success.OrderId,
            SubscriptionId = success.SubscriptionId,
            PeriodStart = success.PeriodStart,
        };
    }

    /// <summary>Locks the payer and checks who records.</summary>
    /// <returns>What stands under the reference already.</returns>
    private static async Task<First?> BeginAsync(Tx tx, ManualPayment payment)
    {
        var (known, role, first) = await LookAsync(tx, payment);
        if (first is not null)
        {
            first.CheckSame(payment);
            return first;
        }

        if (!known)
        {
            throw new RefusedException(ParkingReason.UserUnknown, $"there is no user {payment.UserId}");
        }

        Recorder.Check(payment.RecordedBy, role);
        return null;
    }

    private static Success Of(ManualPayment payment, Origin origin, bool foreseen, bool moreFollows) => new()
    {
        Origin = origin,
        Received = new(payment.AmountMinor, payment.Currency, payment.Method) { RecordedBy = payment.RecordedBy, Reference = payment.Reference },
        UserId = payment.UserId,
        Purpose = payment.Purpose,
        Plan = payment.Plan,
        OrderId = payment.OrderId,
        MembershipType = payment.MembershipType,
        ReducedPrice = payment.ReducedPrice,
        Foreseen = foreseen,
        MoreFollows = moreFollows,
    };

    private async Task GrantAsync(Tx tx, ManualPayment payment, Success success)
    {
        if ((await RefuseOnlineAsync(tx, payment) ?? await _granting.GrantAsync(tx, success)) is { } refusal)
        {
            throw new RefusedException(refusal);
        }
    }

    private static async Task<List<TerminalPlaces.Live>> QueuedForSameAsync(Tx tx, ManualPayment payment) =>
        payment.Purpose == "other" ? [] : await TerminalPlaces.OfSameAsync(tx, payment);

    private static RefusedException InFlight(long paymentId, string why) =>
        new(RefusalReason.InFlight, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"payment {paymentId} for the same {why}"));

    private const string Role = "SELECT role FROM users WHERE id = @RecordedBy";

    private const string OfReference =
        """
        SELECT p.id, p.user_id, p.amount_minor, p.currency, p.method, p.purpose, p.recorded_by, p.membership_type, p.reduced_price,
               p.order_id, plans.code AS plan, p.subscription_id, p.period_start, p.membership_id, m.start_date, m.end_date,
               r.number AS receipt_number, p.status, q.id AS queue_id, q.position,
               CASE WHEN q.status IN ('waiting', 'processing', 'unknown') THEN
                   (SELECT count(*) FROM payment_queue AS before
                    WHERE before.position < q.position AND before.status IN ('waiting', 'processing', 'unknown')) END AS ahead
        FROM payments AS p
        LEFT JOIN plans ON plans.id = p.plan_id
        LEFT JOIN memberships AS m ON m.id = p.membership_id
        LEFT JOIN receipts AS r ON r.payment_id = p.id
        LEFT JOIN payment_queue AS q ON q.payment_id = p.id
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
        public string Status { get; init; } = "";
        public long? QueueId { get; init; }
        public long? Position { get; init; }
        public long? Ahead { get; init; }

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

        public QueuedPayment ToQueued(bool fallback) => new()
        {
            PaymentId = Id,
            QueueId = QueueId,
            Position = Position ?? 0,
            Ahead = Ahead,
            Status = Status,
            Fallback = fallback,
            ReceiptNumber = ReceiptNumber,
            OrderId = OrderId,
            SubscriptionId = SubscriptionId,
            PeriodStart = PeriodStart,
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
    // only begun does not keep anybody from paying an order or a membership at the desk; one that is being carried out does. The
    // queue for the card terminals is looked at by itself.
    private const string Online =
        """
        SELECT plan.id IS NOT NULL AS plan_known,
               plan.active AS plan_active,
               (SELECT min(a.id)
                FROM payments AS a
                LEFT JOIN subscriptions AS s ON s.id = a.subscription_id
                WHERE a.user_id = @UserId AND a.status IN ('pending', 'processing', 'requires_action')
                  AND NOT EXISTS (SELECT FROM payment_queue AS q WHERE q.payment_id = a.id AND q.status IN ('waiting', 'processing', 'unknown'))
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
