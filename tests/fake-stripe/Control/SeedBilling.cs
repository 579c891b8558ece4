using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>Seeds what Stripe Billing and Checkout would have made: subscriptions, invoices, sessions.</summary>
internal static class SeedBilling
{
    /// <summary>Seeding an id again replaces the subscription: that is how its state changes behind our back.</summary>
    public static string Subscription(World world, JsonElement source)
    {
        var id = source.Text("id") ?? world.Ids.New("sub_");
        var before = world.Find<Subscription>(id);
        var created = source.Moment("created") ?? before?.Created ?? world.NowSeconds;
        var status = source.Text("status") ?? "active";
        var start = source.Moment("current_period_start") ?? created;
        var end = source.Moment("current_period_end") ?? DateTimeOffset.FromUnixTimeSeconds(start).AddMonths(1).ToUnixTimeSeconds();
        var price = source.Text("price") is { } known ? known : before?.Items[0].Price.Id ?? SeedBasics.Price(world, source.Get("price_data") ?? default);
        var subscription = new Subscription
        {
            Id = id,
            Created = created,
            Customer = source.Text("customer") ?? before?.Customer ?? throw new ControlException("a subscription needs a \"customer\""),
            Status = status,
            Currency = source.Text("currency") ?? "eur",
            Metadata = source.Get("metadata") is null && before is not null ? before.Metadata : SeedBasics.Metadata(source),
            CancelAtPeriodEnd = source.Bool("cancel_at_period_end") ?? false,
            CancelAt = source.Moment("cancel_at") ?? (source.Bool("cancel_at_period_end") == true ? end : null),
            CanceledAt = source.Moment("canceled_at") ?? (status == "canceled" ? world.NowSeconds : null),
            EndedAt = source.Moment("ended_at") ?? (status is "canceled" or "incomplete_expired" ? world.NowSeconds : null),
            StartDate = source.Moment("start_date") ?? created,
            TrialStart = source.Moment("trial_start"),
            TrialEnd = source.Moment("trial_end"),
            DefaultPaymentMethod = source.Text("default_payment_method"),
            LatestInvoice = source.Text("latest_invoice"),
            Items =
            [
                new SubscriptionItem
                {
                    Id = before?.Items[0].Id ?? world.Ids.New("si_", 14),
                    Created = created,
                    Subscription = id,
                    Price = world.Find<Price>(price) ?? throw new ControlException($"no price '{price}': seed it first"),
                    PeriodStart = start,
                    PeriodEnd = end,
                    Quantity = source.Long("quantity") ?? 1,
                },
            ],
        };
        if (before is not null)
        {
            world.Subscriptions.Remove(before);
            world.SubscriptionsByCustomer.Remove(before.Customer, before);
        }

        world.Register(subscription);
        world.Subscriptions.Add(subscription);
        world.SubscriptionsByCustomer.Add(subscription.Customer, subscription);
        if (source.Bool("events") != false)
            world.At(before is null ? DateTimeOffset.FromUnixTimeSeconds(created) : world.Now, () => world.Emit(EventType(before, subscription), subscription));
        return id;
    }

    public static string Invoice(World world, JsonElement source)
    {
        var created = source.Moment("created") ?? world.NowSeconds;
        var status = source.Text("status") ?? "paid";
        var subscription = world.Find<Subscription>(source.Text("subscription"));
        var amount = source.Long("amount_due") ?? 1000;
        var paidAt = source.Moment("paid_at") ?? (status == "paid" ? created : null);
        var invoice = world.Register(new Invoice
        {
            Id = source.Text("id") ?? world.Ids.New("in_"),
            Created = created,
            AmountDue = amount,
            AmountPaid = status == "paid" ? amount : 0,
            Currency = source.Text("currency") ?? "eur",
            Status = status,
            Customer = source.Text("customer") ?? subscription?.Customer,
            Subscription = source.Text("subscription"),
            SubscriptionMetadata = subscription?.Metadata ?? Metadata.Empty,
            BillingReason = source.Text("billing_reason") ?? (source.Text("subscription") is null ? "manual" : "subscription_cycle"),
            PeriodStart = source.Moment("period_start") ?? created,
            PeriodEnd = source.Moment("period_end") ?? created,
            Number = source.Text("number"),
            DueDate = source.Moment("due_date"),
            PaidAt = paidAt,
            Metadata = SeedBasics.Metadata(source),
        });
        world.Invoices.Add(invoice);
        world.InvoicesByCustomer.Add(invoice.Customer, invoice);
        world.InvoicesBySubscription.Add(invoice.Subscription, invoice);
        if (source.Bool("events") != false)
            world.At(DateTimeOffset.FromUnixTimeSeconds(paidAt ?? created), () => world.Emit(status == "paid" ? "invoice.paid" : "invoice.created", invoice));
        if (source.Text("payment_intent") is { } intent)
            Link(world, world.Ids.New("inpay_"), invoice, intent, status == "paid" ? "paid" : "open", created);
        return invoice.Id;
    }

    public static string InvoicePayment(World world, JsonElement source)
    {
        var invoice = world.Find<Invoice>(source.Text("invoice")) ?? throw new ControlException("an invoice_payment needs a seeded \"invoice\"");
        var intent = source.Text("payment_intent") ?? throw new ControlException("an invoice_payment needs a \"payment_intent\"");
        var id = source.Text("id") ?? world.Ids.New("inpay_");
        Link(world, id, invoice, intent, source.Text("status") ?? "paid", source.Moment("created") ?? invoice.Created);
        return id;
    }

    public static string CheckoutSession(World world, JsonElement source)
    {
        var created = source.Moment("created") ?? world.NowSeconds;
        var status = source.Text("status") ?? "open";
        var session = world.Register(new CheckoutSession
        {
            Id = source.Text("id") ?? world.Ids.New("cs_test_", 58),
            Created = created,
            Mode = source.Text("mode") ?? "payment",
            ExpiresAt = source.Moment("expires_at") ?? created + 86_400,
            Status = status,
            PaymentStatus = source.Text("payment_status") ?? (status == "complete" ? "paid" : "unpaid"),
            AmountTotal = source.Long("amount_total"),
            Currency = source.Text("currency"),
            Customer = source.Text("customer"),
            PaymentIntent = source.Text("payment_intent"),
            Subscription = source.Text("subscription"),
            ClientReferenceId = source.Text("client_reference_id"),
            Metadata = SeedBasics.Metadata(source),
        });
        world.CheckoutSessions.Add(session);
        world.CheckoutSessionsByPaymentIntent.Add(session.PaymentIntent, session);
        return session.Id;
    }

    private static string EventType(Subscription? before, Subscription now) =>
        before is null ? "customer.subscription.created"
        : now.Status == "canceled" && before.Status != "canceled" ? "customer.subscription.deleted"
        : "customer.subscription.updated";

    private static void Link(World world, string id, Invoice invoice, string intent, string status, long created)
    {
        var payment = world.Register(new InvoicePayment
        {
            Id = id,
            Created = created,
            Invoice = invoice.Id,
            PaymentIntent = intent,
            AmountRequested = invoice.AmountDue,
            AmountPaid = status == "paid" ? invoice.AmountDue : null,
            PaidAt = status == "paid" ? invoice.PaidAt ?? created : null,
            Currency = invoice.Currency,
            Status = status,
        });
        world.InvoicePayments.Add(payment);
        world.InvoicePaymentsByInvoice.Add(invoice.Id, payment);
        world.InvoicePaymentsByPaymentIntent.Add(intent, payment);
    }
}
