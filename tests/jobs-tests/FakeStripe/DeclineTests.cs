using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class DeclineTests(Conversation stripe) : FakeStripeTest(stripe)
{
    [Theory]
    [InlineData("generic_decline", "card_declined", "generic_decline", "try_again_later")]
    [InlineData("insufficient_funds", "card_declined", "insufficient_funds", "try_again_later")]
    [InlineData("lost_card", "card_declined", "lost_card", "do_not_try_again")]
    [InlineData("stolen_card", "card_declined", "stolen_card", "do_not_try_again")]
    [InlineData("expired_card", "expired_card", "expired_card", "confirm_card_data")]
    [InlineData("incorrect_cvc", "incorrect_cvc", "incorrect_cvc", "confirm_card_data")]
    [InlineData("processing_error", "processing_error", "processing_error", "try_again_later")]
    [InlineData("fraudulent", "card_declined", "fraudulent", null)]
    [InlineData("card_velocity_exceeded", "card_declined", "card_velocity_exceeded", null)]
    [InlineData("do_not_retry", "card_declined", "generic_decline", null)]
    [InlineData("authentication_required", "authentication_required", "authentication_required", null)]
    [InlineData("decline:pickup_card", "card_declined", "pickup_card", null)]
    public async Task A_refusal_is_a_402_that_names_the_intent_it_left_behind(string behaviour, string code, string declineCode, string? advice)
    {
        await Stripe.SeedMemberAsync(behaviour);

        var reply = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());

        Assert.Equal(402, reply.Status);
        Assert.Equal(("card_error", code, declineCode, advice), (reply.ErrorText("type"), reply.ErrorText("code"), reply.ErrorText("decline_code"), reply.ErrorText("advice_code")));
        Assert.NotNull(reply.ErrorText("doc_url"));
        Assert.NotNull(reply.ErrorText("request_log_url"));

        var intent = reply.Error.GetProperty("payment_intent");
        Assert.Equal("requires_payment_method", intent.GetProperty("status").GetString());
        Assert.Equal(declineCode, intent.GetProperty("last_payment_error").GetProperty("decline_code").GetString());
        Assert.Equal("7", intent.GetProperty("metadata").GetProperty("payment_id").GetString());

        var charge = await Stripe.GetAsync($"v1/charges/{reply.ErrorText("charge")}");
        Assert.Equal(("failed", code), (charge.State, charge.Json.GetProperty("failure_code").GetString()));
        Assert.Equal([intent.GetProperty("id").GetString()!], (await Stripe.GetAsync("v1/payment_intents?customer=cus_ada")).Ids);
        Assert.Equal(0, (await Stripe.Fake.LedgerAsync()).Count);
    }

    [Fact]
    public async Task Stripes_own_block_never_reaches_the_network()
    {
        await Stripe.SeedMemberAsync("do_not_retry");
        var reply = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());

        var outcome = (await Stripe.GetAsync($"v1/charges/{reply.ErrorText("charge")}")).Json.GetProperty("outcome");

        Assert.Equal("blocked", outcome.GetProperty("type").GetString());
        Assert.Equal("not_sent_to_network", outcome.GetProperty("network_status").GetString());
        Assert.Equal("previously_declined_do_not_retry", outcome.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task The_declined_intent_can_be_confirmed_again()
    {
        await Stripe.SeedMemberAsync("insufficient_funds,success");
        var refused = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());
        var id = refused.Error.GetProperty("payment_intent").GetProperty("id").GetString();

        var confirmed = await Stripe.PostAsync($"v1/payment_intents/{id}/confirm", "payment_method=pm_ada&off_session=true");

        Assert.Equal((200, "succeeded"), (confirmed.Status, confirmed.State));
        Assert.Single(await Stripe.Fake.DumpAsync());
    }

    [Fact]
    public async Task Authentication_is_asked_for_on_session_and_refused_off_session()
    {
        await Stripe.SeedMemberAsync("authentication_required");
        var made = await Stripe.PostAsync("v1/payment_intents", "amount=1500&currency=eur&customer=cus_ada&payment_method=pm_ada&confirm=true&return_url=https://example.com");
        Assert.Equal((200, "requires_action"), (made.Status, made.State));
        Assert.Equal("use_stripe_sdk", made.Json.GetProperty("next_action").GetProperty("type").GetString());

        var strict = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(more: "&error_on_requires_action=true").Replace("&off_session=true", "", StringComparison.Ordinal));
        Assert.Equal((402, "authentication_not_handled"), (strict.Status, strict.ErrorText("decline_code")));
    }

    [Theory]
    [InlineData("pm_card_visa", 200, null)]
    [InlineData("pm_card_visa_chargeDeclinedInsufficientFunds", 402, "insufficient_funds")]
    [InlineData("pm_card_chargeDeclinedExpiredCard", 402, "expired_card")]
    [InlineData("pm_card_authenticationRequired", 402, "authentication_required")]
    public async Task Stripes_test_cards_behave_as_named(string card, int status, string? declineCode)
    {
        await Stripe.SeedMemberAsync();

        var reply = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(method: card));

        Assert.Equal(status, reply.Status);
        if (declineCode is not null)
            Assert.Equal(declineCode, reply.ErrorText("decline_code"));
        else
            Assert.NotEqual(card, reply.Json.GetProperty("payment_method").GetString());
    }

    [Fact]
    public async Task A_declining_test_card_cannot_be_attached_but_one_that_fails_later_can()
    {
        await Stripe.SeedMemberAsync();

        Assert.Equal(402, (await Stripe.PostAsync("v1/payment_methods/pm_card_visa_chargeDeclined/attach", "customer=cus_ada")).Status);
        var attached = await Stripe.PostAsync("v1/payment_methods/pm_card_chargeCustomerFail/attach", "customer=cus_ada");
        Assert.Equal(200, attached.Status);
        Assert.Equal(402, (await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(method: attached.Id))).Status);
    }

    [Fact]
    public async Task A_missing_detached_or_foreign_payment_method_is_a_400()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.SeedMemberAsync(customer: "cus_bob", method: "pm_bob");
        var unknown = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(method: "pm_none"));
        Assert.Equal((400, "resource_missing", "payment_method"), (unknown.Status, unknown.ErrorText("code"), unknown.ErrorText("param")));

        await Stripe.PostAsync("v1/payment_methods/pm_ada/detach");
        foreach (var method in new[] { "pm_ada", "pm_bob" })
        {
            var reply = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(method: method));
            Assert.Equal((400, "invalid_request_error", "payment_method"), (reply.Status, reply.ErrorText("type"), reply.ErrorText("param")));
            Assert.Equal($"The customer does not have a payment method with the ID {method}. The payment method must be attached to the customer.", reply.ErrorText("message"));
        }

        Assert.Empty(await Stripe.Fake.DumpAsync());
    }

    [Fact]
    public async Task Confirming_without_a_payment_method_or_return_url_is_a_400()
    {
        var none = await Stripe.PostAsync("v1/payment_intents", "amount=1500&currency=eur&confirm=true");
        Assert.Equal((400, "payment_intent_unexpected_state"), (none.Status, none.ErrorText("code")));

        var nowhere = await Stripe.PostAsync("v1/payment_intents", "amount=1500&currency=eur&confirm=true&payment_method=pm_card_visa");
        Assert.Equal((400, "return_url"), (nowhere.Status, nowhere.ErrorText("param")));
    }
}
