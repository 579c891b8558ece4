namespace Jobs.Testing.FakeStripe;

/// <summary>Invoices are made by seeding: Stripe Billing's own engine is not imitated here.</summary>
internal static class InvoiceEndpoints
{
    public static IEnumerable<Endpoint> All()
    {
        yield return new("GET", "/v1/invoices", "list:invoice",
            Allow.List().Text("customer").Text("subscription").OneOf("status", "draft", "open", "paid", "uncollectible", "void")
                .OneOf("collection_method", "charge_automatically", "send_invoice").Range("due_date").Ignored("customer_account"), List);
        yield return new("GET", "/v1/invoices/{id}", "invoice", Allow.Retrieve(),
            call => call.World.Find<Invoice>(call.Id) ?? throw StripeError.Missing("invoice", call.Id, "invoice", 404));
        yield return new("GET", "/v1/invoice_payments", "list:invoice_payment",
            Allow.List().Text("invoice").OneOf("status", "canceled", "open", "paid")
                .Hash("payment", new Allow().OneOf("type", "payment_intent", "payment_record").Text("payment_intent").Text("payment_record")), Payments);
        yield return new("GET", "/v1/invoice_payments/{id}", "invoice_payment", Allow.Retrieve(),
            call => call.World.Find<InvoicePayment>(call.Id) ?? throw StripeError.Missing("invoice_payment", call.Id, "invoice_payment", 404));
    }

    private static Page List(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var (customer, subscription, status) = (parameters.Text("customer"), parameters.Text("subscription"), parameters.Text("status"));
        var index = subscription is not null ? world.InvoicesBySubscription[subscription]
            : customer is not null ? world.InvoicesByCustomer[customer]
            : world.Invoices;
        return Page.Of(call, index, "invoice", "/v1/invoices", invoice =>
            (customer is null || invoice.Customer == customer)
            && (status is null || invoice.Status == status)
            && parameters.Text("collection_method") is null or "charge_automatically"
            && Page.InRange(parameters["due_date"], invoice.DueDate));
    }

    private static Page Payments(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var (invoice, status, intent) = (parameters.Text("invoice"), parameters.Text("status"), parameters["payment"]?.Text("payment_intent"));
        if (parameters["payment"] is { } payment && payment.Text("type") is null)
            throw StripeError.Invalid("Missing required param: payment[type].", "payment[type]", "parameter_missing");
        var index = intent is not null ? world.InvoicePaymentsByPaymentIntent[intent]
            : invoice is not null ? world.InvoicePaymentsByInvoice[invoice]
            : world.InvoicePayments;
        return Page.Of(call, index, "invoice_payment", "/v1/invoice_payments",
            item => (invoice is null || item.Invoice == invoice) && (status is null || item.Status == status));
    }
}
