namespace Jobs.Testing.FakeStripe;

internal sealed class PaymentMethod : StripeObject
{
    public required Behaviour Behaviour { get; set; }
    public string Brand { get; init; } = "visa";
    public string Last4 { get; init; } = "4242";
    public int ExpMonth { get; set; } = 12;
    public int ExpYear { get; set; } = 2034;
    public string? Name { get; set; }
    public string? Email { get; set; }
    public string? Customer { get; set; }
    public TestCard? FromTestCard { get; init; }

    /// <summary>Once detached it is lost: it can be neither charged nor attached again.</summary>
    public bool Detached { get; set; }

    public override string? LockCustomer => Customer ?? Id;

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "payment_method");
        json.Text("allow_redisplay", "unspecified");
        WriteBillingDetails(json);
        json.Begin("card");
        json.Text("brand", Brand);
        json.Begin("checks");
        json.Nulls("address_line1_check", "address_postal_code_check");
        json.Text("cvc_check", "pass");
        json.End();
        json.Text("country", "US");
        json.Text("display_brand", Brand);
        json.Number("exp_month", ExpMonth);
        json.Number("exp_year", ExpYear);
        json.Text("fingerprint", Fingerprint);
        json.Text("funding", "credit");
        json.Null("generated_from");
        json.Text("last4", Last4);
        json.Begin("networks");
        json.BeginArray("available");
        json.Item(Brand);
        json.EndArray();
        json.Null("preferred");
        json.End();
        json.Text("regulated_status", "unregulated");
        json.Begin("three_d_secure_usage");
        json.Flag("supported", value: true);
        json.End();
        json.Null("wallet");
        json.End();
        json.Number("created", Created);
        json.Reference("customer", Customer);
        json.Null("customer_account");
        json.Flag("livemode", json.World.Config.Live);
        Metadata.Write(json);
        json.Text("type", "card");
        json.End();
    }

    /// <summary>The card behind it; two payment methods of the same number would share it, here each has its own.</summary>
    public string Fingerprint => Id[^Math.Min(16, Id.Length)..];

    public void WriteBillingDetails(JsonOut json)
    {
        json.Begin("billing_details");
        json.Begin("address");
        json.Nulls("city", "country", "line1", "line2", "postal_code", "state");
        json.End();
        json.Text("email", Email);
        json.Text("name", Name);
        json.Nulls("phone", "tax_id");
        json.End();
    }
}
