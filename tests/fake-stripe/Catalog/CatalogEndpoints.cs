namespace Jobs.Testing.FakeStripe;

/// <summary>Products and prices, made by seeding.</summary>
internal static class CatalogEndpoints
{
    public static IEnumerable<Endpoint> All()
    {
        yield return new("GET", "/v1/products", "list:product",
            Allow.List().Flag("active").Texts("ids").Ignored("shippable", "type", "url"), Products);
        yield return new("GET", "/v1/products/{id}", "product", Allow.Retrieve(),
            call => call.World.Find<Product>(call.Id) ?? throw StripeError.Missing("product", call.Id, "id", 404));
        yield return new("GET", "/v1/prices", "list:price",
            Allow.List().Flag("active").Text("product").Text("currency").Texts("lookup_keys").OneOf("type", "one_time", "recurring").Ignored("recurring"), Prices);
        yield return new("GET", "/v1/prices/{id}", "price", Allow.Retrieve(),
            call => call.World.Find<Price>(call.Id) ?? throw StripeError.Missing("price", call.Id, "price", 404));
    }

    private static Page Products(Call call)
    {
        var (active, ids) = (call.Parameters.Text("active"), Set(call, "ids"));
        return Page.Of(call, call.World.Products, "product", "/v1/products",
            product => (active is null || product.Active == (active == "true")) && (ids is null || ids.Contains(product.Id)));
    }

    private static Page Prices(Call call)
    {
        var parameters = call.Parameters;
        var (active, product, currency, type, keys) = (parameters.Text("active"), parameters.Text("product"), parameters.Text("currency"), parameters.Text("type"), Set(call, "lookup_keys"));
        return Page.Of(call, call.World.Prices, "price", "/v1/prices", price =>
            (active is null || price.Active == (active == "true"))
            && (product is null || price.Product == product)
            && (currency is null || price.Currency == currency)
            && (type is null || (price.Interval is null) == (type == "one_time"))
            && (keys is null || (price.LookupKey is not null && keys.Contains(price.LookupKey))));
    }

    private static HashSet<string>? Set(Call call, string name) =>
        call.Parameters[name]?.Children?.Values.Select(value => value.Value ?? "").ToHashSet(StringComparer.Ordinal);
}
