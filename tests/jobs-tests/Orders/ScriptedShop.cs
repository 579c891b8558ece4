using System.Globalization;
using Dapper;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Orders;

/// <summary>
/// A shop with two products, its customers and Stripe, all following one script: each number is what happens next, at the
/// top or in the middle of a run - between any two of its transactions and provider calls.
/// </summary>
internal sealed class ScriptedShop : IDisposable
{
    private const int OnHand = 9;
    private static long s_lastId = 100_000;

    private readonly NpgsqlDataSource _source;
    private readonly Db _db;
    private readonly JobRun _run;
    private readonly Queue<int> _script;
    private readonly ScriptedStripe _stripe;
    private readonly StripeClient _client;
    private readonly Fulfilment _fulfilment;
    private readonly OrderExpiry _expiry;
    private readonly long _base = Interlocked.Add(ref s_lastId, 100);
    private readonly List<long> _orders = [];
    private int _depth;
    private bool _killed;

    public ScriptedShop(NpgsqlDataSource source, Db db, JobRun run, IEnumerable<int> script)
    {
        (_source, _db, _run, _script) = (source, db, run, new Queue<int>(script));
        _stripe = new ScriptedStripe(InTheMiddleAsync);
        _client = _stripe.Client();
        var zone = new BusinessZone("Europe/Paris");
        _fulfilment = new Fulfilment(
            db, run, zone,
            new Granting(zone, new SubscriptionFulfilment(zone, RenewalPolicy.Default), new OrderFulfilment(zone, staffEmail: null), new MembershipFulfilment(zone)));
        _expiry = new OrderExpiry(db, run, new IntentEnding(_client, run), new IntentSearch(_client, db, run), _fulfilment);
    }

    private long User => _base;

    public async Task PlayAsync()
    {
        await ExecuteAsync(
            """
            INSERT INTO users (id) VALUES (@User);
            INSERT INTO products (id, sku, stock_on_hand) VALUES (@First, @First::text, @OnHand), (@Second, @Second::text, @OnHand)
            """,
            new { User, First = _base, Second = _base + 1, OnHand });
        await SellAsync(0);
        await SellAsync(1);
        while (_script.TryDequeue(out var step))
        {
            await HappenAsync(step);
            await CheckAsync();
        }

        await EndAsync();
    }

    private async Task InTheMiddleAsync()
    {
        if (_script.TryDequeue(out var step))
        {
            await CheckAsync();
            await HappenAsync(step);
        }

        if (_killed)
            throw new HttpRequestException(HttpRequestError.ResponseEnded, "Killed, or a reply lost.");
    }

    private async Task HappenAsync(int step)
    {
        var which = step / 16;
        var intents = _stripe.Intents;
        var intent = intents.ElementAt(which % intents.Count);
        switch (step % 16)
        {
            case 0 or 1 or 2:
                await RunAsync();
                break;
            case 3 or 4:
                intent.Pay();
                break;
            case 5:
                intent.Process();
                break;
            case 6:
                intent.Settle(which % 2 == 0);
                break;
            case 7:
                intent.Authenticate();
                break;
            case 8:
                await CancelAsync(_orders[which % _orders.Count]);
                break;
            case 9:
                await RefundAsync(_orders[which % _orders.Count]);
                break;
            case 10:
                await BookAsync(intent);
                break;
            case 11:
                await SellAsync(which);
                break;
            case 12:
                // A run under way dies here; the next begins afresh.
                _killed = _depth > 0;
                break;
            default:
                // Nothing happens: the run goes on.
                break;
        }
    }

    /// <summary>What expire-stale-orders does; another one may be in the middle of its own.</summary>
    private async Task RunAsync()
    {
        if (_depth >= 3)
            return;
        _depth++;
        var stale = await _db.TransactionAsync(
            tx => tx.QueryAsync<StaleOrder>(
                $"{StaleOrder.Select} WHERE o.id = ANY (@orders) AND o.status IN ('pending_payment', 'expiring') AND o.expires_at < @Now ORDER BY o.id",
                new { orders = _orders.ToArray(), _run.Now }),
            CancellationToken.None);
        foreach (var order in stale)
        {
            try
            {
                await _expiry.ExpireAsync(order);
            }
            catch (StripeException) when (_killed)
            {
                break;
            }
        }

        _depth--;
        // Only the innermost run died.
        _killed = false;
    }

    /// <summary>The shop takes an order of one product or both, if the stock is there.</summary>
    private async Task SellAsync(int which)
    {
        if (_orders.Count == 4)
            return;
        var order = _base + _orders.Count;
        var (first, second) = (1 + (which % 3), which / 3 % 3);
        var sold = await ExecuteAsync(
            """
            WITH need AS (SELECT * FROM (VALUES (@First::bigint, @Some::bigint), (@First + 1, @More)) AS n (product_id, quantity) WHERE quantity > 0),
            taken AS (
                UPDATE products AS p SET stock_reserved = p.stock_reserved + need.quantity FROM need
                WHERE p.id = need.product_id
                  AND NOT EXISTS (SELECT FROM need AS n JOIN products AS q ON q.id = n.product_id WHERE q.stock_on_hand - q.stock_reserved < n.quantity)
                RETURNING p.id, need.quantity),
            placed AS (
                INSERT INTO orders (id, user_id, total_minor, payment_intent_id, expires_at)
                SELECT @order, @User, 1000, @Intent, @Now - interval '1 minute' WHERE EXISTS (SELECT FROM taken) RETURNING id),
            items AS (INSERT INTO order_items (order_id, product_id, quantity) SELECT placed.id, taken.id, quantity FROM placed, taken),
            paying AS (
                INSERT INTO payments (user_id, order_id, purpose, amount_minor, provider_payment_id)
                SELECT @User, id, 'order', 1000, @Other FROM placed)
            INSERT INTO stock_reservations (order_id, product_id, quantity) SELECT placed.id, taken.id, quantity FROM placed, taken
            """,
            new { First = _base, Some = (long)first, More = (long)second, order, User, Intent = Name(order, "a"), Other = Name(order, "b"), _run.Now });
        if (sold == 0)
            return;
        _orders.Add(order);
        _stripe.Add(Name(order, "a"), order, User);
        _stripe.Add(Name(order, "b"), order, User);
    }

