using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;

namespace Jobs.Tests.Orders;

/// <summary>Orders that are paid on Stripe's own page: their PaymentIntent ends with the Checkout Session, never by itself.</summary>
public sealed class CheckoutSessionTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData("pi_1", "pi_1")]
    [InlineData("cs_1", "pi_1")]
    [InlineData("cs_1", null)]
    public async Task The_session_is_expired_however_the_order_names_it(string named, string? intent)
    {
        await using var world = await fixture.WorldAsync();
        var (order, product) = await world.StaleOrderAsync(await world.UserAsync("ada"), named);
        await world.OpenIntentAsync("pi_1", status: intent is null ? "canceled" : "requires_payment_method");
        await world.SessionAsync("cs_1", intent);

        var run = (await world.ExpireOrdersAsync()).Done();

        Assert.Equal((1, 1), (run.Counter("orders_expired"), run.Counter("payment_intents_canceled")));
        Assert.Equal("expired", await SessionStatusAsync(world));
        Assert.Equal("canceled", await world.IntentStatusAsync("pi_1"));
        Assert.Equal("expired", await world.StatusAsync("orders", order));
        Assert.Equal((5, 0), await world.StockAsync(product));
    }

    [Theory]
    [InlineData("expired", "canceled", "expired")]
    [InlineData("expired", null, "expired")]
    [InlineData("complete", "succeeded", "paid")]
    [InlineData("complete", "processing", "pending_payment")]
    [InlineData("complete", null, "pending_payment")]
    public async Task A_session_that_is_over_is_what_its_payment_intent_is(string session, string? intent, string status)
    {
        await using var world = await fixture.WorldAsync();
        var (order, _) = await world.StaleOrderAsync(await world.UserAsync("ada"), "cs_1");
        if (intent is not null)
        {
            await world.OpenIntentAsync("pi_1", status: intent);
        }

        await world.SessionAsync("cs_1", intent is null ? null : "pi_1", session);

        (await world.ExpireOrdersAsync()).Done();

        Assert.Equal(status, await world.StatusAsync("orders", order));
        // The PaymentIntent says nothing of the order; that the order named its session is enough.
        Assert.Equal(status == "paid" ? order : null, await world.ScalarAsync<long?>("SELECT order_id FROM payments"));
    }

    [Fact]
    public async Task A_session_that_Stripe_does_not_know_holds_nothing_up()
    {
        await using var world = await fixture.WorldAsync();
        await world.StaleOrderAsync(await world.UserAsync("ada"), "cs_gone");

        Assert.Equal(1, (await world.ExpireOrdersAsync()).Done().Counter("orders_expired"));
    }

    private static async Task<string?> SessionStatusAsync(JobWorld world)
    {
        using var client = world.Stripe.Client();
        return JobWorld.ParseOne(await client.GetStringAsync(new Uri("v1/checkout/sessions/cs_1", UriKind.Relative))).GetProperty("status").GetString();
    }
}
