using System.Globalization;

namespace Jobs.Demo;

/// <summary>What happened before today: past payments with their receipts, attempts that failed, checkouts left open.</summary>
internal sealed class History
{
    private readonly List<PaymentRow> _payments = [];
    private readonly DateTime _now;

    public History(Business business)
    {
        _now = business.Now;
        foreach (var member in business.Members)
        {
            for (var back = member.Periods; back >= 1; back--)
                _payments.Add(Paid(member, member.PeriodStart(back), _payments.Count));
            if (member.Situation is Situation.RetriedToday or Situation.PaidBehindOurBack or Situation.RetriesSpent)
                _payments.Add(FailedRenewal(member));
        }

        Checkouts(business.People);
        // Ids and receipt numbers in the order of time, as a living system would have given them.
        Payments = [.. _payments.OrderBy(p => p.SucceededAt ?? p.CreatedAt).Select((p, i) => p with { Id = i + 1 })];
    }

    public IReadOnlyList<PaymentRow> Payments { get; }

    public IEnumerable<ReceiptRow> Receipts => Payments
        .Where(p => p.SucceededAt is not null)
        .GroupBy(p => Business.Zone.Date(p.SucceededAt!.Value).Year)
        .SelectMany(year => year.Select((p, i) => new ReceiptRow(
            string.Create(CultureInfo.InvariantCulture, $"{year.Key}-{i + 1:D6}"), p.Id, p.SucceededAt!.Value, p.AmountMinor, p.Currency)));

    public IEnumerable<CounterRow> Counters => Receipts
        .GroupBy(r => int.Parse(r.Number.AsSpan(0, 4), CultureInfo.InvariantCulture))
        .Select(year => new CounterRow("R", year.Key, year.Count(), year.Max(r => r.IssuedAt)));

    private static PaymentRow Paid(Member member, DateTime start, int n)
    {
        var at = start.AddMinutes(1 + (n % 50));
        return Payment(member, "succeeded", at) with
        {
            ProviderPaymentId = string.Create(CultureInfo.InvariantCulture, $"pi_past{n:D6}"),
            ProviderPaymentMethodId = member.LastCard,
            PeriodStart = Business.Zone.Date(start),
            SucceededAt = at,
            ProviderEndedAt = at,
        };
    }

    private static PaymentRow FailedRenewal(Member member) => Payment(member, "failed", member.EndedAt.AddMinutes(10)) with
    {
        ProviderPaymentId = $"pi_declined{member.Id:D5}",
        ProviderPaymentMethodId = member.Card,
        PeriodStart = Business.Zone.Date(member.EndedAt),
        FailureCode = "insufficient_funds",
    };

    /// <summary>Payments that an application began and did not finish, or not here.</summary>
    private void Checkouts(IReadOnlyList<Member> people)
    {
        for (var i = 0; i < people.Count; i++)
        {
            var id = $"pi_checkout{i + 1:D2}";
            var pending = Payment(people[i], "pending", _now.AddMinutes(-20 - i)) with { SubscriptionId = null };
            switch (Business.CheckoutOf(people[i]))
            {
                case Checkout.Paid or Checkout.Refused or Checkout.StillOpen:
                    _payments.Add(pending with { ProviderPaymentId = id });
                    break;
                case Checkout.Abandoned or Checkout.AbandonedButPaid:
                    _payments.Add(pending with { ProviderPaymentId = id, CreatedAt = _now.AddDays(-8 - i) });
                    break;
                case Checkout.NeverReachedStripe:
                    _payments.Add(pending with { CreatedAt = _now.AddDays(-9) });
                    break;
                default:
                    // Stripe knows of a payment; this database does not.
                    break;
            }
        }
    }

    private static PaymentRow Payment(Member member, string status, DateTime at) => new(
        0, member.Id, member.Id, member.Plan.Id, "subscription", member.Plan.AmountMinor, member.Plan.Currency, status, "card", "stripe",
        null, null, member.Customer, null, 1, null, at, null, null);
}
