using System.Globalization;
using Jobs.Billing;
using Jobs.Mail;
using Words = Jobs.Counter.Words;

namespace Jobs.Explain;

/// <summary>Something that happened to the subject, or to what belongs to it.</summary>
/// <param name="Kind">audit, payment, receipt, refund, mail, queue, terminal, stock, parked, failure, blocked or created.</param>
/// <param name="Subject">Which row, such as <c>payment 4711</c>.</param>
/// <param name="Run">In which run, where the ledger knows.</param>
/// <param name="Actor">Who or what did it; empty: an application.</param>
internal sealed record Happening(DateTime At, string Kind, string Subject, string Text, Guid? Run = null, string Actor = "");

/// <summary>
/// What happened, oldest first: the audit log, and what rows tell that have none, because an application wrote them. What both tell is told once.
/// </summary>
internal sealed class Timeline(Evidence evidence, BusinessZone zone)
{
    private static readonly string[] Booked = ["payment.succeeded", "payment.refunded", "payment.disputed"];

    private readonly HashSet<(string Action, string Type, long? Id)> _audited = [.. evidence.Audit.Select(a => (a.Action, a.SubjectType, a.SubjectId))];

    public List<Happening> Read()
    {
        var all = evidence.Audit.Select(a => new Happening(
                a.CreatedAt, "audit", $"{a.SubjectType} {Number(a.SubjectId ?? 0)}", Saying.Of(a.Action, a.Data, evidence.Now, zone), a.RunId, a.Actor))
            .Concat(evidence.Payments.SelectMany(Of))
            .Concat(Shown("subscription") ? evidence.Subscriptions.SelectMany(Of) : [])
            .Concat(Shown("order") ? evidence.Orders.Select(o => new Happening(o.CreatedAt, "created", $"order {Number(o.Id)}", $"placed, {Words.Money(o.TotalMinor, o.Currency)}")) : [])
            .Concat(Shown("membership") ? evidence.Memberships.SelectMany(Of) : [])
            .Concat(evidence.Refunds.Select(r => new Happening(
                r.RefundedAt, "refund", $"payment {Number(r.PaymentId)}", $"{Words.Money(r.AmountMinor, evidence.Payments.First(p => p.Id == r.PaymentId).Currency)} given back{In(r.ProviderRefundId)}")))
            .Concat(evidence.Unmatched.SelectMany(Of))
            .Concat(evidence.Queue.SelectMany(Of))
            .Concat(evidence.TerminalAttempts.SelectMany(Of))
            .Concat(Shown("order") ? evidence.Stock.SelectMany(Of) : [])
            .Concat(evidence.Mails.SelectMany(Of))
            .Concat(evidence.Troubles.Select(t => new Happening(
                t.LastFailedAt, "failure", OneLine.Of($"item {t.Item}"), $"failed {Times(t.Failures)} in {t.Job}: {OneLine.Of(t.LastError)}", Actor: t.Job)))
            .Concat(evidence.Blocked.Select(b => new Happening(b.CreatedAt, "blocked", OneLine.Of(b.Method, 60), $"payment method blocked: {OneLine.Of(b.Reason)}")));
        if (evidence.Subject.Kind == "user" && evidence.User is { } user)
        {
            all = all.Append(new Happening(user.CreatedAt, "created", evidence.Subject.ToString(), "came to be known"));
        }

        return [.. all.OrderBy(h => h.At)];
    }

    // Of a payment only itself is told, not the subscription's life.
    private bool Shown(string type) => evidence.Subject.Kind is "user" || evidence.Subject.Kind == type;

    private bool Audited(string action, string type, long id) => _audited.Contains((action, type, id));

    private IEnumerable<Happening> Of(PaymentRow p)
    {
        var subject = $"payment {Number(p.Id)}";
        if (!Audited("payment.attempted", "payment", p.Id) && !Audited("payment.queued", "payment", p.Id))
        {
            yield return new(
                p.CreatedAt, "created", subject,
                $"{Words.Money(p.AmountMinor, p.Currency)} to be paid by {Words.Method(p.Method)}, for {Purpose(p)}{(p.RecordedBy is { } by ? $", recorded by user {Number(by)}" : "")}{In(p.Reference)}");
        }

        if (p.SentAt is { } sent && !Audited("payment.attempted", "payment", p.Id))
        {
            yield return new(sent, "payment", subject, $"sent to Stripe, to be charged on {OneLine.Of(p.ProviderPaymentMethodId, 60)}");
        }

        if (p.SucceededAt is { } success && !Booked.Any(action => Audited(action, "payment", p.Id)))
        {
            yield return new(success, "payment", subject, $"{Words.Money(p.AmountMinor, p.Currency)} received{In(p.ProviderPaymentId)}");
        }

        if (p is { Receipt: { } receipt, IssuedAt: { } issued })
        {
            yield return new(issued, "receipt", subject, $"receipt {receipt} issued");
        }
    }

