using System.Globalization;
using Jobs.Tests.Rig;

namespace Jobs.Demo;

/// <summary>Puts the business into the database and its other half into the provider.</summary>
internal static class Seeding
{
    /// <summary>A payment at the provider that nobody can tie to anything: no customer, no metadata.</summary>
    public const string Stranger = "pi_stranger";

    public static readonly int InvoicesPaid = 6;
    public static readonly int CanceledAtStripe = 3;

    public static async Task IntoDatabaseAsync(Database database, Business business, History history)
    {
        await database.InsertAsync("plans", Business.Plans);
        await database.InsertAsync("users", [.. business.Members.Concat(business.People).Select(User)]);
        await database.InsertAsync("subscriptions", [.. business.Members.Select(m => Subscription(m, business.Now))]);
        await database.InsertAsync("payments", history.Payments);
        await database.InsertAsync("receipts", [.. history.Receipts]);
        await database.InsertAsync("receipt_counters", [.. history.Counters]);
        await database.ExecuteAsync(
            """
            UPDATE subscriptions AS s
            SET payment_id = (SELECT max(id) FROM payments AS p WHERE p.subscription_id = s.id AND p.status = 'succeeded')
            """);
        foreach (var table in new[] { "plans", "users", "subscriptions", "payments", "receipts" })
            await database.ExecuteAsync($"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))");
        await database.ExecuteAsync("ANALYZE");
    }

    private static UserRow User(Member m) => new(
        m.Id, m.Email, m.Name, m.Locale, m.Customer, m.Situation == Situation.NoCard ? null : m.Card, m.PeriodStart(m.Periods + 1));

    private static SubscriptionRow Subscription(Member m, DateTime now) => new(
        m.Id, m.Id, m.Plan.Id,
        m.Situation switch
        {
            Situation.Canceled => "canceled",
            Situation.Expired => "expired",
            Situation.Paused => "paused",
            Situation.RetriedToday or Situation.PaidBehindOurBack or Situation.RetriesSpent => "past_due",
            _ => "active",
        },
        m.PeriodStart(m.Periods), m.EndedAt,
        AutoRenew: m.Situation is not (Situation.Lapsed or Situation.InGrace or Situation.Canceled) || m.Id % 2 == 0,
        CancelAtPeriodEnd: m.EndsWithPeriod,
        m.Situation == Situation.BilledByStripe ? BillingId(m) : null,
        RetryCount: m.Situation switch { Situation.RetriedToday or Situation.PaidBehindOurBack => 1, Situation.RetriesSpent => 4, _ => 0 },
        NextAttemptAt: m.Situation switch
        {
            Situation.RetriedToday or Situation.PaidBehindOurBack => now.AddMinutes(-30).ToString("O", CultureInfo.InvariantCulture),
            Situation.RetriesSpent => "infinity",
            _ => null,
        },
        LastDeclineCode: m.Situation is Situation.RetriedToday or Situation.PaidBehindOurBack or Situation.RetriesSpent ? "insufficient_funds" : null);

