namespace Jobs.Testing.FakeStripe;

internal static class PaymentIntentEndpoints
{
    private static readonly string[] Inert =
    [
        "amount_details", "application_fee_amount", "customer_account", "hooks", "mandate", "mandate_data",
        "on_behalf_of", "payment_details", "payment_method_configuration", "payment_method_data", "payment_method_options",
        "radar_options", "shipping", "transfer_data", "use_stripe_sdk", "excluded_payment_method_types", "confirmation_token",
    ];

    public static IEnumerable<Endpoint> All()
    {
        yield return new("POST", "/v1/payment_intents", "payment_intent", Shared(Confirming(
            new Allow().Int("amount", required: true).Text("currency", required: true).Flag("confirm").OneOf("confirmation_method", "automatic", "manual")
                .Hash("automatic_payment_methods", new Allow().Flag("enabled").OneOf("allow_redirects", "always", "never")))), Create);
        yield return new("GET", "/v1/payment_intents", "list:payment_intent", Allow.List().Text("customer").Ignored("customer_account"), List);
        yield return new("GET", "/v1/payment_intents/{id}", "payment_intent", Allow.Retrieve().Text("client_secret"), call => Get(call));
        yield return new("POST", "/v1/payment_intents/{id}", "payment_intent", Shared(new Allow().Int("amount").Text("currency")), Update);
        yield return new("POST", "/v1/payment_intents/{id}/confirm", "payment_intent",
            Confirming(new Allow().Text("payment_method").Text("receipt_email").OneOf("capture_method", "automatic", "automatic_async", "manual")
                .OneOf("setup_future_usage", "off_session", "on_session").Texts("expand").Ignored("allowed_payment_method_types", "amount_to_confirm").Ignored(Inert)
                .RemovedIn(StripeVersions.Endive, "payment_method_types")), Confirm);
        yield return new("POST", "/v1/payment_intents/{id}/cancel", "payment_intent",
            new Allow().OneOf("cancellation_reason", "abandoned", "duplicate", "fraudulent", "requested_by_customer").Texts("expand"), Cancel);
        yield return new("POST", "/v1/payment_intents/{id}/capture", "payment_intent",
            new Allow().Int("amount_to_capture").Flag("final_capture").Metadata().Texts("expand")
                .Ignored("amount_details", "application_fee_amount", "hooks", "payment_details", "statement_descriptor", "statement_descriptor_suffix", "transfer_data"), Capture);
        yield return new("GET", "/v1/payment_intents/search", "list:payment_intent",
            new Allow().Text("query", required: true).Text("page").Int("limit").Texts("expand"), PaymentIntentSearch.Run);
    }

    private static Allow Confirming(Allow allow) => allow
        .OneOf("off_session", "true", "false", "one_off", "recurring").Flag("error_on_requires_action").Text("return_url");

    private static Allow Shared(Allow allow) => allow
        .Text("customer").Text("payment_method").Text("description").Text("receipt_email").Text("statement_descriptor")
        .Text("statement_descriptor_suffix").Text("transfer_group").Metadata().Texts("expand").Ignored("allowed_payment_method_types").Ignored(Inert)
        .OneOf("capture_method", "automatic", "automatic_async", "manual").OneOf("setup_future_usage", "", "off_session", "on_session")
        .RemovedIn(StripeVersions.Endive, "payment_method_types");

