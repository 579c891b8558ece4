namespace Jobs.Testing.FakeStripe;

internal static class PaymentMethodEndpoints
{
    public static IEnumerable<Endpoint> All()
    {
        yield return new("POST", "/v1/payment_methods", "payment_method",
            new Allow().Text("type").Hash("card", new Allow().Text("number").Text("token").Ignored("exp_month", "exp_year", "cvc"))
                .Hash("billing_details", new Allow().Text("name").Text("email").Ignored("phone", "address", "tax_id"))
                .Metadata().Texts("expand").Ignored("allow_redisplay"), Create);
        yield return new("GET", "/v1/payment_methods", "list:payment_method",
            Allow.List().Text("customer").Text("type").Ignored("allow_redisplay"), List);
        yield return new("GET", "/v1/payment_methods/{id}", "payment_method", Allow.Retrieve(), call => Get(call, call.Id));
        yield return new("POST", "/v1/payment_methods/{id}/attach", "payment_method",
            new Allow().Text("customer", required: true).Texts("expand"), Attach);
        yield return new("POST", "/v1/payment_methods/{id}/detach", "payment_method", new Allow().Texts("expand"), Detach);
        yield return new("GET", "/v1/customers/{id}/payment_methods", "list:payment_method",
            Allow.List().Text("type").Ignored("allow_redisplay"), OfCustomer);
        yield return new("GET", "/v1/customers/{customer}/payment_methods/{id}", "payment_method", Allow.Retrieve(), OneOfCustomer);
    }

    /// <summary>A stored payment method, or a new one when a test card is named.</summary>
    public static PaymentMethod Resolve(World world, string id, string parameter, int status)
    {
        if (TestCard.ByName.TryGetValue(id, out var card))
            return card.Create(world);
        return world.Find<PaymentMethod>(id) ?? throw StripeError.Missing("PaymentMethod", id, parameter, status);
    }

    public static void AttachTo(World world, PaymentMethod method, Customer customer)
    {
        method.Customer = customer.Id;
        world.PaymentMethodsByCustomer.Add(customer.Id, method);
        world.Emit("payment_method.attached", method);
    }

    public static void DetachFrom(World world, PaymentMethod method)
    {
        world.PaymentMethodsByCustomer.Remove(method.Customer, method);
        if (world.Find<Customer>(method.Customer) is { } customer && customer.DefaultPaymentMethod == method.Id)
            customer.DefaultPaymentMethod = null;
        method.Customer = null;
        method.Detached = true;
        world.Emit("payment_method.detached", method);
    }

    private static PaymentMethod Create(Call call)
    {
        if (call.Parameters.Text("type") is not { } type)
            throw StripeError.Invalid("Missing required param: type.", "type", "parameter_missing");
        if (type != "card")
            throw StripeError.Invalid($"Invalid type: must be card, got {type}", "type");
        var card = call.Parameters["card"];
        var last4 = card?.Text("number") is { Length: >= 4 } number ? number[^4..] : "4242";
        var like = TestCard.ByName.Values.FirstOrDefault(known => known.Last4 == last4) ?? TestCard.ByName["pm_card_visa"];
        var method = like.Create(call.World);
        method.Metadata = method.Metadata.With(call.Parameters["metadata"]);
        method.Name = call.Parameters["billing_details"]?.Text("name");
        method.Email = call.Parameters["billing_details"]?.Text("email");
        return method;
    }

    private static PaymentMethod Get(Call call, string id) =>
        call.World.Find<PaymentMethod>(id) ?? throw StripeError.Missing("PaymentMethod", id, "payment_method", 404);

    private static PaymentMethod Attach(Call call)
    {
        var world = call.World;
        var method = Resolve(world, call.Id, "payment_method", 404);
        var customer = CustomerEndpoints.Existing(world, call.Parameters.Text("customer")!, "customer", 400);
        if (method.FromTestCard is { Attachable: false })
        {
            var decline = method.Behaviour.Next().Decline!;
            throw new StripeError(402, "card_error", decline.Code, decline.Message, decline.Param) { DeclineCode = decline.DeclineCode, AdviceCode = decline.AdviceCode, Saved = true };
        }

        if (method.Detached)
            throw StripeError.Invalid("This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may not be used again.");
        if (method.Customer == customer.Id)
            return method;
        if (method.Customer is not null)
            throw StripeError.Invalid("The payment method you provided has already been attached to a customer.");
        AttachTo(world, method, customer);
        return method;
    }

    private static PaymentMethod Detach(Call call)
    {
        var method = Get(call, call.Id);
        if (method.Customer is null)
            throw StripeError.Invalid("The payment method you provided is not attached to a customer so detachment is impossible.");
        DetachFrom(call.World, method);
        return method;
    }

    private static Page List(Call call) =>
        call.Parameters.Text("customer") is { } customer
            ? PageOf(call, customer, "/v1/payment_methods")
            : new Page([], HasMore: false, "/v1/payment_methods");

    private static Page OfCustomer(Call call) =>
        PageOf(call, CustomerEndpoints.Existing(call.World, call.Id, "customer", 404).Id, $"/v1/customers/{call.Id}/payment_methods");

    private static Page PageOf(Call call, string customer, string url) =>
        Page.Of(call, call.World.PaymentMethodsByCustomer[customer], "PaymentMethod", url,
            _ => call.Parameters.Text("type") is null or "card");

    private static PaymentMethod OneOfCustomer(Call call)
    {
        var method = Get(call, call.Path[1]);
        return method.Customer == call.Path[0] ? method : throw StripeError.Missing("PaymentMethod", method.Id, "payment_method", 404);
    }
}
