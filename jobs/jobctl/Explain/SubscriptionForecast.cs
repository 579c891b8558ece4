using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Mail;
using Words = Jobs.Counter.Words;

namespace Jobs.Explain;

/// <summary>What becomes of a subscription: charged, asked for another card, ended or expired, and when.</summary>
internal sealed class SubscriptionForecast(Evidence evidence, BusinessZone zone, NextRuns runs, RenewalPolicy policy, TimeSpan? notice)
{
    private DateTime Now => evidence.Now;

    // As autopayment asks at that run.
    private const string Asked =
        $"""
        SELECT {Renewal.Due} AS due, method.usable[1] AS method, coalesce(method.awaits, false) AS awaits, {RenewalNotice.Given} AS noticed,
               EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.period_start = (s.ended_at AT TIME ZONE @Zone)::date
                       AND a.status IN ('succeeded', 'refunded', 'disputed')) AS paid,
               ({Lapse.Waiting}) AS waiting
        FROM subscriptions AS s
        JOIN plans AS p ON p.id = s.plan_id
        JOIN users AS u ON u.id = s.user_id
        {Renewal.Method}
        WHERE s.id = @Id
        """;

    private sealed class Answer
    {
        public bool Due { get; init; }
        public string? Method { get; init; }
        public bool Awaits { get; init; }
        public bool Noticed { get; init; }
        public bool Paid { get; init; }
        public bool Waiting { get; init; }
    }

    // As expire-subscriptions asks at this moment.
    private const string AskedOfLapsed =
        $"SELECT ({Lapse.Waiting}) AS waiting, ({Lapse.Held}) AS held, ({Lapse.AwaitsNotice}) AS awaits_notice FROM subscriptions AS s WHERE s.id = @Id";

    private sealed class LapsedAnswer
    {
        public bool Waiting { get; init; }
        public bool Held { get; init; }
        public bool AwaitsNotice { get; init; }
    }

    public async Task<List<Ahead>> ReadAsync(Tx tx, SubscriptionRow s)
    {
        var subject = $"subscription {s.Id.ToString(CultureInfo.InvariantCulture)}";
        if (s.ProviderSubscriptionId is { } owner)
        {
            return s.Status is "expired" or "canceled" ? [new(null, subject, "is over")]
                : [runs.By("subscription-sync", Now, subject, $"Stripe Billing charges and ends it ({OneLine.Of(owner, 60)}); what it says is followed here")];
        }

        return (s.Status, s.EndedAt) switch
        {
            ("pending", _) => [new(null, subject, "begins with its first payment that succeeds; nothing charges it by itself")],
            ("expired", _) => [new(null, subject, "is over; a renewal that succeeds after all reactivates it")],
            ("canceled", _) => [new(null, subject, "is over; money that arrives for it is parked")],
            ("paused", _) => [new(null, subject, "is paused by the application: nothing charges or ends it")],
            (_, null) => [new(null, subject, "has no end: nothing charges or ends it")],
            (_, { } end) => await LiveAsync(tx, s, end, subject),
        };
    }

    private async Task<List<Ahead>> LiveAsync(Tx tx, SubscriptionRow s, DateTime end, string subject)
    {
        var ahead = new List<Ahead>();
        var spent = s.NextAttemptAt is { } never && never.Year > 9000;
        // Due on the day of the period's end in the business zone, or when its next attempt is.
        var due = zone.StartOfDay(zone.Date(end));
        var run = runs.First("autopayment", !spent && s.NextAttemptAt > due ? s.NextAttemptAt.Value : due);
        var answer = await tx.SingleAsync<Answer>(Asked, new
        {
            s.Id,
            Now = spent ? Now : run,
            EndOfToday = Renewal.EndOfToday(zone, run),
            Zone = zone.Id,
            NoticedBy = notice is null ? run : run - notice,
        });
        if (s is { AutoRenew: true, CancelAtPeriodEnd: false, Recurring: true })
        {
            ahead.Add(Renewed(s, spent, run, answer, subject));
        }
        else if (s.CancelAtPeriodEnd)
        {
            ahead.Add(runs.By("subscription-sync", end + TimeSpan.FromTicks(10), subject, "ends with its period, as was asked: canceled"));
        }

        ahead.Add(await ExpiredAsync(tx, s, end, subject));
        return ahead;
    }

