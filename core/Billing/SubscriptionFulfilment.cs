using Jobs.Database;

namespace Jobs.Billing;

/// <summary>What a paid subscription grants: a period more, or the subscription itself.</summary>
public sealed class SubscriptionFulfilment(BusinessZone zone, RenewalPolicy policy)
{
    internal sealed class Subscription
    {
        public long Id { get; init; }
        public long UserId { get; init; }
        public long PlanId { get; init; }
        public string Status { get; init; } = "";
        public DateTime? EndedAt { get; init; }
        public int? AnchorDay { get; init; }
    }

    internal sealed class Plan
    {
        public long Id { get; init; }
        public long AmountMinor { get; init; }
        public string Currency { get; init; } = "";
        public string IntervalUnit { get; init; } = "";
        public int IntervalCount { get; init; }
        public bool Recurring { get; init; }
        public Interval Interval => new(IntervalUnit, IntervalCount);
    }

    /// <returns>Null when granted - in a dry run or foreseen: when it would be -, else why not, and nothing written.</returns>
    internal async Task<Refusal?> GrantAsync(Tx tx, Success success)
    {
        var (subscription, plan, paid) = success.Looked is { } looked && looked.Fits(success) ? looked : await FindAsync(tx, success);
        if (success.SubscriptionId is not null && (subscription is null || subscription.UserId != success.UserId))
        {
            return subscription is null
                ? new(ParkingReason.SubscriptionUnknown, $"there is no subscription {success.SubscriptionId}")
                : new(ParkingReason.CustomerMismatch, $"subscription {success.SubscriptionId} is another user's");
        }

        if (success.RecordOnly)
        {
            success.PlanId ??= subscription!.PlanId;
            await success.BookAsync(tx, zone, last: true);
            return null;
        }

        if (plan is null)
        {
            return new(ParkingReason.PlanUnknown, $"there is no plan '{success.Plan}'");
        }

        if (success.Disagreement(success.AmountMinor ?? plan.AmountMinor, success.Currency ?? plan.Currency) is { } disagreement)
        {
            return disagreement;
        }

        if (subscription is { Status: "canceled" })
        {
            return new(ParkingReason.SubscriptionCanceled, $"subscription {subscription.Id} is canceled");
        }

        var period = NextPeriod(subscription, plan, success.PeriodStart, success.Origin.Now);
        success.PlanId = plan.Id;
        success.PeriodStart ??= zone.Date(period.Start);
        if (subscription is not null && (paid ?? await IsPaidAsync(tx, subscription.Id, success.PeriodStart.Value)))
        {
            return new(ParkingReason.Duplicate, $"subscription {subscription.Id} is paid from {success.PeriodStart:yyyy-MM-dd} already");
        }

        if (tx.ReadOnly || success.Foreseen)
        {
            success.SubscriptionId = subscription?.Id;
            return null;
        }

        success.SubscriptionId = subscription?.Id ?? await CreateAsync(tx, success.UserId, plan, period, success.Origin.Now);
        success.Extension = period;
        success.ExtensionAction = subscription is null ? "subscription.created" : "subscription.extended";
        await success.BookAsync(tx, zone, last: subscription is not null);
        return null;
    }

    /// <summary>
    /// From the old end, on the anchor day; from now, with today as the new anchor, when there is no end to go by, when the
    /// subscription expired, or when it lapsed beyond the grace before the charge was made.
    /// </summary>
    private Period NextPeriod(Subscription? subscription, Plan plan, DateOnly? chargedFrom, DateTime now)
    {
        if (subscription is { EndedAt: { } end, Status: "active" or "past_due" or "paused" }
            && (chargedFrom is { } from ? from <= zone.Date(end) : !policy.IsLapsed(end, now)))
        {
            var anchor = subscription.AnchorDay ?? BillingPeriod.AnchorDay(end, zone);
            return new Period(end, BillingPeriod.End(end, plan.Interval, anchor, zone), anchor);
        }

        var today = BillingPeriod.AnchorDay(now, zone);
        return new Period(now, BillingPeriod.End(now, plan.Interval, today, zone), today);
    }