    private static PaymentIntent Create(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var currency = parameters.Text("currency")!;
        Currencies.Check(currency, parameters.Int("amount")!.Value);
        var confirm = parameters.Flag("confirm");
        foreach (var name in new[] { "off_session", "error_on_requires_action" })
        {
            if (!confirm && parameters.Text(name) is not null and not "false")
                throw StripeError.Invalid($"`{name}` can only be set on a PaymentIntent that is being confirmed: also set `confirm` to `true`.", name);
        }

        var customer = parameters.Text("customer") is { } id ? CustomerEndpoints.Existing(world, id, "customer", 400) : null;
        var method = parameters.Text("payment_method") is { } given ? Usable(world, given, customer?.Id) : null;
        if (confirm && method is null)
            throw StripeError.Invalid(MissingMethod, "payment_method", "payment_intent_unexpected_state");

        var redirects = parameters["automatic_payment_methods"]?.Text("allow_redirects") != "never";
        if (confirm)
            RequireReturnUrl(parameters, redirects);

        var intent = PaymentFlow.Add(world, new PaymentIntent
        {
            Id = world.Ids.New("pi_"),
            Created = world.NowSeconds,
            Amount = parameters.Int("amount")!.Value,
            Currency = currency,
            Customer = customer?.Id,
            PaymentMethod = method?.Id,
            RedirectsAllowed = redirects,
            Status = method is null ? "requires_payment_method" : "requires_confirmation",
        });
        Assign(intent, parameters);
        world.Emit("payment_intent.created", intent);
        if (confirm)
            PaymentFlow.Attempt(world, intent, method!, OffSession(parameters), parameters.Flag("error_on_requires_action"));
        return intent;
    }

    private static Page List(Call call) => Page.Of(
        call,
        call.Parameters.Text("customer") is { } customer ? call.World.PaymentIntentsByCustomer[customer] : call.World.PaymentIntents,
        "payment_intent",
        "/v1/payment_intents");

    private static PaymentIntent Get(Call call) =>
        call.World.Find<PaymentIntent>(call.Id) ?? throw StripeError.Missing("payment_intent", call.Id, "intent", 404);

    private static PaymentIntent Update(Call call)
    {
        var (world, parameters, intent) = (call.World, call.Parameters, Get(call));
        foreach (var name in new[] { "amount", "currency", "customer", "payment_method" })
        {
            if (parameters.Has(name) && intent.Status is not ("requires_payment_method" or "requires_confirmation" or "requires_action"))
                throw StripeError.UnexpectedState(intent, $"This PaymentIntent's {name} could not be updated because it has a status of {intent.Status}. You may only update the {name} of a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action.");
        }

        Currencies.Check(parameters.Text("currency") ?? intent.Currency, parameters.Int("amount") ?? intent.Amount);
        var customer = parameters.Text("customer") is { } id ? CustomerEndpoints.Existing(world, id, "customer", 400).Id : intent.Customer;
        if (parameters.Text("payment_method") is { } method)
        {
            intent.PaymentMethod = Usable(world, method, customer).Id;
            intent.Status = "requires_confirmation";
        }

        if (customer != intent.Customer)
        {
            world.PaymentIntentsByCustomer.Remove(intent.Customer, intent);
            intent.Customer = customer;
            world.PaymentIntentsByCustomer.Add(customer, intent);
        }

        intent.Amount = parameters.Int("amount") ?? intent.Amount;
        intent.Currency = parameters.Text("currency") ?? intent.Currency;
        Assign(intent, parameters);
        intent.ChangedAt = world.NowSeconds;
        return intent;
    }

    private static PaymentIntent Confirm(Call call)
    {
        var (world, parameters, intent) = (call.World, call.Parameters, Get(call));
        if (intent.Status == "succeeded")
            throw StripeError.UnexpectedState(intent, "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.");
        if (intent.Status is "canceled" or "processing" or "requires_capture")
            throw StripeError.UnexpectedState(intent, $"You cannot confirm this PaymentIntent because it has a status of {intent.Status}. Only a PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action.");

        var named = parameters.Text("payment_method") ?? intent.PaymentMethod;
        if (named is null)
            throw StripeError.UnexpectedState(intent, MissingMethod);
        var method = parameters.Has("payment_method") || intent.Customer is not null
            ? Usable(world, named, intent.Customer)
            : PaymentMethodEndpoints.Resolve(world, named, "payment_method", 400);
        RequireReturnUrl(parameters, intent.RedirectsAllowed);
        Assign(intent, parameters);
        PaymentFlow.Attempt(world, intent, method, OffSession(parameters), parameters.Flag("error_on_requires_action"));
        return intent;
    }

