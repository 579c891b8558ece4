using System.Globalization;
using Jobs.Billing;
using Jobs.Counter;
using Jobs.Database;
using Jobs.Mail;
using Words = Jobs.Counter.Words;

namespace Jobs.Explain;

/// <summary>
/// What happens next to the subject and what belongs to it, and when, if nothing else comes up: by the policies and the conditions that
/// the jobs themselves go by.
/// </summary>
internal sealed class Forecast(Evidence evidence, BusinessZone zone, NextRuns runs, RenewalPolicy policy, TimeSpan? notice)
{
    private DateTime Now => evidence.Now;

    public async Task<List<Ahead>> ReadAsync(Tx tx)
    {
        var ahead = new List<Ahead>();
        foreach (var subscription in evidence.Subscriptions.Where(Told))
        {
            ahead.AddRange(await new SubscriptionForecast(evidence, zone, runs, policy, notice).ReadAsync(tx, subscription));
        }

        ahead.AddRange(evidence.Payments.SelectMany(Of));
        ahead.AddRange(evidence.Orders.SelectMany(Of));
        ahead.AddRange(evidence.Memberships.SelectMany(Of));
        ahead.AddRange(evidence.Unmatched.Where(u => u.ResolvedAt is null).Select(u => new Ahead(
            null, u.PaymentId is { } id ? $"payment {Text(id)}" : OneLine.Of(u.ProviderPaymentId, 60),
            $"money is parked ({OneLine.Of(u.Reason)}): somebody decides, gives it back or books it", null, $"jobctl resolve unmatched {Text(u.Id)} --as refunded|ignored|recorded --reason TEXT")));
        ahead.AddRange(evidence.Troubles.Where(t => t.ParkedAt is not null).Select(t => new Ahead(
            null, OneLine.Of($"item {t.Item}"), $"{t.Job} leaves it alone after {Text(t.Failures)} failures", t.Job, $"jobctl resolve item {t.Job} {OneLine.Of(t.Item)} --as retry --reason TEXT")));
        foreach (var mail in evidence.Mails)
        {
            if (await OfAsync(tx, mail) is { } next)
            {
                ahead.Add(next);
            }
        }

        return [.. ahead.OrderBy(a => a.At ?? DateTime.MaxValue)];
    }

    // A person's subscriptions that are over have no future worth a line each.
    private bool Told(SubscriptionRow s) => evidence.Subject.Kind != "user" || s.Status is not ("expired" or "canceled");

    private IEnumerable<Ahead> Of(PaymentRow p)
    {
        var subject = $"payment {Text(p.Id)}";
        if (evidence.Queue.FirstOrDefault(q => q.PaymentId == p.Id && q.Status is "waiting" or "processing" or "unknown") is { } place)
        {
            yield return InQueue(place, subject);
        }
        else if (p is { AskedAbout: true })
        {
            yield return Asked(p, subject);
        }
        else if (PaymentStatus.IsInFlight(p.Status) && p.Method is not ("card" or "card_terminal"))
        {
            yield return new(null, subject, $"waits for somebody to say whether the {Words.Method(p.Method)} came", null, null);
        }

        if (p.MayBeGivenUp)
        {
            yield return runs.By("expire-payments", p.CreatedAt + UnresolvedPayment.GivenUpAfter + TimeSpan.FromTicks(10), subject, "expires if it is still pending, after Stripe was asked");
        }

        if (p is { Status: "failed" or "canceled" or "expired", ProviderPaymentId: not null, ProviderEndedAt: null, Method: "card" } and not { Provider: "sumup" })
        {
            yield return new(null, subject, "its PaymentIntent was not ended at Stripe: the customer may still pay on it, and would be booked by match-successful-payments", "match-successful-payments");
        }

        if (PaymentStatus.IsTerminal(p.Status) && p.Receipt is null)
        {
            yield return new(null, subject, "succeeded, but has no receipt", null, "jobctl doctor");
        }
    }

    private Ahead InQueue(QueueRow place, string subject)
    {
        if (place.Status == "unknown")
        {
            return runs.By("process-payment-queue", Now, subject, "nobody knows whether the card was charged: looked up again until it is proven")
                with
            { Todo = $"jobctl resolve terminal {Text(place.Id)} --as paid|not-paid --reason TEXT" };
        }

        if (place.Status == "processing")
        {
            return runs.By("process-payment-queue", Now, subject, "is on a reader; its result is looked up");
        }

        return Fallback.Read(evidence.FallbackMode, Now) is { } fallback
            ? new(null, subject, $"waits in the queue: fallback mode, {OneLine.Of(fallback.Reason)} ({Words.By(fallback, Now, zone)})", "process-payment-queue", "fallback-mode --deactivate --actor NAME")
            : runs.By("process-payment-queue", Now, subject, "waits in the queue for the next free reader");
    }

