namespace Jobs.Testing.FakeStripe;

internal static class CustomerEndpoints
{
    public static IEnumerable<Endpoint> All()
    {
        yield return new("POST", "/v1/customers", "customer", Fields().Text("payment_method"), Create);
        yield return new("GET", "/v1/customers", "list:customer", Allow.List().Text("email").Ignored("test_clock"), List);
        yield return new("GET", "/v1/customers/{id}", "customer", Allow.Retrieve(), Get);
        yield return new("POST", "/v1/customers/{id}", "customer", Fields(), Update);
        yield return new("DELETE", "/v1/customers/{id}", "customer", new Allow(), Delete);
    }

    public static Customer Existing(World world, string id, string parameter, int status) =>
        world.Find<Customer>(id) is { Deleted: false } customer ? customer : throw StripeError.Missing("customer", id, parameter, status);

    private static Allow Fields() => new Allow()
        .Text("email").Text("name").Text("phone").Text("description").Metadata().Texts("expand")
        .Hash("invoice_settings", new Allow().Text("default_payment_method").Ignored("custom_fields", "footer", "rendering_options"))
        .Ignored("address", "balance", "business_name", "cash_balance", "individual_name", "invoice_prefix", "next_invoice_sequence", "preferred_locales", "shipping", "source", "tax", "tax_exempt", "tax_id_data", "test_clock", "validate", "default_source");

    private static Customer Create(Call call)
    {
        var world = call.World;
        var method = call.Parameters.Text("payment_method") is { } id ? PaymentMethodEndpoints.Resolve(world, id, "payment_method", 400) : null;
        var customer = world.Register(new Customer { Id = world.Ids.New("cus_", 14), Created = world.NowSeconds });
        Assign(customer, call.Parameters);
        world.Customers.Add(customer);
        world.Emit("customer.created", customer);
        if (method is not null)
            PaymentMethodEndpoints.AttachTo(world, method, customer);
        return customer;
    }

    private static Page List(Call call)
    {
        var email = call.Parameters.Text("email");
        return Page.Of(call, call.World.Customers, "customer", "/v1/customers",
            customer => !customer.Deleted && (email is null || customer.Email == email));
    }

    /// <summary>A deleted customer is still found: <c>{"id", "object", "deleted": true}</c>.</summary>
    private static Customer Get(Call call) =>
        call.World.Find<Customer>(call.Id) ?? throw StripeError.Missing("customer", call.Id, "id", 404);

    private static Customer Update(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var customer = Existing(world, call.Id, "id", 404);
        if (parameters["invoice_settings"]?.Text("default_payment_method") is { } id)
        {
            if (world.Find<PaymentMethod>(id)?.Customer != customer.Id)
                throw StripeError.Invalid($"The customer does not have a payment method with the ID {id}. The payment method must be attached to the customer.", "invoice_settings[default_payment_method]", "resource_missing");
            customer.DefaultPaymentMethod = id;
        }

        Assign(customer, parameters);
        world.Emit("customer.updated", customer);
        return customer;
    }

    private static Customer Delete(Call call)
    {
        var world = call.World;
        var customer = Existing(world, call.Id, "id", 404);
        var methods = world.PaymentMethodsByCustomer[customer.Id];
        while (methods.Count > 0)
            PaymentMethodEndpoints.DetachFrom(world, methods[methods.Count - 1]);
        var subscriptions = world.SubscriptionsByCustomer[customer.Id];
        for (var i = 0; i < subscriptions.Count; i++)
        {
            if (subscriptions[i].EndedAt is null)
                SubscriptionEndpoints.End(world, subscriptions[i]);
        }

        // The event carries the customer as it was, the answer only says that it is gone.
        world.Emit("customer.deleted", customer);
        customer.Deleted = true;
        return customer;
    }

    private static void Assign(Customer customer, Param parameters)
    {
        customer.Metadata = customer.Metadata.With(parameters["metadata"]);
        customer.Email = parameters.Has("email") ? parameters.Text("email") : customer.Email;
        customer.Name = parameters.Has("name") ? parameters.Text("name") : customer.Name;
        customer.Phone = parameters.Has("phone") ? parameters.Text("phone") : customer.Phone;
        customer.Description = parameters.Has("description") ? parameters.Text("description") : customer.Description;
    }
}