    private IEnumerable<Happening> Of(SubscriptionRow s)
    {
        if (!Audited("subscription.created", "subscription", s.Id))
        {
            yield return new(s.CreatedAt, "created", $"subscription {Number(s.Id)}", $"created, plan {OneLine.Of(s.Plan, 60)}, {Words.Money(s.AmountMinor, s.Currency)}");
        }
    }

    private IEnumerable<Happening> Of(MembershipRow m)
    {
        if (!Audited("membership.granted", "membership", m.Id))
        {
            yield return new(m.CreatedAt, "created", $"membership {Number(m.Id)}", Text($"{m.Type} from {m.StartDate:yyyy-MM-dd} to {m.EndDate:yyyy-MM-dd}"));
        }

        if (m.CanceledAt is { } canceled && !Audited("membership.canceled", "membership", m.Id))
        {
            yield return new(canceled, "membership", $"membership {Number(m.Id)}", "canceled");
        }
    }

    private IEnumerable<Happening> Of(UnmatchedRow u)
    {
        var subject = u.PaymentId is { } payment ? $"payment {Number(payment)}" : OneLine.Of(u.ProviderPaymentId ?? $"unmatched {Number(u.Id)}", 60);
        if (u.PaymentId is null || !Audited("payment.parked", "payment", u.PaymentId.Value))
        {
            yield return new(u.CreatedAt, "parked", subject, $"money arrived that fits nothing here: {OneLine.Of(u.Reason)}{In(u.ProviderPaymentId)}");
        }

        if (u.ReportedAt is { } reported)
        {
            yield return new(reported, "parked", subject, "staff were told of the parked money");
        }

        if (u.ResolvedAt is { } resolved)
        {
            yield return new(resolved, "parked", subject, $"settled by hand: {OneLine.Of(u.Resolution ?? "no reason given")}");
        }
    }

    private IEnumerable<Happening> Of(QueueRow q)
    {
        var subject = $"payment {Number(q.PaymentId)}";
        if (!Audited("payment.queued", "payment", q.PaymentId))
        {
            yield return new(q.CreatedAt, "queue", subject, $"into the queue for the card terminals, at position {Number(q.Position)}");
        }

        if (q.ReportedAt is { } reported)
        {
            yield return new(reported, "queue", subject, "staff were told that nobody knows the result");
        }

        if (q.FinishedAt is { } finished)
        {
            yield return new(finished, "queue", subject, $"left the queue: {Words.Clean(q.Status)}{In(q.Reason)}");
        }
    }

    private IEnumerable<Happening> Of(AttemptRow a)
    {
        var subject = $"payment {Number(a.PaymentId)}";
        if (a.SentAt is { } sent)
        {
            yield return new(sent, "terminal", subject, $"shown on reader {OneLine.Of(a.Reader ?? "?", 60)}{In(a.ClientReference)}", a.RunId);
        }

        if (a.SettledAt is { } settled)
        {
            yield return new(settled, "terminal", subject, $"the reader's result: {(a.Outcome ?? "?").Replace('_', ' ')}{In(a.Reason)}{In(a.ProviderTransactionId)}");
        }
    }

    private static IEnumerable<Happening> Of(StockRow r)
    {
        var what = $"{Number(r.Quantity)} × {OneLine.Of(r.Product ?? $"product {Number(r.ProductId)}", 60)}";
        yield return new(r.CreatedAt, "stock", $"order {Number(r.OrderId)}", $"{what} reserved");
        if (r.ReleasedAt is { } released)
        {
            yield return new(released, "stock", $"order {Number(r.OrderId)}", $"{what} no longer reserved");
        }
    }

    private IEnumerable<Happening> Of(MailRow m)
    {
        var (subject, kind) = ($"mail {Number(m.Id)}", OneLine.Of(m.Kind, 60).Replace('_', ' '));
        yield return new(m.CreatedAt, "mail", subject, $"{kind} written{(m.UserId is null ? ", to staff" : "")}");
        if (m.SentAt is { } sent)
        {
            yield return new(sent, "mail", subject, $"{kind} delivered", m.ClaimedBy);
        }
        else if (m.Status is "unknown" or "failed")
        {
            yield return new(
                m.HandedOverAt ?? m.CreatedAt, "mail", subject,
                $"{kind} {(m.Status == "unknown" ? "handed over, and nobody knows whether it was delivered" : "not delivered")}{In(m.LastError)}", m.ClaimedBy);
        }
    }

    public static string Purpose(PaymentRow p) => (p.Purpose, p) switch
    {
        (_, { SubscriptionId: { } id }) => Text($"subscription {id}{(p.PeriodStart is { } start ? $", period from {start:yyyy-MM-dd}" : "")}"),
        (_, { OrderId: { } id }) => Text($"order {id}"),
        (_, { MembershipId: { } id }) => Text($"membership {id}"),
        ("subscription", _) => "a subscription",
        ("order", _) => "an order",
        ("membership", _) => "a membership",
        _ => "something else",
    };

    private static string In(string? text) => string.IsNullOrEmpty(text) ? "" : $" ({OneLine.Of(text, 120)})";

    private static string Times(int times) => times == 1 ? "once" : Text($"{times} times");

    private static string Number(long id) => id.ToString(CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
