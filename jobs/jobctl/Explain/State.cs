using System.Globalization;
using Jobs.Mail;
using Words = Jobs.Counter.Words;

namespace Jobs.Explain;

/// <summary>How the subject stands now: its columns that say something, by name.</summary>
internal static class State
{
    /// <returns>Names and values, for a program; of what is null only the name stays.</returns>
    public static (string Name, object? Value)[] Of(Evidence e) => e.Subject.Kind switch
    {
        "payment" when e.Payments is [var p] =>
        [
            ("status", p.Status), ("amount_minor", p.AmountMinor), ("currency", p.Currency), ("amount_refunded_minor", p.AmountRefundedMinor), ("method", p.Method),
            ("purpose", p.Purpose), ("user_id", p.UserId), ("subscription_id", p.SubscriptionId), ("order_id", p.OrderId), ("membership_id", p.MembershipId),
            ("provider_payment_id", p.ProviderPaymentId), ("provider_payment_method_id", p.ProviderPaymentMethodId), ("period_start", p.PeriodStart),
            ("attempt", p.Attempt), ("failure_code", p.FailureCode), ("dispute", p.ProviderDisputeStatus), ("receipt", p.Receipt), ("reference", p.Reference),
            ("created_at", p.CreatedAt), ("sent_at", p.SentAt), ("succeeded_at", p.SucceededAt), ("next_check_at", p.NextCheckAt),
        ],
        "subscription" when e.Subscriptions is [var s] =>
        [
            ("status", s.Status), ("plan", s.Plan), ("amount_minor", s.AmountMinor), ("currency", s.Currency), ("user_id", s.UserId), ("started_at", s.StartedAt), ("ended_at", s.EndedAt),
            ("auto_renew", s.AutoRenew), ("cancel_at_period_end", s.CancelAtPeriodEnd), ("payment_id", s.PaymentId), ("provider_subscription_id", s.ProviderSubscriptionId),
            ("retry_count", s.RetryCount), ("retries_spent", s.NextAttemptAt?.Year > 9000), ("next_attempt_at", s.NextAttemptAt?.Year > 9000 ? null : s.NextAttemptAt),
            ("last_decline_code", s.LastDeclineCode),
        ],
        "order" when e.Orders is [var o] =>
        [
            ("status", o.Status), ("total_minor", o.TotalMinor), ("currency", o.Currency), ("payment_intent_id", o.PaymentIntentId), ("user_id", e.User?.Id),
            ("created_at", o.CreatedAt), ("expires_at", o.ExpiresAt),
        ],
        "membership" when e.Memberships is [var m] =>
        [
            ("type", m.Type), ("start_date", m.StartDate), ("end_date", m.EndDate), ("reduced_price", m.ReducedPrice), ("user_id", e.User?.Id),
            ("payment_id", m.PaymentId), ("recorded_by", m.RecordedBy), ("canceled_at", m.CanceledAt),
        ],
        "user" when e.User is { } u =>
        [
            ("name", u.Name), ("email", u.Email), ("role", u.Role), ("provider_customer_id", u.ProviderCustomerId), ("default_payment_method_id", u.DefaultPaymentMethodId),
            ("subscriptions", e.Subscriptions.Count(s => s.Status is "active" or "past_due")), ("payments", e.Payments.Count), ("orders", e.Orders.Count), ("memberships", e.Memberships.Count),
        ],
        _ when e.Unmatched.FirstOrDefault(u => u.Id == e.Subject.Id) is { } u =>
        [
            ("provider_payment_id", u.ProviderPaymentId), ("reason", u.Reason), ("created_at", u.CreatedAt), ("reported_at", u.ReportedAt), ("resolved_at", u.ResolvedAt),
            ("resolution", u.Resolution),
        ],
        _ => [],
    };

    /// <returns>The same in one line, for a person.</returns>
    public static string Line(Evidence e, Billing.BusinessZone zone)
    {
        var said = new List<string>();
        var values = Of(e);
        foreach (var (name, value) in values)
        {
            var text = (name, value) switch
            {
                (_, null) or (_, false) or ("amount_refunded_minor" or "retry_count", 0 or 0L) or ("currency", _) => "",
                ("amount_minor" or "total_minor" or "amount_refunded_minor", long minor) =>
                    $"{(name == "amount_refunded_minor" ? "refunded " : "")}{Words.Money(minor, (string)values.First(v => v.Name == "currency").Value!)}",
                ("status" or "name" or "email" or "type", string plain) => OneLine.Of(plain),
                (_, true) => name.Replace('_', ' '),
                (_, DateTime at) => $"{Name(name)} {Words.When(at, e.Now, zone)}",
                (_, DateOnly date) => $"{Name(name)} {date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}",
                _ => $"{Name(name)} {OneLine.Of(Convert.ToString(value, CultureInfo.InvariantCulture), 80)}",
            };
            if (text.Length > 0)
            {
                said.Add(text);
            }
        }

        return string.Join(", ", said);
    }

    private static string Name(string name) =>
        (name.EndsWith("_id", StringComparison.Ordinal) || name.EndsWith("_at", StringComparison.Ordinal) ? name[..^3] : name).Replace('_', ' ');
}
