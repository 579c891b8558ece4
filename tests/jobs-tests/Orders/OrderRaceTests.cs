using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Orders.OrderScene;

namespace Jobs.Tests.Orders;

/// <summary>The customer, the shop and Stripe act while an order is being expired.</summary>
public sealed class OrderRaceTests(PostgresFixture fixture)
{
    [Fact]
    public async Task What_succeeded_is_paid_its_other_payment_intents_are_ended_and_what_is_processing_waits()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (paid, paidProduct) = await world.StaleOrderAsync(user, "pi_paid");
        await world.OrderPaymentAsync(user, paid, "pi_second");
        var (busy, busyProduct) = await world.StaleOrderAsync(user, "pi_busy");
        var (held, _) = await world.StaleOrderAsync(user, "pi_held");
        await world.IntentAsync("pi_paid");
        await world.OpenIntentAsync("pi_second");
        await world.OpenIntentAsync("pi_busy", status: "processing");
        await world.OpenIntentAsync("pi_held", status: "requires_capture");

        var run = (await world.ExpireOrdersAsync()).Done();

        Assert.Equal((0, 1, 2), (run.Counter("orders_expired"), run.Counter("paid_in_race"), run.Counter("left")));
        Assert.Equal(("paid", "pending_payment", "pending_payment"), (await world.StatusAsync("orders", paid), await world.StatusAsync("orders", busy), await world.StatusAsync("orders", held)));
        Assert.Equal(((3, 0), (5, 2)), (await world.StockAsync(paidProduct), await world.StockAsync(busyProduct)));
        Assert.Equal(("canceled", "requires_capture"), (await world.IntentStatusAsync("pi_second"), await world.IntentStatusAsync("pi_held")));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
        // However often it is looked at, an order that waits is not written.
        var after = await world.StateAsync();
        (await world.ExpireOrdersAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
    }

    [Theory]
    [InlineData("pay", "paid", 3, 0)]
    [InlineData("cancel", "expired", 5, 0)]
    [InlineData("fail", "expired", 5, 0)]
    public async Task Something_happens_at_Stripe_between_the_look_and_the_cancel(string action, string status, long onHand, long reserved)
    {
        await using var world = await fixture.WorldAsync();
        var (order, product) = await world.StaleOrderAsync(await world.UserAsync("ada"), "pi_1");
        await world.OpenIntentAsync("pi_1");
        await world.Stripe.FaultAsync("hang_before", new { method = "POST" });
        using var process = world.Start("expire-stale-orders", "--as-of", BillingScene.AsOf(Now));
        await world.Stripe.HeldAsync();
        Assert.Equal("expiring", await world.StatusAsync("orders", order));
        await world.Stripe.ActAsync("pi_1", action, new { });
        await world.Stripe.ReleaseAsync();

        (await process.EndAsync()).Done();

        Assert.Equal(status, await world.StatusAsync("orders", order));
        Assert.Equal((onHand, reserved), await world.StockAsync(product));
    }

    [Fact]
    public async Task The_shop_cancels_the_order_while_it_expires()
    {
        await using var world = await fixture.WorldAsync();
        var (order, product) = await world.StaleOrderAsync(await world.UserAsync("ada"), "pi_1");
        await world.OpenIntentAsync("pi_1");
        await world.Stripe.FaultAsync("hang_after", new { method = "POST" });
        using var process = world.Start("expire-stale-orders", "--as-of", BillingScene.AsOf(Now));
        await world.Stripe.HeldAsync();
        await world.ExecuteAsync(
            """
            UPDATE orders SET status = 'canceled' WHERE id = @order;
            UPDATE stock_reservations SET released_at = now() WHERE order_id = @order;
            UPDATE products SET stock_reserved = stock_reserved - 2 WHERE id = @product
            """,
            new { order, product });
        await world.Stripe.ReleaseAsync();

        (await process.EndAsync()).Done();

        Assert.Equal("canceled", await world.StatusAsync("orders", order));
        Assert.Equal((5, 0), await world.StockAsync(product));
    }

