namespace Jobs.Testing.FakeStripe;

internal sealed class Product : StripeObject
{
    public required string Name { get; init; }
    public bool Active { get; init; } = true;
    public string? Description { get; init; }

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "product");
        json.Flag("active", Active);
        json.Number("created", Created);
        json.Null("default_price");
        json.Text("description", Description);
        json.EmptyArray("images");
        json.Flag("livemode", json.World.Config.Live);
        json.EmptyArray("marketing_features");
        Metadata.Write(json);
        json.Text("name", Name);
        json.Nulls("package_dimensions", "shippable", "statement_descriptor", "tax_code", "tax_details");
        json.Text("type", "service");
        json.Null("unit_label");
        json.Number("updated", Created);
        json.Null("url");
        json.End();
    }
}