    private Ahead Asked(PaymentRow p, string subject)
    {
        var asked = runs.By("match-pending-payments", UnresolvedPayment.AskedFrom(p.CreatedAt, p.NextCheckAt, Now), subject, "Stripe is asked what became of it");
        if (p is not { ProviderPaymentId: null, ChargedByUs: true, SentAt: { } sent })
        {
            return asked;
        }

        var lost = $" - the answer to the charge was lost: autopayment sends it again under its own key until {At(sent + Renewal.KeyLife)}; "
            + $"that it did not happen is concluded from {At(sent + UnresolvedPayment.ProvesAbsence)} on";
        return asked with { What = asked.What + lost };
    }

    private IEnumerable<Ahead> Of(OrderRow o)
    {
        var subject = $"order {Text(o.Id)}";
        switch (o.Status)
        {
            case "pending_payment" when o.ExpiresAt is null:
                yield return new(null, subject, "waits for its payment, and never expires by itself");
                break;
            case "pending_payment" when o.Held:
                yield return new(null, subject, "does not expire while a payment of it is at a card terminal or has succeeded");
                break;
            case "pending_payment":
                yield return runs.By("expire-stale-orders", o.ExpiresAt!.Value + TimeSpan.FromTicks(10), subject, "expires if it is not paid: its PaymentIntents are canceled, its stock is free again");
                break;
            case "expiring":
                yield return runs.By("expire-stale-orders", Now, subject, "a run that ended in the midst had begun to expire it: the next goes on");
                break;
            case "refund_due":
                yield return new(null, subject, "was paid after it had expired, and the stock is gone: the money is to go back", null, $"jobctl resolve order {Text(o.Id)} --as refunded --reason TEXT");
                break;
            default:
                break;
        }
    }

    private IEnumerable<Ahead> Of(MembershipRow m)
    {
        var (subject, today) = ($"membership {Text(m.Id)}", zone.Date(Now));
        if (m.CanceledAt is null && m.StartDate > today)
        {
            yield return new(zone.StartOfDay(m.StartDate), subject, "begins");
        }

        if (m.CanceledAt is null && m.EndDate >= today)
        {
            yield return new(zone.StartOfDay(m.EndDate.AddDays(1)), subject, "is over, unless it is renewed before; renewal-reminder writes before that");
        }
    }

    private sealed class LateMails
    {
        public int Today { get; init; }
        public DateTime? Last { get; init; }
    }

    private const string Lately =
        $"SELECT count(*) FILTER (WHERE n.claimed_at >= @Today)::int AS today, max(n.claimed_at) AS last FROM notifications AS n WHERE {MailPolicy.HadLately}";

    private async Task<Ahead?> OfAsync(Tx tx, MailRow m)
    {
        var (subject, kind) = ($"mail {Text(m.Id)}", OneLine.Of(m.Kind, 60).Replace('_', ' '));
        switch (m.Status)
        {
            case "unknown":
                return new(null, subject, $"{kind}: nobody knows whether it was delivered; it is not sent again on a guess", null, $"jobctl resolve mail {Text(m.Id)} --as sent|resend|dropped --reason TEXT");
            case "failed":
                return new(null, subject, $"{kind}: was not delivered, and is not tried again", null, $"jobctl resolve mail {Text(m.Id)} --as resend|dropped --reason TEXT");
            case "sending":
                return runs.By("send-notifications", Now, subject, $"{kind}: is being delivered");
            case "pending":
                break;
            default:
                return null;
        }

        var from = m.NextAttemptAt is { } next && next > Now ? next : Now;
        var why = m.Attempts > 0 ? $" (try {Text(m.Attempts + 1)} of {Text(MailPolicy.MostAttempts)}; the last one failed: {OneLine.Of(m.LastError)})" : "";
        if (!MailPolicy.IsCritical(m.Kind))
        {
            var lately = await tx.SingleAsync<LateMails>(Lately, new
            {
                m.UserId,
                m.ToAddress,
                MailPolicy.NonCriticalKinds,
                Today = zone.StartOfDay(zone.Date(from)),
                Now = from,
                MailPolicy.Apart,
            });
            if (MailPolicy.PostponedTo(from, zone, lately.Today, lately.Last) is { } until)
            {
                (from, why) = (until, why + " - not by night, and no more than a person wants in a day");
            }
        }

        return runs.By("send-notifications", from, subject, $"{kind}: delivered{why}");
    }

    private string At(DateTime instant) => Words.When(instant, Now, zone);

    private static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);
}
