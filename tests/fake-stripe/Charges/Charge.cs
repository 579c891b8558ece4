namespace Jobs.Testing.FakeStripe;

internal sealed class Charge : StripeObject
{
    public required long Amount { get; init; }
    public required string Currency { get; init; }
    public required string Status { get; set; }
    public required string PaymentIntent { get; init; }
    public string? Customer { get; init; }
    public string? Description { get; init; }
    public string? PaymentMethod { get; init; }
    public string? ReceiptEmail { get; init; }
    public long AmountCaptured { get; set; }
    public long AmountRefunded { get; set; }
    public bool Captured { get; set; }
    public bool Disputed { get; set; }
    public Decline? Decline { get; set; }

    public override string? LockCustomer => Customer ?? Id;

    public override void Write(JsonOut json)
    {
        var method = json.World.Find<PaymentMethod>(PaymentMethod);
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "charge");
        json.Number("amount", Amount);
        json.Number("amount_captured", AmountCaptured);
        json.Number("amount_refunded", AmountRefunded);
        // capture_method is automatic_async: the balance transaction comes later than the charge.
        json.Nulls("application", "application_fee", "application_fee_amount", "balance_transaction");
        (method ?? Anonymous).WriteBillingDetails(json);
        json.Null("calculated_statement_descriptor");
        json.Flag("captured", Captured);
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.Reference("customer", Customer);
        json.Text("description", Description);
        json.Flag("disputed", Disputed);
        json.Null("failure_balance_transaction");
        json.Text("failure_code", Decline?.Code);
        json.Text("failure_message", Decline?.Message);
        json.Begin("fraud_details");
        json.End();
        json.Flag("livemode", json.World.Config.Live);
        Metadata.Write(json);
        json.Null("on_behalf_of");
        WriteOutcome(json);
        json.Flag("paid", Status == "succeeded");
        json.Reference("payment_intent", PaymentIntent);
        json.Text("payment_method", PaymentMethod);
        WriteMethodDetails(json, method ?? Anonymous);
        json.Text("receipt_email", ReceiptEmail);
        json.Null("receipt_number");
        json.Text("receipt_url", Status == "succeeded" ? $"https://pay.stripe.com/receipts/{Id}" : null);
        json.Flag("refunded", Status == "succeeded" && AmountRefunded == Amount);
        if (json.Expands("refunds"))
            json.List("refunds", $"/v1/charges/{Id}/refunds", Refunds(json.World));
        json.Nulls("review", "shipping", "source", "source_transfer", "statement_descriptor", "statement_descriptor_suffix");
        json.Text("status", Status);
        json.Nulls("transfer_data", "transfer_group");
        json.End();
    }

    private static readonly PaymentMethod Anonymous = new() { Id = "pm_0000000000000000", Created = 0, Behaviour = new Behaviour("success") };

    private IEnumerable<IWritable> Refunds(World world)
    {
        var refunds = world.RefundsByCharge[Id];
        for (var i = refunds.Count - 1; i >= 0; i--)
            yield return refunds[i];
    }

    private void WriteOutcome(JsonOut json)
    {
        json.Begin("outcome");
        json.Text("advice_code", Decline?.AdviceCode);
        json.Nulls("network_advice_code", "network_decline_code");
        json.Text("network_status", Decline is null ? "approved_by_network" : Decline.Blocked ? "not_sent_to_network" : "declined_by_network");
        json.Text("reason", Decline is { Blocked: true } ? "previously_declined_do_not_retry" : Decline?.DeclineCode);
        json.Text("risk_level", "normal");
        json.Number("risk_score", 20L);
        json.Text("seller_message", Decline is null ? "Payment complete." : "The bank did not return any further details with this decline.");
        json.Text("type", Decline is null ? "authorized" : Decline.Blocked ? "blocked" : "issuer_declined");
        json.End();
    }

    private static void WriteMethodDetails(JsonOut json, PaymentMethod method)
    {
        json.Begin("payment_method_details");
        json.Begin("card");
        json.Nulls("amount_authorized", "authorization_code");
        json.Text("brand", method.Brand);
        json.Begin("checks");
        json.Nulls("address_line1_check", "address_postal_code_check");
        json.Text("cvc_check", "pass");
        json.End();
        json.Text("country", "US");
        json.Null("electronic_commerce_indicator");
        json.Number("exp_month", method.ExpMonth);
        json.Number("exp_year", method.ExpYear);
        json.Text("fingerprint", method.Fingerprint);
        json.Text("funding", "credit");
        json.Null("installments");
        json.Text("last4", method.Last4);
        json.Null("mandate");
        json.Text("network", method.Brand);
        json.Nulls("network_transaction_id", "regulated_status", "three_d_secure", "transaction_link_id", "wallet");
        json.End();
        json.Text("type", "card");
        json.End();
    }
}
