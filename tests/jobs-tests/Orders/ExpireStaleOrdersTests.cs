using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Orders.OrderScene;

namespace Jobs.Tests.Orders;

/// <summary>Unpaid orders past their time.</summary>
public sealed class ExpireStaleOrdersTests(PostgresFixture fixture)
{
    [Fact]
    public async Task At_its_time_an_order_waits_and_a_microsecond_later_it_expires()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (kept, keptProduct) = await world.StaleOrderAsync(user, "pi_kept", Now);
        var (expired, product) = await world.StaleOrderAsync(user, "pi_expired", Now.AddMicroseconds(-1));
        var payment = await world.OrderPaymentAsync(user, expired, "pi_expired");
        await world.OpenIntentAsync("pi_kept");
        await world.OpenIntentAsync("pi_expired");

        var run = (await world.ExpireOrdersAsync()).Done();

        Assert.Equal((1, 1, 2), (run.Counter("orders_expired"), run.Counter("payment_intents_canceled"), run.Counter("stock_released")));
        Assert.Equal(("pending_payment", "expired"), (await world.StatusAsync("orders", kept), await world.StatusAsync("orders", expired)));
        Assert.Equal(((5, 2), (5, 0)), (await world.StockAsync(keptProduct), await world.StockAsync(product)));
        Assert.Equal(("requires_payment_method", "canceled"), (await world.IntentStatusAsync("pi_kept"), await world.IntentStatusAsync("pi_expired")));
        Assert.Equal(("canceled", "abandoned"), ((string)(await world.RowAsync("payments", payment)).status, (string)(await world.RowAsync("payments", payment)).failure_code));
        Assert.Equal(
            "order.expiring, order.expired, payment.canceled, product.released",
            await world.ScalarAsync<string>("SELECT string_agg(action, ', ' ORDER BY action <> 'order.expiring', action) FROM audit_logs WHERE run_id IS NOT NULL"));
        var after = await world.StateAsync();
        (await world.ExpireOrdersAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task Each_condition_alone_keeps_an_order()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        foreach (var status in new[] { "paid", "expired", "canceled", "refund_due" })
        {
            await world.StaleOrderAsync(user, status: status);
        }

        var (timeless, _) = await world.StaleOrderAsync(user);
        await world.ExecuteAsync("UPDATE orders SET expires_at = NULL WHERE id = @timeless", new { timeless });
        foreach (var status in new[] { "waiting", "processing", "unknown" })
        {
            // One of a person is at a reader at a time.
            var payer = await world.UserAsync(status);
            var (atTerminal, _) = await world.StaleOrderAsync(payer);
            var payment = await world.PaymentAsync(payer, null, Overdue, "order_id, purpose, method, provider", $"{atTerminal}, 'order', 'card_terminal', 'sumup'");
            await world.ExecuteAsync("INSERT INTO payment_queue (payment_id, status) VALUES (@payment, @status)", new { payment, status });
        }

        var (paidInCash, _) = await world.StaleOrderAsync(user);
        await world.PaymentAsync(user, null, Overdue, "order_id, purpose, method, status", $"{paidInCash}, 'order', 'cash', 'succeeded'");
        var before = await world.StateAsync();

        var run = (await world.ExpireOrdersAsync()).Done();

        Assert.Equal((0, 4), (run.Counter("orders_expired"), run.Counter("left")));
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.PostsAsync());
    }

    [Theory]
    [InlineData("requires_payment_method", 1)]
    [InlineData("requires_confirmation", 1)]
    [InlineData("requires_action", 1)]
    [InlineData("canceled", 0)]
    public async Task All_payment_intents_of_an_order_are_ended(string status, int canceled)
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, product) = await world.StaleOrderAsync(user, "pi_1");
        // Declined and canceled ones count too: a customer can still pay on an open one of a failed payment.
        await world.OrderPaymentAsync(user, order, "pi_2", "failed");
        await world.OrderPaymentAsync(user, order, "pi_3");
        await world.OpenIntentAsync("pi_1", status: status);
        await world.OpenIntentAsync("pi_2");
        await world.OpenIntentAsync("pi_3");

        Assert.Equal(2 + canceled, (await world.ExpireOrdersAsync()).Done().Counter("payment_intents_canceled"));

        Assert.All(await world.Stripe.DumpAsync(), i => Assert.Equal("canceled", i.GetProperty("status").GetString()));
        Assert.Equal("expired", await world.StatusAsync("orders", order));
        Assert.Equal((5, 0), await world.StockAsync(product));
        Assert.Equal("canceled, failed", await world.ScalarAsync<string>("SELECT string_agg(status, ', ' ORDER BY status) FROM payments"));
    }

    [Fact]
    public async Task A_payment_intent_that_only_its_metadata_ties_to_the_order_is_ended_too()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (nothingKnown, _) = await world.StaleOrderAsync(user);
        var (unnamed, _) = await world.StaleOrderAsync(user, "pi_known");
        var payment = await world.OrderPaymentAsync(user, unnamed, null);
        await world.OpenIntentAsync("pi_of_order", ForOrder(user, nothingKnown));
        await world.OpenIntentAsync("pi_of_payment", new { payment_id = BillingScene.Text(payment) });
        await world.OpenIntentAsync("pi_known");
        await world.OpenIntentAsync("pi_else", new { order_id = "4711" });

        var run = (await world.ExpireOrdersAsync()).Done();

        Assert.Equal((2, 3), (run.Counter("orders_expired"), run.Counter("payment_intents_canceled")));
        Assert.Equal("requires_payment_method", await world.IntentStatusAsync("pi_else"));
        Assert.Equal("canceled", await world.StatusAsync("payments", payment));
    }

    [Fact]
    public async Task Without_a_payment_intent_or_with_one_the_provider_does_not_know_it_just_expires()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var stranger = await world.PersonAsync("nobody");
        await world.StaleOrderAsync(user, "pi_gone");
        await world.StaleOrderAsync(user);
        await world.StaleOrderAsync(stranger);

        var run = (await world.ExpireOrdersAsync()).Done();

        Assert.Equal((3, 0, 6), (run.Counter("orders_expired"), run.Counter("payment_intents_canceled"), run.Counter("stock_released")));
        await world.CounterIsTrueAsync();
    }

    [Fact]
    public async Task Only_what_is_still_reserved_is_released()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        // Several items, one product gone, one item reserved in part, one reservation given back already.
        var (order, first) = await world.StaleOrderAsync(user);
        var second = await world.ScalarAsync<long>("INSERT INTO products (sku, stock_on_hand, stock_reserved) VALUES ('second', 9, 4) RETURNING id");
        await world.ExecuteAsync(
            """
            INSERT INTO order_items (order_id, product_id, quantity) VALUES (@order, @second, 3), (@order, 999999, 1);
            INSERT INTO stock_reservations (order_id, product_id, quantity, released_at)
            VALUES (@order, @second, 1, NULL), (@order, @second, 2, now()), (@order, @first, 1, now()), (@order, 999999, 1, NULL);
            INSERT INTO stock_reservations (order_id, product_id, quantity) SELECT id, @second, 3 FROM orders WHERE status = 'paid'
            """,
            new { order, first, second });
        var (never, untouched) = await world.StaleOrderAsync(user);
        await world.ExecuteAsync("UPDATE stock_reservations SET released_at = now() WHERE order_id = @never; UPDATE products SET stock_reserved = 0 WHERE id = @untouched", new { never, untouched });

        Assert.Equal(3, (await world.ExpireOrdersAsync()).Done().Counter("stock_released"));

        Assert.Equal((5, 0), await world.StockAsync(first));
        Assert.Equal((9, 3), await world.StockAsync(second));
        Assert.Equal((5, 0), await world.StockAsync(untouched));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM stock_reservations WHERE released_at IS NULL"));
    }

    [Fact]
    public async Task An_order_left_expiring_is_finished_and_one_with_more_time_goes_back_to_waiting()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (left, _) = await world.StaleOrderAsync(user, "pi_1", status: "expiring");
        var (extended, _) = await world.StaleOrderAsync(user, "pi_2", Now, status: "expiring");
        var (timeless, _) = await world.StaleOrderAsync(user, "pi_3", status: "expiring");
        await world.ExecuteAsync("UPDATE orders SET expires_at = NULL WHERE id = @timeless; UPDATE products SET stock_reserved = 2; UPDATE stock_reservations SET released_at = NULL", new { timeless });
        await world.OpenIntentAsync("pi_1", status: "canceled");
        await world.OpenIntentAsync("pi_2");

        Assert.Equal(1, (await world.ExpireOrdersAsync()).Done().Counter("orders_expired"));

        Assert.Equal("expired", await world.StatusAsync("orders", left));
        Assert.Equal(("pending_payment", "pending_payment"), (await world.StatusAsync("orders", extended), await world.StatusAsync("orders", timeless)));
        await world.CounterIsTrueAsync();
    }

    [Fact]
    public async Task A_dry_run_foretells_what_the_run_does_and_changes_nothing()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.StaleOrderAsync(user, "pi_paid");
        await world.StaleOrderAsync(user, "pi_busy");
        await world.StaleOrderAsync(user, "pi_open");
        await world.StaleOrderAsync(user, "cs_open");
        await world.IntentAsync("pi_paid");
        await world.OpenIntentAsync("pi_busy", status: "processing");
        await world.OpenIntentAsync("pi_open");
        await world.SessionAsync("cs_open");
        var before = await world.StateAsync();

        var dry = (await world.ExpireOrdersAsync("--dry-run")).Done();

        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.RunRowsAsync());
        Assert.Equal(0, await world.PostsAsync());
        var run = (await world.ExpireOrdersAsync()).Done();
        foreach (var counter in new[] { "orders_expired", "payment_intents_canceled", "stock_released", "paid_in_race", "left" })
        {
            Assert.Equal(run.Counter(counter), dry.Counter(counter));
        }

        Assert.Equal((2, 2, 4, 1, 1), (run.Counter("orders_expired"), run.Counter("payment_intents_canceled"), run.Counter("stock_released"), run.Counter("paid_in_race"), run.Counter("left")));
        Assert.Equal(4, dry.Items().GetArrayLength());
    }

    [Fact]
    public async Task Only_a_shard_and_a_limit_restrict_the_run()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        List<long> orders = [];
        for (var i = 0; i < 4; i++)
        {
            orders.Add((await world.StaleOrderAsync(user)).Order);
        }

        Assert.Equal(1, (await world.ExpireOrdersAsync("--only", BillingScene.Text(orders[1]))).Done().Counter("orders_expired"));
        Assert.Equal("expired", await world.StatusAsync("orders", orders[1]));
        Assert.Equal(1, (await world.ExpireOrdersAsync("--shard", $"{orders[1] % 2}/2")).Done().Counter("orders_expired"));
        Assert.Equal(1, (await world.ExpireOrdersAsync("--limit", "1", "--batch-size", "1")).Done().Counter("orders_expired"));
        Assert.Equal(1, (await world.ExpireOrdersAsync()).Done().Counter("orders_expired"));
    }
}