    // The one that is named; else the person's own live one of the same plan, unless Stripe Billing runs it.
    private const string Find =
        """
        SELECT s.id, s.user_id, s.plan_id, s.status, s.ended_at, s.anchor_day::int
        FROM subscriptions AS s
        WHERE s.id = @SubscriptionId
           OR (@SubscriptionId::bigint IS NULL AND s.user_id = @UserId
               AND s.plan_id = coalesce(@PlanId, (SELECT id FROM plans WHERE code = @Plan))
               AND s.status IN ('active', 'past_due', 'paused', 'pending') AND s.provider_subscription_id IS NULL)
        ORDER BY s.status = 'pending', s.id DESC
        LIMIT 1
        """;

    // What was paid for: the row's plan, else the metadata's, else the subscription's.
    private const string FindPlan =
        """
        SELECT id, amount_minor, currency, interval_unit, interval_count, recurring
        FROM plans
        WHERE id = @PlanId OR (@PlanId::bigint IS NULL AND code = @Plan)
           OR (@PlanId::bigint IS NULL AND @Plan::text IS NULL AND id = (SELECT plan_id FROM subscriptions WHERE id = @SubscriptionId))
        """;

    private const string IsPaid =
        """
        SELECT EXISTS (
            SELECT FROM payments
            WHERE subscription_id = @SubscriptionId AND period_start = @PeriodStart
              AND status IN ('succeeded', 'refunded', 'disputed'))
        """;

    /// <summary>What a success is about, looked at under lock. Paid is null while the subscription or the period is still to be found out.</summary>
    internal sealed record Looked(Subscription? Subscription, Plan? Plan, bool? Paid)
    {
        public DateOnly? PeriodStart { get; init; }

        /// <summary>Looked at before all was known, by what the metadata says: it must be the same.</summary>
        public bool Fits(Success success) =>
            Subscription?.Id == success.SubscriptionId && PeriodStart == success.PeriodStart && (success.PlanId ?? Plan?.Id) == Plan?.Id;
    }

    /// <summary>Three answers: the subscription, locked; its plan; whether the period is paid. Needs @SubscriptionId, @UserId, @PlanId, @Plan and @PeriodStart.</summary>
    internal static string Look(Tx tx) => $"{Find}\n{tx.RowLock};\n{FindPlan};\n{IsPaid}";

    internal static async Task<Looked> ReadAsync(Answers answers, long? subscriptionId, DateOnly? periodStart)
    {
        var subscription = await answers.ReadSingleOrDefaultAsync<Subscription>();
        var plan = await answers.ReadSingleOrDefaultAsync<Plan>();
        var paid = await answers.ReadSingleAsync<bool>();
        return new(subscription, plan, subscriptionId is not null && periodStart is not null ? paid : null) { PeriodStart = periodStart };
    }

    private static async Task<Looked> FindAsync(Tx tx, Success success)
    {
        await using var answers = await tx.QueryMultipleAsync(
            Look(tx), new { success.SubscriptionId, success.UserId, success.PlanId, success.Plan, success.PeriodStart });
        return await ReadAsync(answers, success.SubscriptionId, success.PeriodStart);
    }

    private static Task<bool> IsPaidAsync(Tx tx, long subscriptionId, DateOnly periodStart) =>
        tx.SingleAsync<bool>(IsPaid, new { subscriptionId, periodStart });

    private const string Create =
        """
        INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, anchor_day, auto_renew, created_at)
        VALUES (@userId, @PlanId, 'active', @Start, @End, @AnchorDay, @Recurring, @now)
        RETURNING id
        """;

    private static Task<long> CreateAsync(Tx tx, long userId, Plan plan, Period period, DateTime now) =>
        tx.SingleAsync<long>(
            Create, new { userId, PlanId = plan.Id, period.Start, period.End, AnchorDay = (short)period.AnchorDay, plan.Recurring, now });
}