    /// <summary>The customer changes their mind in the shop.</summary>
    private Task<int> CancelAsync(long order) => ExecuteAsync(
        """
        WITH canceled AS (UPDATE orders SET status = 'canceled' WHERE id = @order AND status IN ('pending_payment', 'expiring') RETURNING id),
        closed AS (
            UPDATE stock_reservations AS r SET released_at = now() FROM canceled
            WHERE r.order_id = canceled.id AND r.released_at IS NULL RETURNING r.product_id, r.quantity)
        UPDATE products AS p SET stock_reserved = p.stock_reserved - closed.quantity FROM closed WHERE p.id = closed.product_id
        """,
        new { order });

    private Task<int> RefundAsync(long order) =>
        ExecuteAsync("UPDATE payments SET status = 'refunded' WHERE order_id = @order AND status = 'succeeded'", new { order });

    /// <summary>Another job, or the shop, learns of the success.</summary>
    private async Task BookAsync(ScriptedIntent intent)
    {
        if (intent.Status == PaymentIntentStatus.Succeeded)
            await _fulfilment.FulfilAsync(System.Text.Json.JsonSerializer.Deserialize(intent.Json, StripeJson.Default.PaymentIntent)!);
    }

    /// <summary>Whatever is under way ends, and two undisturbed runs clear up.</summary>
    private async Task EndAsync()
    {
        foreach (var intent in _stripe.Intents)
        {
            intent.Settle(well: intent.Id.GetHashCode(StringComparison.Ordinal) % 2 == 0);
            await BookAsync(intent);
        }

        await RunAsync();
        await RunAsync();
        await CheckAsync();
        var statuses = (await QueryAsync<OrderStatus>("SELECT id, status FROM orders WHERE id = ANY (@orders)", new { orders = _orders.ToArray() }))
            .ToDictionary(o => o.Id, o => o.Status);
        var paid = _stripe.Intents.Where(i => i.Status == PaymentIntentStatus.Succeeded).Select(i => i.Order).ToHashSet();
        foreach (var (order, status) in statuses)
        {
            string[] allowed = paid.Contains(order) ? ["paid", "refund_due"] : ["expired", "canceled"];
            Assert.True(allowed.Contains(status), $"order {order} is {status}, {(paid.Contains(order) ? "and was paid" : "and nobody paid it")}");
        }

        // One that the shop canceled is the shop's to end.
        Assert.DoesNotContain(_stripe.Intents, i => statuses[i.Order] == "expired" && i.IsOpen);
        var lost = await QueryAsync<string>(
            """
            SELECT intent FROM unnest(@paid) AS intent
            WHERE (SELECT count(*) FROM payments WHERE provider_payment_id = intent AND status IN ('succeeded', 'refunded'))
                + (SELECT count(*) FROM unmatched_payments WHERE provider_payment_id = intent) <> 1
            """,
            new { paid = _stripe.Intents.Where(i => i.Status == PaymentIntentStatus.Succeeded).Select(i => i.Id).ToArray() });
        Assert.Empty(lost);
    }

    private sealed class OrderStatus
    {
        public long Id { get; init; }
        public string Status { get; init; } = "";
    }

    private const string Broken =
        """
        SELECT p.id || ': ' || p.stock_reserved || ' reserved, ' || reserved.quantity || ' in reservations, ' || p.stock_on_hand || ' on hand, ' || sold.quantity || ' sold'
        FROM products AS p,
             LATERAL (SELECT coalesce(sum(quantity), 0) AS quantity FROM stock_reservations WHERE product_id = p.id AND released_at IS NULL) AS reserved,
             LATERAL (SELECT coalesce(sum(i.quantity), 0) AS quantity FROM order_items AS i JOIN orders AS o ON o.id = i.order_id
                      WHERE i.product_id = p.id AND o.status = 'paid') AS sold
        WHERE p.id IN (@First, @First + 1)
          AND (p.stock_reserved <> reserved.quantity OR p.stock_on_hand + sold.quantity <> @OnHand)
        """;

    /// <summary>The counter is the sum of the open reservations, and what left the shelf is what was paid: at every step.</summary>
    private async Task CheckAsync() => Assert.Empty(await QueryAsync<string>(Broken, new { First = _base, OnHand }));

    private async Task<int> ExecuteAsync(string sql, object parameters)
    {
        await using var connection = await _source.OpenConnectionAsync();
        return await connection.ExecuteAsync(sql, parameters);
    }

    private async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object parameters)
    {
        await using var connection = await _source.OpenConnectionAsync();
        return [.. await connection.QueryAsync<T>(sql, parameters)];
    }

    private static string Name(long order, string which) => string.Create(CultureInfo.InvariantCulture, $"pi_{order}{which}");

    public void Dispose()
    {
        _client.Dispose();
        _stripe.Dispose();
    }
}