    private Ahead Renewed(SubscriptionRow s, bool spent, DateTime run, Answer answer, string subject)
    {
        if (spent)
        {
            return new(null, subject, $"is not charged again for this period: the {Text(s.RetryCount)} tries are spent, the last one declined ({OneLine.Of(s.LastDeclineCode ?? "?")})");
        }

        if (!answer.Due)
        {
            var open = evidence.Payments.LastOrDefault(p => p.SubscriptionId == s.Id && PaymentStatus.IsInFlight(p.Status));
            return answer.Paid ? new(null, subject, "is not charged: the period after its end is paid already", null, "jobctl doctor")
                : open is not null ? new(null, subject, $"is not charged again before the result of payment {Text(open.Id)} is known")
                : answer.Waiting ? new(null, subject, "is not charged before its parked or unknown payment is settled", null, "jobctl resolve list")
                : runs.By("autopayment", run, subject, "is looked at again");
        }

        if (answer.Method is null)
        {
            var blocked = evidence.Blocked.Where(b => b.Method == s.LastMethod || b.Method == evidence.User?.DefaultPaymentMethodId).Select(b => $"{OneLine.Of(b.Method, 60)} is blocked: {OneLine.Of(b.Reason)}").ToList();
            return answer.Awaits
                ? new(null, subject, "is charged when the customer confirms by the mailed link, or has another payment method: the bank wants them to authenticate")
                : runs.By("autopayment", run, subject, $"cannot be charged: no usable payment method{(blocked.Count > 0 ? $" ({string.Join(", ", blocked)})" : "")}; the customer is told once, and another one makes it due");
        }

        var charge = runs.By(
            "autopayment", run, subject,
            $"{Words.Money(s.AmountMinor, s.Currency)} charged on {OneLine.Of(answer.Method, 60)}{(s.RetryCount > 0 ? $", try {Text(s.RetryCount + 1)} of {Text(policy.RetryDays.Count + 1)}" : "")}");
        return notice is null || answer.Noticed ? charge
            : charge with { What = charge.What + $" - held until its notice has been out for {Runs.Duration.Format(notice.Value)}" };
    }

    private async Task<Ahead> ExpiredAsync(Tx tx, SubscriptionRow s, DateTime end, string subject)
    {
        // More than the grace must have passed.
        var expiry = runs.By(
            "expire-subscriptions", end + policy.Grace + TimeSpan.FromTicks(10), subject,
            s is { AutoRenew: true, CancelAtPeriodEnd: false } ? "expires, unless it is paid before" : "expires, unless it is renewed or canceled before");
        if (end + policy.Grace >= Now)
        {
            return expiry;
        }

        var answer = await tx.SingleAsync<LapsedAnswer>(AskedOfLapsed, new
        {
            s.Id,
            Zone = zone.Id,
            evidence.Autopayment.Down,
            evidence.Autopayment.LastSuccess,
            NoticedBy = evidence.Autopayment.NoticedBy(Now, notice),
        });
        return answer.Waiting ? expiry with { At = null, What = "its time is over, but it does not expire before the result of its payment is known" }
            : evidence.Autopayment.MayHold(Now - policy.Grace) && answer.Held
                ? expiry with { At = null, What = "its time is over, but it is held: autopayment is paused, running, failed or did not run since its period ended" }
            : notice is not null && answer.AwaitsNotice ? expiry with { At = null, What = "its time is over, but it is held: its renewal notice is still to come" }
            : expiry;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
