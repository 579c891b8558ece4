using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>What a paid subscription grants: a period more, or the subscription itself.</summary>
public sealed class SubscriptionFulfilment(JobRun run, BusinessZone zone, RenewalPolicy policy)
{
    private sealed class Subscription
    {
        public long Id { get; init; }
        public long UserId { get; init; }
        public long PlanId { get; init; }
        public string Status { get; init; } = "";
        public DateTime? EndedAt { get; init; }
        public int? AnchorDay { get; init; }
    }

    private sealed class Plan
    {
        public long Id { get; init; }
        public long AmountMinor { get; init; }
        public string Currency { get; init; } = "";
        public string IntervalUnit { get; init; } = "";
        public int IntervalCount { get; init; }
        public bool Recurring { get; init; }
        public Interval Interval => new(IntervalUnit, IntervalCount);
    }

    /// <returns>Null when granted, else the parking reason and nothing written.</returns>
    internal async Task<string?> GrantAsync(Tx tx, Success success)
    {
        var (subscription, plan, paid) = await FindAsync(tx, success);
        if (success.SubscriptionId is not null && (subscription is null || subscription.UserId != success.UserId))
        {
            return subscription is null ? ParkingReason.SubscriptionUnknown : ParkingReason.CustomerMismatch;
        }

        if (success.RecordOnly)
        {
            success.PlanId ??= subscription!.PlanId;
            await success.BookAsync(tx, run, zone, last: true);
            return null;
        }

        if (plan is null)
        {
            return ParkingReason.PlanUnknown;
        }

        if (success.Disagreement(success.AmountMinor ?? plan.AmountMinor, success.Currency ?? plan.Currency) is { } disagreement)
        {
            return disagreement;
        }

        if (subscription is { Status: "canceled" })
        {
            return ParkingReason.SubscriptionCanceled;
        }

        var period = NextPeriod(subscription, plan, success.PeriodStart);
        success.PlanId = plan.Id;
        success.PeriodStart ??= zone.Date(period.Start);
        if (subscription is not null && (paid ?? await IsPaidAsync(tx, subscription.Id, success.PeriodStart.Value)))
        {
            return ParkingReason.Duplicate;
        }

        success.SubscriptionId = subscription?.Id ?? await CreateAsync(tx, success.UserId, plan, period);
        success.Extension = period;
        success.ExtensionAction = subscription is null ? "subscription.created" : "subscription.extended";
        var booked = await success.BookAsync(tx, run, zone, last: subscription is not null);
        run.Log.LogFulfilled(booked.Id, success.Intent.Id, booked.Number);
        return null;
    }

    /// <summary>
    /// From the old end, on the anchor day; from now, with today as the new anchor, when there is no end to go by, when the
    /// subscription expired, or when it lapsed beyond the grace before the charge was made.
    /// </summary>
    private Period NextPeriod(Subscription? subscription, Plan plan, DateOnly? chargedFrom)
    {
        if (subscription is { EndedAt: { } end, Status: "active" or "past_due" or "paused" }
            && (chargedFrom is { } from ? from <= zone.Date(end) : !policy.IsLapsed(end, run.Now)))
        {
            var anchor = subscription.AnchorDay ?? BillingPeriod.AnchorDay(end, zone);
            return new Period(end, BillingPeriod.End(end, plan.Interval, anchor, zone), anchor);
        }

        var today = BillingPeriod.AnchorDay(run.Now, zone);
        return new Period(run.Now, BillingPeriod.End(run.Now, plan.Interval, today, zone), today);
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
        FOR NO KEY UPDATE
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

    /// <returns>Paid is null while the subscription or the period is still to be found out.</returns>
    private static async Task<(Subscription? Subscription, Plan? Plan, bool? Paid)> FindAsync(Tx tx, Success success)
    {
        await using var answers = await tx.QueryMultipleAsync(
            $"{Find};\n{FindPlan};\n{IsPaid}",
            new { success.SubscriptionId, success.UserId, success.PlanId, success.Metadata.Plan, success.PeriodStart });
        var subscription = await answers.ReadSingleOrDefaultAsync<Subscription>();
        var plan = await answers.ReadSingleOrDefaultAsync<Plan>();
        var paid = await answers.ReadSingleAsync<bool>();
        return (subscription, plan, success is { SubscriptionId: not null, PeriodStart: not null } ? paid : null);
    }

    private static Task<bool> IsPaidAsync(Tx tx, long subscriptionId, DateOnly periodStart) =>
        tx.SingleAsync<bool>(IsPaid, new { subscriptionId, periodStart });

    private const string Create =
        """
        INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, anchor_day, auto_renew, created_at)
        VALUES (@userId, @PlanId, 'active', @Start, @End, @AnchorDay, @Recurring, @Now)
        RETURNING id
        """;

    private Task<long> CreateAsync(Tx tx, long userId, Plan plan, Period period) =>
        tx.SingleAsync<long>(
            Create, new { userId, PlanId = plan.Id, period.Start, period.End, AnchorDay = (short)period.AnchorDay, plan.Recurring, run.Now });
}
