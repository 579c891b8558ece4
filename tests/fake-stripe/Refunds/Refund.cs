namespace Jobs.Testing.FakeStripe;

internal sealed class Refund : StripeObject
{
    public required long Amount { get; init; }
    public required string Currency { get; init; }
    public required string Charge { get; init; }
    public required string PaymentIntent { get; init; }
    public string? Reason { get; init; }
    public string Status { get; set; } = "succeeded";

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "refund");
        json.Number("amount", Amount);
        json.Null("balance_transaction");
        json.Reference("charge", Charge);
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.Nulls("customer", "customer_account");
        Metadata.Write(json);
        json.Reference("payment_intent", PaymentIntent);
        json.Null("payment_method");
        json.Text("reason", Reason);
        json.Nulls("receipt_number", "source_transfer_reversal");
        json.Text("status", Status);
        json.Null("transfer_reversal");
        json.End();
    }
}