    [Fact]
    public async Task A_payment_intent_added_while_the_order_was_looked_at_is_ended_too()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, _) = await world.StaleOrderAsync(user, "pi_1");
        await world.OpenIntentAsync("pi_1");
        await world.OpenIntentAsync("pi_2");
        await world.Stripe.FaultAsync("hang_after", new { method = "GET", nth = 1 });
        using var process = world.Start("expire-stale-orders", "--as-of", BillingScene.AsOf(Now));
        await world.Stripe.HeldAsync();
        await world.OrderPaymentAsync(user, order, "pi_2");
        await world.Stripe.ReleaseAsync();

        (await process.EndAsync()).Done();

        Assert.Equal("canceled", await world.IntentStatusAsync("pi_2"));
        Assert.Equal("expired", await world.StatusAsync("orders", order));
    }

    [Theory]
    [InlineData("GET", "pending_payment")]
    [InlineData("POST", "expiring")]
    public async Task A_failing_provider_releases_nothing_fails_the_run_and_the_next_run_goes_on(string method, string status)
    {
        await using var world = await fixture.WorldAsync();
        var (order, product) = await world.StaleOrderAsync(await world.UserAsync("ada"), "pi_1");
        await world.OpenIntentAsync("pi_1");
        await world.Stripe.FaultAsync("status_before:500", new { method }, shouldRetry: false);

        Assert.Equal(1, (await world.ExpireOrdersAsync()).Failed().Counter("failed"));

        Assert.Equal(status, await world.StatusAsync("orders", order));
        Assert.Equal((5, 2), await world.StockAsync(product));
        await world.Stripe.ClearFaultsAsync();
        Assert.Equal(1, (await world.ExpireOrdersAsync()).Done().Counter("orders_expired"));
        Assert.Equal((5, 0), await world.StockAsync(product));
    }

    [Theory]
    [InlineData(5, "paid", 3)]
    [InlineData(1, "refund_due", 1)]
    public async Task Money_for_an_order_that_expired_reinstates_it_if_the_stock_is_there(long onHand, string status, long left)
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, product) = await world.StaleOrderAsync(user, "pi_1");
        (await world.ExpireOrdersAsync()).Done();
        await world.ExecuteAsync("UPDATE products SET stock_on_hand = @onHand WHERE id = @product", new { onHand, product });
        await world.IntentAsync("pi_1", metadata: ForOrder(user, order));

        (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal(status, await world.StatusAsync("orders", order));
        Assert.Equal((left, 0), await world.StockAsync(product));
        Assert.Equal(status == "refund_due" ? 1 : 0, await world.MailsAsync("staff_refund_due"));
    }

    [Fact]
    public async Task Money_that_does_not_fit_is_parked_and_the_order_waits_until_it_is_resolved()
    {
        await using var world = await fixture.WorldAsync();
        var (order, product) = await world.StaleOrderAsync(await world.UserAsync("ada"), "pi_1");
        await world.IntentAsync("pi_1", amount: 999);

        Assert.Equal(1, (await world.ExpireOrdersAsync()).Done().Counter("parked_payments"));

        Assert.Equal("pending_payment", await world.StatusAsync("orders", order));
        Assert.Equal("amount_mismatch", await world.UnmatchedReasonAsync("pi_1"));
        Assert.Equal(1, await world.MailsAsync("staff_unmatched_payments"));
        var after = await world.StateAsync();
        Assert.Equal(1, (await world.ExpireOrdersAsync()).Done().Counter("left"));
        Assert.Equal(after, await world.StateAsync());
        await world.ExecuteAsync("UPDATE unmatched_payments SET resolved_at = now()");
        Assert.Equal(1, (await world.ExpireOrdersAsync()).Done().Counter("orders_expired"));
        Assert.Equal((5, 0), await world.StockAsync(product));
    }

    [Fact]
    public async Task A_payment_row_that_names_only_the_payment_intent_still_pays_the_order()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, _) = await world.StaleOrderAsync(user, "pi_1");
        var payment = await world.PaymentAsync(user, "pi_1");
        await world.IntentAsync("pi_1");

        (await world.MatchPendingAsync()).Done();

        Assert.Equal(("paid", "succeeded"), (await world.StatusAsync("orders", order), await world.StatusAsync("payments", payment)));
    }
}
