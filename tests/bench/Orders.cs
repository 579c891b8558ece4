using System.Globalization;
using System.Text.Json;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>expire-stale-orders against a provider that answers in 100 ms: a look and a cancel for each order.</summary>
internal static class Orders
{
    private const int LatencyMs = 100;
    private const int RequestsAnOrder = 2;
    private const double LeastShare = 0.95;
    private const double MostMiB = 96;

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, int orders, int seconds, int rate)
    {
        Progress.Say($"expire-stale-orders: {orders:N0} stale orders, {rate} requests a second for {seconds} s");
        var database = await ground.Server.CreateDatabaseAsync(ground.Template);
        await ground.FillAsync(database, Fill(orders));
        await ground.FillAsync(database, "VACUUM ANALYZE");
        // A tenth above what the job may ask: whoever bursts is refused.
        await using var stripe = await FakeStripeProcess.StartAsync("--rate", Text((rate * 11 / 10) + 1), "--latency", Text(LatencyMs));
        await stripe.SeedAsync(new
        {
            payment_intents = new[] { new { id = "pi_{n}", amount = 1000, currency = "eur", status = "requires_payment_method", events = false, repeat = orders } },
        });
        await stripe.ClearRequestsAsync();

        var run = Measured.Run(
            JobProcess.Executable("expire-stale-orders"),
            ["--output", "json", "--limit", Text(Math.Min(orders, rate * seconds / RequestsAnOrder))],
            ground.EnvironmentFor(database, stripe.Base, rate)).Succeeding("expire-stale-orders");

        var counters = JsonDocument.Parse(run.Stdout).RootElement.GetProperty("counters");
        var expired = counters.GetProperty("orders_expired").GetInt64();
        var requests = (await stripe.RequestsAsync()).Recent;
        var drifted = await ground.ScalarAsync<long>(
            database,
            """
            SELECT count(*) FROM products AS p
            WHERE p.stock_reserved <> (SELECT coalesce(sum(quantity), 0) FROM stock_reservations AS r WHERE r.product_id = p.id AND r.released_at IS NULL)
            """);
        await ground.Server.DropDatabaseAsync(database);
        var line = string.Create(CultureInfo.InvariantCulture, $"expire-stale-orders {rate}/s");
        return
        [
            Result.AtLeast(line, "sustained requests", Charging.Sustained(requests), LeastShare * rate, "/s", string.Create(CultureInfo.InvariantCulture, $" ({expired} orders in {run.Wall.TotalSeconds:0.0} s)")),
            Result.AtMost(line, "refused with 429", requests.Count(r => r.Status == 429), 0, ""),
            Result.AtMost(line, "stock counters that drifted", drifted, 0, ""),
            Result.AtMost(line, string.Create(CultureInfo.InvariantCulture, $"peak memory, {orders:N0} stale"), run.PeakMiB, MostMiB, "MiB"),
        ];
    }

    private static string Fill(int orders) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO users (email) SELECT 'u' || n || '@example.test' FROM generate_series(1, 1000) AS n;
        INSERT INTO products (sku, stock_on_hand, stock_reserved) SELECT 'sku' || n, {orders}, {orders} / 100 FROM generate_series(1, 100) AS n;
        INSERT INTO orders (id, user_id, total_minor, payment_intent_id, created_at, expires_at)
        SELECT n, 1 + n % 1000, 1000, 'pi_' || n, now() - interval '26 hours', now() - interval '2 hours' + n * interval '1 millisecond'
        FROM generate_series(1, {orders}) AS n;
        INSERT INTO order_items (order_id, product_id, quantity) SELECT n, 1 + n % 100, 1 FROM generate_series(1, {orders}) AS n;
        INSERT INTO stock_reservations (order_id, product_id, quantity) SELECT n, 1 + n % 100, 1 FROM generate_series(1, {orders}) AS n;
        INSERT INTO payments (user_id, order_id, purpose, amount_minor, provider, provider_payment_id, created_at)
        SELECT 1 + n % 1000, n, 'order', 1000, 'stripe', 'pi_' || n, now() - interval '26 hours' FROM generate_series(1, {orders}) AS n
        """);

    private static string Text(int n) => n.ToString(CultureInfo.InvariantCulture);
}
