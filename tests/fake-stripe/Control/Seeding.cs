using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>
/// <c>POST /_fake/seed</c>. Kinds are seeded in the order below, so that an object may name one of an earlier kind.
/// An item with <c>"repeat": N</c> stands for N items; <c>{n}</c> in its texts is the number, from 1, and
/// <c>"created_step"</c> moves <c>created</c> by that many seconds each time.
/// </summary>
internal static class Seeding
{
    private static readonly (string Kind, Func<World, JsonElement, string> Add)[] Kinds =
    [
        ("products", SeedBasics.Product),
        ("prices", SeedBasics.Price),
        ("customers", SeedBasics.Customer),
        ("payment_methods", (world, source) => SeedBasics.PaymentMethod(world, source, customer: null)),
        ("subscriptions", SeedBilling.Subscription),
        ("payment_intents", SeedPayments.PaymentIntent),
        ("invoices", SeedBilling.Invoice),
        ("invoice_payments", SeedBilling.InvoicePayment),
        ("checkout_sessions", SeedBilling.CheckoutSession),
    ];

    /// <summary>The ids by kind; of a repeated item only the count.</summary>
    public static byte[] Run(World world, JsonElement document)
    {
        foreach (var property in document.EnumerateObject())
        {
            if (!Kinds.Any(kind => kind.Kind == property.Name))
                throw new ControlException($"unknown kind '{property.Name}'; known: {string.Join(", ", Kinds.Select(kind => kind.Kind))}");
        }

        return Render.Bytes(writer =>
        {
            writer.WriteStartObject();
            foreach (var (kind, add) in Kinds)
            {
                if (document.Get(kind) is not { } list)
                    continue;
                var repeated = 0;
                writer.WriteStartArray(kind);
                foreach (var item in list.EnumerateArray())
                {
                    if (item.Long("repeat") is { } times)
                        repeated += Repeat(world, kind, item, add, (int)times);
                    else
                        writer.WriteStringValue(One(world, kind, item, add));
                }

                writer.WriteEndArray();
                if (repeated > 0)
                    writer.WriteNumber($"{kind}_repeated", repeated);
            }

            writer.WriteEndObject();
        });
    }

    /// <summary>Customers and subscriptions may be seeded again; anything else would be in its lists twice.</summary>
    private static string One(World world, string kind, JsonElement item, Func<World, JsonElement, string> add) =>
        kind is not ("customers" or "subscriptions") && item.Text("id") is { } id && world.Find(id) is not null
            ? throw new ControlException($"'{id}' exists already")
            : add(world, item);

    private static int Repeat(World world, string kind, JsonElement item, Func<World, JsonElement, string> add, int times)
    {
        var template = item.GetRawText();
        var created = item.Moment("created") ?? world.NowSeconds;
        var step = item.Long("created_step") ?? 0;
        for (var n = 1; n <= times; n++)
        {
            var text = template.Replace("{n}", n.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
            if (step != 0)
                text = $"{text.AsSpan(0, text.LastIndexOf('}'))}, \"created\": {created + (step * (n - 1))}}}";
            using var one = JsonDocument.Parse(Encoding.UTF8.GetBytes(text));
            One(world, kind, one.RootElement, add);
        }

        return times;
    }
}
