namespace Jobs.Testing.FakeStripe;

internal sealed class CheckoutSession : StripeObject
{
    public required string Mode { get; init; }
    public required long ExpiresAt { get; init; }
    public required string Status { get; set; }
    public required string PaymentStatus { get; set; }
    public long? AmountTotal { get; init; }
    public string? Currency { get; init; }
    public string? Customer { get; init; }
    public string? PaymentIntent { get; init; }
    public string? Subscription { get; init; }
    public string? ClientReferenceId { get; init; }

    public override string? LockCustomer => Customer ?? Id;

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "checkout.session");
        json.Nulls("adaptive_pricing", "after_expiration", "allow_promotion_codes", "allowed_payment_method_types");
        json.Number("amount_subtotal", AmountTotal);
        json.Number("amount_total", AmountTotal);
        json.Begin("automatic_tax");
        json.Flag("enabled", value: false);
        json.Nulls("liability", "provider", "status");
        json.End();
        json.Nulls("billing_address_collection", "cancel_url");
        json.Text("client_reference_id", ClientReferenceId);
        json.Nulls("client_secret", "collected_information", "consent", "consent_collection");
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.Null("currency_conversion");
        json.EmptyArray("custom_fields");
        json.Begin("custom_text");
        json.Nulls("after_submit", "shipping_address", "submit", "terms_of_service_acceptance");
        json.End();
        json.Reference("customer", Customer);
        json.Nulls("customer_account", "customer_creation", "customer_details", "customer_email", "discounts");
        json.Number("expires_at", ExpiresAt);
        json.Nulls("integration_identifier", "invoice", "invoice_creation");
        json.Flag("livemode", json.World.Config.Live);
        json.Nulls("locale", "managed_payments");
        Metadata.Write(json);
        json.Text("mode", Mode);
        json.Null("origin_context");
        json.Reference("payment_intent", PaymentIntent);
        json.Nulls("payment_link", "payment_method_collection", "payment_method_configuration_details", "payment_method_options");
        json.BeginArray("payment_method_types");
        json.Item("card");
        json.EndArray();
        json.Text("payment_status", PaymentStatus);
        json.Nulls("permissions", "recovered_from", "saved_payment_method_options", "setup_intent", "shipping_address_collection", "shipping_cost");
        json.EmptyArray("shipping_options");
        json.Text("status", Status);
        json.Null("submit_type");
        json.Reference("subscription", Subscription);
        json.Nulls("success_url", "total_details");
        json.Text("ui_mode", "hosted_page");
        json.Text("url", Status == "open" ? $"https://checkout.stripe.com/c/pay/{Id}" : null);
        json.Null("wallet_options");
        json.End();
    }
}

/// <summary>Checkout Sessions are made by seeding; they can be read and expired.</summary>
internal static class CheckoutSessionEndpoints
{
    public static IEnumerable<Endpoint> All()
    {
        yield return new("GET", "/v1/checkout/sessions", "list:checkout.session",
            Allow.List().Text("customer").Text("payment_intent").Text("subscription").OneOf("status", "complete", "expired", "open")
                .Ignored("customer_account", "customer_details", "payment_link"), List);
        yield return new("GET", "/v1/checkout/sessions/{id}", "checkout.session", Allow.Retrieve(), Get);
        yield return new("POST", "/v1/checkout/sessions/{id}/expire", "checkout.session", new Allow().Texts("expand"), Expire);
    }

    public static CheckoutSession? OpenFor(World world, string intent)
    {
        var sessions = world.CheckoutSessionsByPaymentIntent[intent];
        for (var i = 0; i < sessions.Count; i++)
        {
            if (sessions[i].Status == "open")
                return sessions[i];
        }

        return null;
    }

    private static Page List(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var (customer, intent, subscription, status) = (parameters.Text("customer"), parameters.Text("payment_intent"), parameters.Text("subscription"), parameters.Text("status"));
        return Page.Of(call, intent is null ? world.CheckoutSessions : world.CheckoutSessionsByPaymentIntent[intent], "checkout.session", "/v1/checkout/sessions", session =>
            (customer is null || session.Customer == customer)
            && (subscription is null || session.Subscription == subscription)
            && (status is null || session.Status == status));
    }

    private static CheckoutSession Get(Call call) =>
        call.World.Find<CheckoutSession>(call.Id) ?? throw StripeError.Missing("checkout.session", call.Id, "session", 404);

    /// <summary>Expiring a session cancels its PaymentIntent, which cannot be cancelled by itself.</summary>
    private static CheckoutSession Expire(Call call)
    {
        var session = Get(call);
        if (session.Status != "open")
            throw StripeError.Invalid($"Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of {session.Status}.");
        session.Status = "expired";
        if (call.World.Find<PaymentIntent>(session.PaymentIntent) is { Status: not ("succeeded" or "canceled" or "processing") } intent)
            PaymentFlow.Cancel(call.World, intent, reason: null);
        call.World.Emit("checkout.session.expired", session);
        return session;
    }
}