    public static async Task IntoProviderAsync(FakeStripeProcess stripe, Business business, History history)
    {
        await stripe.SeedAsync(new { customers = business.Members.Concat(business.People).Select(Customer) });
        await stripe.SeedAsync(new { payment_intents = history.Payments.Where(p => p.ProviderPaymentId is not null).Select(p => Intent(p, business)) });
        await stripe.SeedAsync(new
        {
            payment_intents = business.People.Where(p => Business.CheckoutOf(p) == Checkout.Unrecorded).Select(p => new
            {
                id = $"pi_unrecorded{p.Id}",
                amount = p.Plan.AmountMinor,
                currency = p.Plan.Currency,
                customer = p.Customer,
                payment_method = p.Card,
                status = "succeeded",
                created = Unix(business.Now.AddMinutes(-15)),
                metadata = new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    ["user_id"] = p.Id.ToString(CultureInfo.InvariantCulture),
                    ["purpose"] = "subscription",
                    ["plan"] = p.Plan.Code,
                },
            }),
        });
        await stripe.SeedAsync(new
        {
            payment_intents = new[] { new { id = Stranger, amount = 4200, currency = "eur", status = "succeeded", created = Unix(business.Now.AddMinutes(-12)) } },
        });
        await InvoicesAsync(stripe, business);
    }

    /// <summary>Renewals that Stripe Billing charged by itself this morning.</summary>
    private static async Task InvoicesAsync(FakeStripeProcess stripe, Business business)
    {
        var paid = business.In(Situation.BilledByStripe).Take(InvoicesPaid).ToList();
        var at = Unix(business.Now.AddMinutes(-25));
        await stripe.SeedAsync(new
        {
            prices = Business.Plans.Select(p => new { id = $"price_{p.Code}", product_data = new { name = p.Name }, unit_amount = p.AmountMinor, currency = p.Currency, interval = p.IntervalUnit, lookup_key = p.Code }),
            subscriptions = business.In(Situation.BilledByStripe).Select((m, i) => new
            {
                id = BillingId(m),
                customer = m.Customer,
                price = $"price_{m.Plan.Code}",
                status = i >= InvoicesPaid && i < InvoicesPaid + CanceledAtStripe ? "canceled" : "active",
                current_period_end = Unix(BilledUntil(m, business.Now)),
                created = Unix(m.PeriodStart(m.Periods)),
            }),
        });
        await stripe.SeedAsync(new
        {
            payment_intents = paid.Select(m => new { id = $"pi_invoice{m.Id}", amount = m.Plan.AmountMinor, currency = m.Plan.Currency, customer = m.Customer, payment_method = m.Card, status = "succeeded", created = at }),
            invoices = paid.Select(m => new { id = $"in_{m.Id}", subscription = BillingId(m), status = "paid", amount_due = m.Plan.AmountMinor, currency = m.Plan.Currency, payment_intent = $"pi_invoice{m.Id}", created = at }),
        });
    }

    /// <summary>Stripe has renewed whatever ended, on the day.</summary>
    public static DateTime BilledUntil(Member m, DateTime now)
    {
        var end = m.EndedAt;
        while (end < now)
            end = m.Plan.IntervalUnit switch { "week" => end.AddDays(7), "year" => end.AddYears(1), _ => end.AddMonths(1) };
        return end;
    }

    private static string BillingId(Member m) => $"sub_{m.Id:D5}";

    private static object Customer(Member m) => new
    {
        id = m.Customer,
        email = m.Email,
        name = m.Name,
        payment_methods = m.Situation == Situation.CardReplaced
            ? new[] { new { id = m.Card, behaviour = "success", detached = false }, new { id = m.LastCard, behaviour = "success", detached = true } }
            : [new { id = m.Card, behaviour = Behaviour(m), detached = false }],
    };

    private static string Behaviour(Member m) => m.Situation switch
    {
        Situation.SoftDecline => m.Id % 3 == 0 ? "processing_error" : "insufficient_funds",
        Situation.HardDecline => m.Id % 2 == 0 ? "lost_card" : "expired_card",
        Situation.ThreeDSecure => "authentication_required",
        Situation.SlowBank => "processing_then_succeed:1",
        _ => "success",
    };

    private static object Intent(PaymentRow p, Business business)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["payment_id"] = p.Id.ToString(CultureInfo.InvariantCulture),
            ["user_id"] = p.UserId.ToString(CultureInfo.InvariantCulture),
            ["purpose"] = p.Purpose,
            ["plan"] = Business.Plans[(int)p.PlanId - 1].Code,
        };
        if (p.SubscriptionId is { } subscription)
        {
            metadata["subscription_id"] = subscription.ToString(CultureInfo.InvariantCulture);
            metadata["period_start"] = p.PeriodStart!.Value.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        }

        var (status, decline) = Fate(p, business);
        var (refunded, dispute) = MoneyBack(p, business);
        return new
        {
            id = p.ProviderPaymentId,
            amount = p.AmountMinor,
            currency = p.Currency,
            customer = p.ProviderCustomerId,
            // A replaced card is no longer the customer's: what was paid with it stays paid.
            payment_method = p.ProviderPaymentMethodId?.EndsWith("_old", StringComparison.Ordinal) == true ? null : p.ProviderPaymentMethodId,
            status,
            decline,
            amount_refunded = refunded,
            dispute,
            reversed_at = Unix(business.Now.AddHours(-6)),
            created = Unix(p.CreatedAt),
            events = p.Status != "succeeded",
            metadata,
        };
    }

    /// <summary>Of the last payment of those who got money back.</summary>
    private static (long? Refunded, string? Dispute) MoneyBack(PaymentRow p, Business business)
    {
        var who = business.MoneyBack.ToList().FindIndex(m => m.Id == p.SubscriptionId && p.PeriodStart == Business.Zone.Date(m.PeriodStart(1)));
        return who switch { 0 => (p.AmountMinor, null), 1 => (p.AmountMinor / 2, null), 2 => (null, "lost"), _ => (null, null) };
    }

    private static (string Status, string? Decline) Fate(PaymentRow p, Business business)
    {
        if (p.Status == "succeeded")
            return ("succeeded", null);
        if (p.SubscriptionId is { } id)
            return business.Members[(int)id - 1].Situation == Situation.PaidBehindOurBack ? ("succeeded", null) : ("requires_payment_method", "insufficient_funds");
        return Business.CheckoutOf(business.People[(int)p.UserId - Business.Subscriptions - 1]) switch
        {
            Checkout.Paid or Checkout.AbandonedButPaid => ("succeeded", null),
            Checkout.Refused => ("requires_payment_method", "generic_decline"),
            Checkout.StillOpen => ("requires_action", null),
            _ => ("requires_payment_method", null),
        };
    }

    private static long Unix(DateTime at) => new DateTimeOffset(DateTime.SpecifyKind(at, DateTimeKind.Utc)).ToUnixTimeSeconds();
}
