using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class StateTests(Conversation stripe) : FakeStripeTest(stripe)
{
    [Theory]
    [InlineData("succeeded", "cancel", "You cannot cancel this PaymentIntent because it has a status of succeeded.")]
    [InlineData("canceled", "cancel", "You cannot cancel this PaymentIntent because it has a status of canceled.")]
    [InlineData("processing", "cancel", "You cannot cancel this PaymentIntent because it has a status of processing.")]
    [InlineData("succeeded", "confirm", "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.")]
    [InlineData("canceled", "confirm", "You cannot confirm this PaymentIntent because it has a status of canceled.")]
    [InlineData("processing", "confirm", "You cannot confirm this PaymentIntent because it has a status of processing.")]
    [InlineData("requires_payment_method", "confirm", "You cannot confirm this PaymentIntent because it's missing a payment method.")]
    [InlineData("succeeded", "capture", "This PaymentIntent could not be captured because it has a status of succeeded.")]
    [InlineData("canceled", "capture", "This PaymentIntent could not be captured because it has a status of canceled.")]
    public async Task A_change_the_state_forbids_is_a_400_with_the_intent(string status, string action, string message)
    {
        await Stripe.Fake.SeedAsync(new { payment_intents = new[] { new { id = "pi_1", status } } });

        var reply = await Stripe.PostAsync($"v1/payment_intents/pi_1/{action}");

        Assert.Equal((400, "invalid_request_error", "payment_intent_unexpected_state"), (reply.Status, reply.ErrorText("type"), reply.ErrorText("code")));
        Assert.StartsWith(message, reply.ErrorText("message"), StringComparison.Ordinal);
        Assert.Equal(status, reply.Error.GetProperty("payment_intent").GetProperty("status").GetString());
        Assert.Equal(status, (await Stripe.GetAsync("v1/payment_intents/pi_1")).State);
    }

    [Fact]
    public async Task Cancelling_keeps_when_and_why()
    {
        await Stripe.Fake.SetClockAsync(DateTimeOffset.FromUnixTimeSeconds(1_795_000_000));
        await Stripe.Fake.SeedAsync(new { payment_intents = new[] { new { id = "pi_1", status = "requires_payment_method" } } });

        var reply = await Stripe.PostAsync("v1/payment_intents/pi_1/cancel", "cancellation_reason=abandoned");

        Assert.Equal("canceled", reply.State);
        Assert.Equal(1_795_000_000, reply.Json.GetProperty("canceled_at").GetInt64());
        Assert.Equal("abandoned", reply.Json.GetProperty("cancellation_reason").GetString());
    }

    [Theory]
    [InlineData("processing_then_succeed:60", "succeeded", 1500)]
    [InlineData("processing_then_fail:60", "requires_payment_method", 0)]
    public async Task Processing_settles_on_the_fake_clock_either_way(string behaviour, string status, long received)
    {
        await Stripe.Fake.SetClockAsync(DateTimeOffset.FromUnixTimeSeconds(1_795_000_000));
        await Stripe.SeedMemberAsync(behaviour);
        var made = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());

        await Stripe.Fake.AdvanceAsync(TimeSpan.FromSeconds(59));
        Assert.Equal("processing", (await Stripe.GetAsync($"v1/payment_intents/{made.Id}")).State);
        Assert.Equal(0, (await Stripe.Fake.LedgerAsync()).Count);

        await Stripe.Fake.AdvanceAsync(TimeSpan.FromHours(1));
        var settled = await Stripe.GetAsync($"v1/payment_intents/{made.Id}");
        Assert.Equal(status, settled.State);
        Assert.Equal(received, settled.Json.GetProperty("amount_received").GetInt64());
        Assert.Equal(received, (await Stripe.Fake.LedgerAsync()).Total());
        Assert.Equal(made.Json.GetProperty("latest_charge").GetString(), settled.Json.GetProperty("latest_charge").GetString());
        // It happened when it was due, not when somebody looked.
        var last = (await Stripe.GetAsync("v1/events?limit=1")).Json.GetProperty("data")[0];
        Assert.Equal(1_795_000_060, last.GetProperty("created").GetInt64());
    }

    [Fact]
    public async Task A_manual_capture_takes_the_money_only_when_captured()
    {
        await Stripe.SeedMemberAsync();
        var held = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(more: "&capture_method=manual"));
        Assert.Equal("requires_capture", held.State);
        Assert.Equal(0, (await Stripe.Fake.LedgerAsync()).Count);

        var captured = await Stripe.PostAsync($"v1/payment_intents/{held.Id}/capture", "amount_to_capture=1000");

        Assert.Equal("succeeded", captured.State);
        Assert.Equal(1000, (await Stripe.Fake.LedgerAsync()).Total());
    }

    [Fact]
    public async Task The_customer_may_pay_behind_our_back()
    {
        await Stripe.Fake.SeedAsync(new { payment_intents = new[] { new { id = "pi_1", status = "requires_action", metadata = new { payment_id = "7" } } } });

        await Stripe.Fake.ActAsync("pi_1", "pay");

        Assert.Equal("succeeded", (await Stripe.GetAsync("v1/payment_intents/pi_1")).State);
        Assert.Equal(1, (await Stripe.Fake.LedgerAsync()).ForPayment("7").Count);
        var happened = (await Stripe.GetAsync("v1/events?type=payment_intent.succeeded")).Json.GetProperty("data")[0];
        Assert.Equal("null", happened.GetProperty("request").GetProperty("id").GetRawText());
    }

    [Fact]
    public async Task The_intent_of_an_open_checkout_session_is_ended_by_expiring_the_session()
    {
        await Stripe.Fake.SeedAsync(new
        {
            payment_intents = new[] { new { id = "pi_1" } },
            checkout_sessions = new[] { new { id = "cs_1", payment_intent = "pi_1" } },
        });
        Assert.Equal(400, (await Stripe.PostAsync("v1/payment_intents/pi_1/cancel")).Status);

        Assert.Equal("expired", (await Stripe.PostAsync("v1/checkout/sessions/cs_1/expire")).State);

        Assert.Equal("canceled", (await Stripe.GetAsync("v1/payment_intents/pi_1")).State);
    }

    [Fact]
    public async Task A_deleted_customer_is_still_answered_but_cannot_be_charged()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.DeleteAsync("v1/customers/cus_ada");

        var read = await Stripe.GetAsync("v1/customers/cus_ada");
        Assert.Equal((200, """{"id":"cus_ada","object":"customer","deleted":true}"""), (read.Status, read.Body));
        var charged = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());
        Assert.Equal((400, "resource_missing", "customer"), (charged.Status, charged.ErrorText("code"), charged.ErrorText("param")));
        Assert.Equal("[]", (await Stripe.GetAsync("v1/payment_methods?customer=cus_ada")).Json.GetProperty("data").GetRawText());
    }

    [Fact]
    public async Task A_refund_takes_from_the_charge_until_nothing_is_left()
    {
        await Stripe.SeedMemberAsync();
        var paid = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());

        Assert.Equal(200, (await Stripe.PostAsync("v1/refunds", $"payment_intent={paid.Id}&amount=500")).Status);
        Assert.Equal(400, (await Stripe.PostAsync("v1/refunds", $"payment_intent={paid.Id}&amount=1001")).Status);
        Assert.Equal(200, (await Stripe.PostAsync("v1/refunds", $"payment_intent={paid.Id}")).Status);
        Assert.Equal("charge_already_refunded", (await Stripe.PostAsync("v1/refunds", $"payment_intent={paid.Id}")).ErrorText("code"));

        Assert.Equal(1500, (await Stripe.Fake.LedgerAsync()).Refunded());
        Assert.Equal(2, (await Stripe.GetAsync($"v1/refunds?payment_intent={paid.Id}")).Ids.Count);
    }
}
