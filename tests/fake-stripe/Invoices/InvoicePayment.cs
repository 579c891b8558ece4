namespace Jobs.Testing.FakeStripe;

/// <summary>What links an invoice to the PaymentIntent that pays it.</summary>
internal sealed class InvoicePayment : StripeObject
{
    public required string Invoice { get; init; }
    public required string PaymentIntent { get; init; }
    public required long AmountRequested { get; init; }
    public required string Currency { get; init; }
    public required string Status { get; set; }
    public long? AmountPaid { get; set; }
    public long? PaidAt { get; set; }

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "invoice_payment");
        json.Number("amount_paid", AmountPaid);
        json.Number("amount_requested", AmountRequested);
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.Reference("invoice", Invoice);
        json.Flag("is_default", value: true);
        json.Flag("livemode", json.World.Config.Live);
        json.Begin("payment");
        json.Reference("payment_intent", PaymentIntent);
        json.Text("type", "payment_intent");
        json.End();
        json.Text("status", Status);
        json.Begin("status_transitions");
        json.Null("canceled_at");
        json.Number("paid_at", PaidAt);
        json.End();
        json.End();
    }
}
