namespace Jobs.Testing.FakeStripe;

internal sealed class Customer : StripeObject
{
    public string? Email { get; set; }
    public string? Name { get; set; }
    public string? Phone { get; set; }
    public string? Description { get; set; }
    public string? DefaultPaymentMethod { get; set; }
    public bool Deleted { get; set; }

    public override string? LockCustomer => Id;

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "customer");
        if (Deleted)
        {
            json.Flag("deleted", value: true);
            json.End();
            return;
        }

        json.Null("address");
        json.Number("balance", 0L);
        json.Number("created", Created);
        json.Nulls("currency", "customer_account", "default_source");
        json.Flag("delinquent", value: false);
        json.Text("description", Description);
        json.Null("discount");
        json.Text("email", Email);
        json.Text("invoice_prefix", Id[^Math.Min(8, Id.Length)..].ToUpperInvariant());
        json.Begin("invoice_settings");
        json.Null("custom_fields");
        json.Reference("default_payment_method", DefaultPaymentMethod);
        json.Nulls("footer", "rendering_options");
        json.End();
        json.Flag("livemode", json.World.Config.Live);
        Metadata.Write(json);
        json.Text("name", Name);
        json.Number("next_invoice_sequence", 1L);
        json.Text("phone", Phone);
        json.EmptyArray("preferred_locales");
        json.Null("shipping");
        if (json.Expands("subscriptions"))
            json.List("subscriptions", $"/v1/customers/{Id}/subscriptions", Subscriptions(json.World));
        json.Text("tax_exempt", "none");
        json.Null("test_clock");
        json.End();
    }

    private IEnumerable<IWritable> Subscriptions(World world)
    {
        var subscriptions = world.SubscriptionsByCustomer[Id];
        for (var i = subscriptions.Count - 1; i >= 0; i--)
        {
            if (subscriptions[i].Status != "canceled")
                yield return subscriptions[i];
        }
    }
}
