using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class IdempotencyTests(Conversation stripe) : FakeStripeTest(stripe)
{
    [Fact]
    public async Task The_same_key_replays_the_same_bytes_and_charges_once()
    {
        await Stripe.SeedMemberAsync();

        var first = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        var again = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");

        Assert.Equal((200, 200), (first.Status, again.Status));
        Assert.Equal(first.Body, again.Body);
        Assert.False(first.Headers.ContainsKey("Idempotent-Replayed"));
        Assert.Equal(first.Headers["Request-Id"], first.Headers["Original-Request"]);
        Assert.Equal("true", again.Headers["Idempotent-Replayed"]);
        Assert.Equal(first.Headers["Request-Id"], again.Headers["Original-Request"]);
        Assert.NotEqual(first.Headers["Request-Id"], again.Headers["Request-Id"]);
        Assert.Equal("k1", again.Headers["Idempotency-Key"]);
        Assert.Equal(1500, (await Stripe.Fake.LedgerAsync()).Total());
    }

    [Fact]
    public async Task A_replay_is_the_answer_as_saved_not_the_object_as_it_is()
    {
        await Stripe.SeedMemberAsync("processing_then_succeed:60");
        var first = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        Assert.Equal("processing", first.State);

        await Stripe.Fake.AdvanceAsync(TimeSpan.FromMinutes(2));

        Assert.Equal("processing", (await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1")).State);
        Assert.Equal("succeeded", (await Stripe.GetAsync($"v1/payment_intents/{first.Id}")).State);
    }

    [Fact]
    public async Task Other_parameters_or_another_endpoint_under_the_same_key_are_refused()
    {
        await Stripe.SeedMemberAsync();
        var first = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");

        foreach (var reply in new[]
        {
            await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(amount: 1600), "k1"),
            await Stripe.PostAsync($"v1/payment_intents/{first.Id}/cancel", "", "k1"),
        })
        {
            Assert.Equal((400, "idempotency_error", null), (reply.Status, reply.ErrorText("type"), reply.ErrorText("code")));
        }
    }

    [Fact]
    public async Task The_order_of_the_parameters_does_not_matter()
    {
        await Stripe.PostAsync("v1/customers", "email=a%40b.c&name=Ada", "k1");

        Assert.Equal("true", (await Stripe.PostAsync("v1/customers", "name=Ada&email=a@b.c", "k1")).Headers["Idempotent-Replayed"]);
    }

    [Fact]
    public async Task A_decline_is_replayed_even_when_the_card_has_money_again()
    {
        await Stripe.SeedMemberAsync("insufficient_funds,success");

        var first = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        var again = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        var fresh = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k2");

        Assert.Equal((402, 402, 200), (first.Status, again.Status, fresh.Status));
        Assert.Equal(first.Body, again.Body);
    }

    [Fact]
    public async Task A_validation_error_is_not_remembered()
    {
        Assert.Equal(400, (await Stripe.PostAsync("v1/payment_intents", "amount=x&currency=eur", "k1")).Status);

        Assert.Equal(200, (await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur", "k1")).Status);
    }

    [Fact]
    public async Task A_refused_change_of_state_is_remembered()
    {
        await Stripe.Fake.SeedAsync(new { payment_intents = new[] { new { id = "pi_1", status = "processing" } } });
        Assert.Equal(400, (await Stripe.PostAsync("v1/payment_intents/pi_1/cancel", "", "k1")).Status);
        await Stripe.Fake.ActAsync("pi_1", "fail");

        Assert.Equal(400, (await Stripe.PostAsync("v1/payment_intents/pi_1/cancel", "", "k1")).Status);
        Assert.Equal(200, (await Stripe.PostAsync("v1/payment_intents/pi_1/cancel", "", "k2")).Status);
    }

    [Fact]
    public async Task While_the_first_request_runs_the_same_key_is_409()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("hang_before", new { method = "POST", nth = 1 });
        var first = Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        await Stripe.Fake.HeldAsync();

        var second = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        Assert.Equal((409, "idempotency_key_in_use"), (second.Status, second.ErrorText("code")));

        await Stripe.Fake.ReleaseAsync();
        Assert.Equal(200, (await first).Status);
        Assert.Equal("true", (await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1")).Headers["Idempotent-Replayed"]);
        Assert.Equal(1, (await Stripe.Fake.LedgerAsync()).Count);
    }

    [Fact]
    public async Task After_24_hours_the_same_key_charges_again()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.SetClockAsync(DateTimeOffset.Parse("2026-11-20T06:00:00Z"));
        await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");

        await Stripe.Fake.AdvanceAsync(TimeSpan.FromHours(24) - TimeSpan.FromSeconds(1));
        await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        Assert.Equal(1, (await Stripe.Fake.LedgerAsync()).ForRenewal("9", "2026-11-20").Count);

        await Stripe.Fake.AdvanceAsync(TimeSpan.FromSeconds(1));
        await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        Assert.Equal(2, (await Stripe.Fake.LedgerAsync()).ForRenewal("9", "2026-11-20").Count);
    }

    [Fact]
    public async Task Another_account_may_use_the_same_key()
    {
        using var other = Stripe.Fake.Client("sk_test_other");
        var first = await Stripe.PostAsync("v1/customers", "email=a@b.c", "k1");
        var second = await Stripe.PostAsync("v1/customers", "email=a@b.c", "k1", other);

        Assert.NotEqual(first.Id, second.Id);
    }

    [Fact]
    public async Task A_key_on_a_get_has_no_effect()
    {
        await Stripe.SendAsync(HttpMethod.Get, "v1/customers", key: "k1");
        await Stripe.PostAsync("v1/customers", "email=a@b.c");
        var again = await Stripe.SendAsync(HttpMethod.Get, "v1/customers", key: "k1");

        Assert.Single(again.Ids);
        Assert.False(again.Headers.ContainsKey("Idempotent-Replayed"));
    }
}
