namespace Jobs.Testing.FakeStripe;

internal static class ChargeEndpoints
{
    public static IEnumerable<Endpoint> All()
    {
        yield return new("GET", "/v1/charges", "list:charge",
            Allow.List().Text("customer").Text("payment_intent").Text("transfer_group"), List);
        yield return new("GET", "/v1/charges/{id}", "charge", Allow.Retrieve(),
            call => call.World.Find<Charge>(call.Id) ?? throw StripeError.Missing("charge", call.Id, "id", 404));
    }

    private static Page List(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var (customer, intent) = (parameters.Text("customer"), parameters.Text("payment_intent"));
        var index = intent is not null ? world.ChargesByPaymentIntent[intent]
            : customer is not null ? world.ChargesByCustomer[customer]
            : world.Charges;
        return Page.Of(call, index, "charge", "/v1/charges",
            charge => (customer is null || charge.Customer == customer) && parameters.Text("transfer_group") is null);
    }
}