    private static PaymentIntent Cancel(Call call)
    {
        var intent = Get(call);
        if (intent.Status is not ("requires_payment_method" or "requires_capture" or "requires_confirmation" or "requires_action"))
            throw StripeError.UnexpectedState(intent, $"You cannot cancel this PaymentIntent because it has a status of {intent.Status}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.");
        if (CheckoutSessionEndpoints.OpenFor(call.World, intent.Id) is { } session)
            throw StripeError.Invalid($"You cannot cancel this PaymentIntent because it belongs to the open Checkout Session {session.Id}. Expire the Checkout Session instead.");
        PaymentFlow.Cancel(call.World, intent, call.Parameters.Text("cancellation_reason"));
        return intent;
    }

    private static PaymentIntent Capture(Call call)
    {
        var intent = Get(call);
        if (intent.Status != "requires_capture")
            throw StripeError.UnexpectedState(intent, $"This PaymentIntent could not be captured because it has a status of {intent.Status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.");
        var amount = call.Parameters.Int("amount_to_capture") ?? intent.AmountCapturable;
        if (amount < 1 || amount > intent.AmountCapturable)
            throw StripeError.Invalid($"The remaining amount you can capture for this PaymentIntent is {intent.AmountCapturable}.", "amount_to_capture", "amount_too_large");
        intent.Metadata = intent.Metadata.With(call.Parameters["metadata"]);
        PaymentFlow.Capture(call.World, intent, amount);
        return intent;
    }

    private const string MissingMethod = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.";

    private static bool OffSession(Param parameters) => parameters.Text("off_session") is not null and not "false";

    private static void RequireReturnUrl(Param parameters, bool redirects)
    {
        if (redirects && parameters.Text("return_url") is null)
            throw StripeError.Invalid("This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.", "return_url");
    }

    /// <summary>A test card is good for anybody; a stored method only for the customer it is attached to.</summary>
    private static PaymentMethod Usable(World world, string id, string? customer)
    {
        var method = PaymentMethodEndpoints.Resolve(world, id, "payment_method", 400);
        if (TestCard.ByName.ContainsKey(id) || (method.Customer == customer && !method.Detached))
            return method;
        if (customer is not null && (method.FromTestCard is null || method.Detached || method.Customer is not null))
            throw StripeError.Invalid($"The customer does not have a payment method with the ID {id}. The payment method must be attached to the customer.", "payment_method");
        if (customer is not null)
            return method;
        throw StripeError.Invalid(
            method.Customer is not null
                ? "The payment method you provided is attached to a customer so for security purposes you must provide the customer in the request."
                : "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may not be used again.",
            "payment_method");
    }

    private static void Assign(PaymentIntent intent, Param parameters)
    {
        intent.Metadata = intent.Metadata.With(parameters["metadata"]);
        intent.CaptureMethod = parameters.Text("capture_method") ?? intent.CaptureMethod;
        intent.Description = parameters.Has("description") ? parameters.Text("description") : intent.Description;
        intent.ReceiptEmail = parameters.Has("receipt_email") ? parameters.Text("receipt_email") : intent.ReceiptEmail;
        intent.SetupFutureUsage = parameters.Has("setup_future_usage") ? parameters.Text("setup_future_usage") : intent.SetupFutureUsage;
        intent.StatementDescriptor = parameters.Text("statement_descriptor") ?? intent.StatementDescriptor;
        intent.StatementDescriptorSuffix = parameters.Text("statement_descriptor_suffix") ?? intent.StatementDescriptorSuffix;
        intent.TransferGroup = parameters.Text("transfer_group") ?? intent.TransferGroup;
    }
}
