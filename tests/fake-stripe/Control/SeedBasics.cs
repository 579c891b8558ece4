using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>Seeds customers, payment methods, products and prices.</summary>
internal static class SeedBasics
{
    public static string Customer(World world, JsonElement source)
    {
        var id = source.Text("id") ?? world.Ids.New("cus_", 14);
        var customer = world.Find<Customer>(id);
        if (customer is null)
        {
            customer = world.Register(new Customer { Id = id, Created = source.Moment("created") ?? world.NowSeconds });
            world.Customers.Add(customer);
        }

        customer.Email = source.Text("email") ?? customer.Email;
        customer.Name = source.Text("name") ?? customer.Name;
        customer.Metadata = Metadata(source);
        customer.Deleted = source.Bool("deleted") ?? false;
        string? first = null;
        foreach (var method in source.Items("payment_methods"))
        {
            var created = PaymentMethod(world, method, id);
            first ??= created;
        }

        customer.DefaultPaymentMethod = source.Text("default_payment_method") ?? first ?? customer.DefaultPaymentMethod;
        return id;
    }

    public static string PaymentMethod(World world, JsonElement source, string? customer)
    {
        var method = world.Register(new PaymentMethod
        {
            Id = source.Text("id") ?? world.Ids.New("pm_"),
            Created = source.Moment("created") ?? world.NowSeconds,
            Behaviour = new Behaviour(source.Text("behaviour") ?? "success"),
            Brand = source.Text("brand") ?? "visa",
            Last4 = source.Text("last4") ?? "4242",
            Metadata = Metadata(source),
        });
        method.ExpMonth = (int?)source.Long("exp_month") ?? method.ExpMonth;
        method.ExpYear = (int?)source.Long("exp_year") ?? method.ExpYear;
        method.Detached = source.Bool("detached") ?? false;
        method.Customer = method.Detached ? null : source.Text("customer") ?? customer;
        world.PaymentMethodsByCustomer.Add(method.Customer, method);
        return method.Id;
    }

    public static string Product(World world, JsonElement source)
    {
        var product = world.Register(new Product
        {
            Id = source.Text("id") ?? world.Ids.New("prod_", 14),
            Created = source.Moment("created") ?? world.NowSeconds,
            Name = source.Text("name") ?? "Product",
            Active = source.Bool("active") ?? true,
            Description = source.Text("description"),
            Metadata = Metadata(source),
        });
        world.Products.Add(product);
        return product.Id;
    }

    public static string Price(World world, JsonElement source)
    {
        var product = source.Text("product") ?? Product(world, source.Get("product_data") ?? default);
        var price = world.Register(new Price
        {
            Id = source.Text("id") ?? world.Ids.New("price_"),
            Created = source.Moment("created") ?? world.NowSeconds,
            Product = product,
            UnitAmount = source.Long("unit_amount") ?? 1000,
            Currency = source.Text("currency") ?? "eur",
            Active = source.Bool("active") ?? true,
            LookupKey = source.Text("lookup_key"),
            Interval = source.Text("type") == "one_time" ? null : source.Text("interval") ?? "month",
            IntervalCount = (int?)source.Long("interval_count") ?? 1,
            Metadata = Metadata(source),
        });
        world.Prices.Add(price);
        return price.Id;
    }

    public static Metadata Metadata(JsonElement source, string name = "metadata") =>
        source.Get(name) is { } given
            ? new Metadata(given.EnumerateObject().Select(pair => KeyValuePair.Create(pair.Name, pair.Value.ToString())))
            : FakeStripe.Metadata.Empty;
}
