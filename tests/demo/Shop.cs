using System.Globalization;
using Jobs.Tests.Rig;

namespace Jobs.Demo;

/// <summary>The little shop beside the subscriptions: orders that were never paid, and PaymentIntents that nobody needs any more.</summary>
internal sealed class Shop(Business business)
{
    public const int Stale = 9;
    public const int InTime = 5;
    public const int Abandoned = 12;

    /// <summary>Its customer pays in the very moment in which it is to expire.</summary>
    public const string PaidInTheRace = "pi_order003";

    /// <summary>A bank debit that is under way.</summary>
    public const string Processing = "pi_order006";

    private const long UnitAmount = 1800;

    private static readonly IReadOnlyList<ProductRow> Products = [new(1, "mug", "Mug", 40, 0), new(2, "scarf", "Scarf", 25, 0), new(3, "bag", "Bag", 12, 0)];

    private readonly IReadOnlyList<OrderRow> _orders =
    [
        .. business.Members.Where(m => m.Situation == Situation.NotDue).Take(Stale + InTime).Select((member, i) => new OrderRow(
            i + 1, member.Id, UnitAmount * (1 + (i % 2)), "eur", string.Create(CultureInfo.InvariantCulture, $"pi_order{i + 1:D3}"),
            business.Now.AddHours(i < Stale ? -30 : -3), business.Now.AddHours(i < Stale ? -6 : 21))),
    ];

    private static ItemRow Item(OrderRow order) => new(order.Id, 1 + (order.Id % 3), order.TotalMinor / UnitAmount);

    public async Task IntoDatabaseAsync(Database database)
    {
        var items = _orders.Select(Item).ToList();
        await database.InsertAsync("products", [.. Products.Select(p => p with { StockReserved = items.Where(i => i.ProductId == p.Id).Sum(i => i.Quantity) })]);
        await database.InsertAsync("orders", _orders);
        await database.InsertAsync("order_items", items);
        await database.InsertAsync("stock_reservations", items);
    }

    public async Task IntoProviderAsync(FakeStripeProcess stripe)
    {
        await stripe.SeedAsync(new
        {
            payment_intents = _orders.Select(o => new
            {
                id = o.PaymentIntentId,
                amount = o.TotalMinor,
                currency = o.Currency,
                customer = business.Members[(int)o.UserId - 1].Customer,
                status = o.PaymentIntentId == Processing ? "processing" : "requires_payment_method",
                created = new DateTimeOffset(o.CreatedAt).ToUnixTimeSeconds(),
                metadata = new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    ["user_id"] = o.UserId.ToString(CultureInfo.InvariantCulture),
                    ["purpose"] = "order",
                    ["order_id"] = o.Id.ToString(CultureInfo.InvariantCulture),
                },
            }),
        });
        await stripe.SeedAsync(new
        {
            payment_intents = new[]
            {
                new
                {
                    id = "pi_abandoned{n}",
                    amount = UnitAmount,
                    currency = "eur",
                    status = "requires_payment_method",
                    created = new DateTimeOffset(business.Now.AddDays(-20)).ToUnixTimeSeconds(),
                    metadata = new { purpose = "order" },
                    repeat = Abandoned,
                },
            },
        });
    }
}
