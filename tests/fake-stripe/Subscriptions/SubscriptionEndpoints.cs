namespace Jobs.Testing.FakeStripe;

/// <summary>Subscriptions are made by seeding; they can be read, cancelled and marked.</summary>
internal static class SubscriptionEndpoints
{
    private static readonly string[] Statuses =
        ["active", "past_due", "unpaid", "canceled", "incomplete", "incomplete_expired", "trialing", "paused", "all", "ended"];

    public static IEnumerable<Endpoint> All()
    {
        yield return new("GET", "/v1/subscriptions", "list:subscription",
            Allow.List().Text("customer").Text("price").OneOf("status", Statuses).Range("current_period_end").Range("current_period_start")
                .OneOf("collection_method", "charge_automatically", "send_invoice").Ignored("automatic_tax", "customer_account", "plan", "test_clock"), List);
        yield return new("GET", "/v1/subscriptions/{id}", "subscription", Allow.Retrieve(), Get);
        yield return new("POST", "/v1/subscriptions/{id}", "subscription",
            new Allow().Flag("cancel_at_period_end").Text("default_payment_method").Metadata().Texts("expand")
                .Hash("pause_collection", new Allow().OneOf("behavior", "keep_as_draft", "mark_uncollectible", "void").Ignored("resumes_at"))
                .Ignored("cancellation_details", "proration_behavior", "payment_behavior", "description"), Update);
        yield return new("DELETE", "/v1/subscriptions/{id}", "subscription",
            new Allow().Flag("invoice_now").Flag("prorate").Texts("expand").Ignored("cancellation_details"), Cancel);
    }

    public static void End(World world, Subscription subscription)
    {
        subscription.Status = "canceled";
        subscription.CanceledAt ??= world.NowSeconds;
        subscription.EndedAt = world.NowSeconds;
        world.Emit("customer.subscription.deleted", subscription);
    }

    private static Page List(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var (customer, price, status) = (parameters.Text("customer"), parameters.Text("price"), parameters.Text("status"));
        return Page.Of(call, customer is null ? world.Subscriptions : world.SubscriptionsByCustomer[customer], "subscription", "/v1/subscriptions", subscription =>
            HasStatus(subscription, status)
            && (price is null || subscription.Items.Any(item => item.Price.Id == price))
            && Page.InRange(parameters["current_period_end"], subscription.PeriodEnd)
            && Page.InRange(parameters["current_period_start"], subscription.PeriodStart)
            && parameters.Text("collection_method") is null or "charge_automatically");
    }

    /// <summary>Without a status, canceled ones are hidden.</summary>
    private static bool HasStatus(Subscription subscription, string? status) => status switch
    {
        null => subscription.Status != "canceled",
        "all" => true,
        "ended" => subscription.Status is "canceled" or "incomplete_expired",
        _ => subscription.Status == status,
    };

    private static Subscription Get(Call call) =>
        call.World.Find<Subscription>(call.Id) ?? throw StripeError.Missing("subscription", call.Id, "id", 404);

    private static Subscription Update(Call call)
    {
        var (world, parameters, subscription) = (call.World, call.Parameters, Get(call));
        if (subscription.Status is "canceled" or "incomplete_expired")
            throw StripeError.Invalid("A canceled subscription can only update its cancellation_details and metadata.");
        if (parameters.Text("default_payment_method") is { } method)
        {
            if (world.Find<PaymentMethod>(method)?.Customer != subscription.Customer)
                throw StripeError.Invalid($"The customer does not have a payment method with the ID {method}. The payment method must be attached to the customer.", "default_payment_method", "resource_missing");
            subscription.DefaultPaymentMethod = method;
        }

        if (parameters.Text("cancel_at_period_end") is { } atEnd)
        {
            subscription.CancelAtPeriodEnd = atEnd == "true";
            subscription.CancelAt = subscription.CancelAtPeriodEnd ? subscription.PeriodEnd : null;
            subscription.CanceledAt = subscription.CancelAtPeriodEnd ? world.NowSeconds : null;
        }

        if (parameters["pause_collection"] is { } pause)
            subscription.PauseBehavior = pause.Text("behavior");
        subscription.Metadata = subscription.Metadata.With(parameters["metadata"]);
        world.Emit("customer.subscription.updated", subscription);
        return subscription;
    }

    private static Subscription Cancel(Call call)
    {
        var subscription = Get(call);
        if (subscription.Status == "canceled")
            throw StripeError.Missing("subscription", subscription.Id, "id", 404);
        End(call.World, subscription);
        return subscription;
    }
}
