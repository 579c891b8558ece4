using System.Text;
using Jobs.Stripe;
using Xunit;
using static Jobs.Tests.Stripe.StubStripe;

namespace Jobs.Tests.Stripe;

public sealed class AnswerTests
{
    [Fact]
    public async Task Optional_members_of_any_shape_never_hide_the_result()
    {
        using var stripe = new StubStripe(Answer(200,
            """
            {"id":"pi_1","object":"payment_intent","amount":1250,"currency":"eur","status":"succeeded","created":1700000000,
             "amount_received":null,"amount_capturable":"x","canceled_at":"soon","cancellation_reason":5,"description":{"a":[1]},"capture_method":"\ud800","livemode":"yes",
             "metadata":{"a":"b","h":"\ud800","c":1,"d":{"e":"f"},"g":null},"customer":17,"payment_method":{"no":"id"},"latest_charge":[1],"invoice":false,
             "last_payment_error":"declined","next_action":{"type":["a"],"redirect_to_url":7},"unheard_of":{"x":[{}]}}
            """));
        using var client = stripe.Client();
        var intent = (await client.PaymentIntents.GetAsync("pi_1")).Value;
        Assert.Equal(("pi_1", 1250, "eur", "succeeded"), (intent.Id, intent.Amount, intent.Currency, intent.Status));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1700000000), intent.Created);
        Assert.Equal([new("a", "b")], intent.Metadata);
        Assert.Equal((0, 0), (intent.AmountReceived, intent.AmountCapturable));
        Assert.Null(intent.CustomerId);
        Assert.Null(intent.LatestCharge);
        Assert.Null(intent.LastPaymentError);
        Assert.Null(intent.CanceledAt);
    }

    [Theory]
    [InlineData("id")]
    [InlineData("amount")]
    [InlineData("currency")]
    [InlineData("status")]
    [InlineData("created")]
    public async Task A_required_member_is_never_guessed(string member)
    {
        foreach (var wrong in new[] { "null", "[]", "{}", "true", "\"\\u0000\"", $"\"{new string('x', 3000)}\"" })
        {
            var json = System.Text.Json.Nodes.JsonNode.Parse(PaymentIntent("succeeded"))!;
            json[member] = System.Text.Json.Nodes.JsonNode.Parse(wrong);
            using var stripe = new StubStripe(Answer(200, json.ToJsonString()));
            using var client = stripe.Client(maxAttempts: 1);
            var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(FormBody.Empty, IdempotencyKey.New()));
            Assert.True(e.MayHaveHappened);
        }
    }

    /// <summary>PostgreSQL keeps no NUL, and no index a key of thousands of bytes: what cannot be kept is not taken up.</summary>
    [Theory]
    [InlineData("ab\\u0000c", null)]
    [InlineData("2500", "2500")]
    [InlineData("2501", null)]
    public async Task Text_that_no_column_could_keep_reads_as_absent(string customer, string? read)
    {
        static string Of(string text) => int.TryParse(text, out var length) ? new string('x', length) : text;
        using var stripe = new StubStripe(Answer(200, PaymentIntent("succeeded").Replace("cus_1", Of(customer), StringComparison.Ordinal)));
        using var client = stripe.Client();
        Assert.Equal(read is null ? null : Of(read), (await client.PaymentIntents.GetAsync("pi_1")).Value.CustomerId);
    }

    /// <summary>Half of what a garbled refusal says must not pass for all of it: the reason without the PaymentIntent that is still open.</summary>
    [Theory]
    [InlineData(402, """{"error":{"type":"card_error","code":"card_declined","payment_intent":{"id":"pi_1?","amount":1,"currency":"eur","status":"requires_payment_method","created":1}}}""")]
    [InlineData(200, """{"id":"pi_1","amount":1,"currency":"eur","status":"succeeded","created":1,"description":"?"}""")]
    public async Task An_answer_that_is_not_UTF_8_is_none(int status, string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        bytes[body.IndexOf('?', StringComparison.Ordinal)] = 0xFF;
        using var stripe = new StubStripe((_, _) => Task.FromResult(new HttpResponseMessage((System.Net.HttpStatusCode)status) { Content = new ByteArrayContent(bytes) }));
        using var client = stripe.Client(maxAttempts: 1);
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(FormBody.Empty, IdempotencyKey.New()));
        Assert.True(e.MayHaveHappened);
        Assert.Null(e.StripeError);
    }

    [Fact]
    public async Task Metadata_is_empty_rather_than_null()
    {
        using var stripe = new StubStripe(
            Answer(200, """{"id":"pi_1","amount":1,"currency":"eur","status":"succeeded","created":1}"""),
            Answer(200, """{"id":"pi_1","amount":1,"currency":"eur","status":"succeeded","created":1,"metadata":null}"""));
        using var client = stripe.Client();
        Assert.Empty((await client.PaymentIntents.GetAsync("pi_1")).Value.Metadata);
        Assert.Empty((await client.PaymentIntents.GetAsync("pi_1")).Value.Metadata);
    }

    [Fact]
    public async Task References_are_read_as_id_as_object_and_as_deleted_object()
    {
        using var stripe = new StubStripe(Answer(200,
            """
            {"object":"list","has_more":false,"data":[
             {"id":"inpay_1","invoice":"in_1","payment":{"type":"payment_intent","payment_intent":"pi_1"},"status":"paid","amount_paid":500},
             {"id":"inpay_2","invoice":{"id":"in_2","amount_paid":500,"currency":"eur","customer":{"object":"customer","id":"cus_1","deleted":true},
               "parent":{"type":"subscription_details","subscription_details":{"subscription":"sub_1","metadata":{"plan":"club"}}},
               "lines":{"object":"list","has_more":false,"data":[{"id":"il_1","period":{"start":10,"end":20}}]}}},
             {"id":"inpay_3","invoice":{"id":"in_3","amount_paid":500,"currency":"eur","subscription":{"id":"sub_2","status":"active"},"subscription_details":{"metadata":{"plan":"old"}}}},
             {"id":"inpay_4","invoice":{"id":"in_4","deleted":true}}]}
            """));
        using var client = stripe.Client();
        var payments = await client.InvoicePayments.ListAsync("pi_1").ToListAsync();
        Assert.Equal(["in_1", "in_2", "in_3", "in_4"], payments.Select(p => p.Invoice!.Id));
        Assert.Null(payments[0].Invoice!.Object);
        Assert.Equal("pi_1", payments[0].PaymentIntentId);
        var invoice = payments[1].Invoice!.Object!;
        Assert.Equal(("sub_1", "club"), (invoice.SubscriptionId, invoice.SubscriptionMetadata["plan"]));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(20), invoice.FirstLinePeriod!.End);
        Assert.True(invoice.Customer!.Deleted);
        Assert.Equal("cus_1", invoice.Customer.Id);
        Assert.Equal(("sub_2", "old"), (payments[2].Invoice!.Object!.SubscriptionId, payments[2].Invoice!.Object!.SubscriptionMetadata["plan"]));
        Assert.True(payments[3].Invoice!.Deleted);
    }

    [Fact]
    public async Task A_deleted_customer_is_an_answer()
    {
        using var stripe = new StubStripe(Answer(200, """{"id":"cus_1","object":"customer","deleted":true}"""),
            Answer(200, """{"id":"cus_2","object":"customer","email":null,"invoice_settings":{"default_payment_method":{"id":"pm_1","type":"card","card":{"last4":"4242","exp_month":12,"fingerprint":"fp"}}}}"""));
        using var client = stripe.Client();
        Assert.True((await client.Customers.GetAsync("cus_1")).Value.Deleted);
        var method = (await client.Customers.GetAsync("cus_2")).Value.InvoiceSettings!.DefaultPaymentMethod!.Object!;
        Assert.Equal(("4242", 12L, "fp"), (method.Card!.Last4, method.Card.ExpMonth, method.Card.Fingerprint));
    }

    [Fact]
    public async Task An_event_is_read_in_whatever_shape_its_object_has()
    {
        using var stripe = new StubStripe(Answer(200, $$$"""
            {"object":"list","has_more":false,"data":[
             {"id":"evt_1","type":"payment_intent.succeeded","created":5,"api_version":"2020-08-27","data":{"object":{{{PaymentIntent("succeeded")}}}},"request":{"id":"req_9","idempotency_key":"k"}},
             {"id":"evt_2","type":"customer.subscription.updated","created":4,"request":null,"data":{"object":{"id":"sub_1","object":"subscription","status":"active","metadata":{"plan":"club"},"customer":{"id":"cus_9"} } } },
             {"id":"evt_3","type":"odd","created":3,"data":{"object":[1]} }]}
            """));
        using var client = stripe.Client();
        var events = await client.Events.ListAsync(new() { Types = ["payment_intent.succeeded", "customer.subscription.updated"] }).ToListAsync();
        Assert.True(events[0].Data.TryGetPaymentIntent(out var intent));
        Assert.Equal(("pi_1", "k"), (intent.Id, events[0].Request!.IdempotencyKey));
        Assert.False(events[1].Data.TryGetPaymentIntent(out _));
        var data = events[1].Data;
        Assert.Equal(("sub_1", "subscription", "active", "club", "cus_9"), (data.ObjectId, data.ObjectType, data.Status, data.Metadata["plan"], data.IdOf("customer")));
        Assert.Null(events[2].Data.ObjectId);
        Assert.Empty(events[2].Data.Metadata);
    }

    [Fact]
    public async Task A_decline_tells_everything_and_names_the_open_PaymentIntent()
    {
        using var stripe = new StubStripe(Error(402, "card_error", "card_declined",
            $$""","decline_code":"insufficient_funds","advice_code":"try_again_later","charge":"ch_1","payment_intent":{{PaymentIntent("requires_payment_method", "pi_9")}},"payment_method":{"id":"pm_1"}""",
            ("Idempotent-Replayed", "true")));
        using var client = stripe.Client();
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(FormBody.Empty, IdempotencyKey.New()));
        Assert.True(e.IsCardError);
        Assert.True(e.IdempotentReplayed);
        Assert.Equal(("pi_9", "requires_payment_method", "pm_1", "ch_1"), (e.StripeError!.PaymentIntent!.Id, e.StripeError.PaymentIntent.Status, e.StripeError.PaymentMethod!.Id, e.StripeError.Charge));
        Assert.Equal("Stripe answered POST /v1/payment_intents with 402 card_error/card_declined/insufficient_funds: In Stripe's words [req_1].", e.Message);
        Assert.Equal(DeclineKind.Soft, Decline.Classify(e.StripeError));
    }

    [Fact]
    public async Task A_message_holds_neither_keys_nor_card_numbers()
    {
        const string key = "sk_test_4eC39HqLyjWDarjtT1zdp7dc";
        using var stripe = new StubStripe(
            Answer(401, $$$"""{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: {{{key}}} or sk_live_abc123 for 4242 4242 4242 4242"}}"""),
            Answer(502, $"<html>\r\n\r\n Bearer {key} 4242424242424242 {new string('x', 5000)}"));
        using var client = stripe.Client(maxAttempts: 1, key: key);
        var refused = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.GetAsync("pi_1"));
        Assert.True(refused.IsAuthentication);
        var html = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.GetAsync("pi_1"));
        foreach (var text in new[] { refused.Message, refused.StripeError!.Message!, refused.ToString(), html.ToString() })
        {
            Assert.DoesNotContain("4eC39", text, StringComparison.Ordinal);
            Assert.DoesNotContain("abc123", text, StringComparison.Ordinal);
            Assert.DoesNotContain("4242", text, StringComparison.Ordinal);
        }

        Assert.InRange(html.Message.Length, 50, 450);
        Assert.DoesNotContain('\n', html.Message);
    }

    [Fact]
    public async Task An_answer_nested_too_deep_is_refused_not_followed()
    {
        var deep = new StringBuilder(PaymentIntent("succeeded")).Remove(PaymentIntent("succeeded").Length - 1, 1)
            .Append(",\"x\":").Append('[', 5000).Append(']', 5000).Append('}').ToString();
        using var stripe = new StubStripe(Answer(200, deep));
        using var client = stripe.Client(maxAttempts: 1);
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(FormBody.Empty, IdempotencyKey.New()));
        Assert.True(e.MayHaveHappened);
    }

    [Fact]
    public async Task Predicates_tell_the_refusals_apart()
    {
        Assert.True((await Refusal(Error(403, "invalid_request_error"))).IsPermission);
        Assert.True((await Refusal(Error(404, "invalid_request_error", "resource_missing"))).IsNotFound);
        Assert.True((await Refusal(Error(400, "invalid_request_error", "payment_intent_unexpected_state"))).IsUnexpectedState);
        Assert.True((await Refusal(Error(400, "idempotency_error"))).IsIdempotencyError);
        var rate = await Refusal(Error(429, "invalid_request_error", "rate_limit"));
        Assert.Equal((true, false), (rate.IsRateLimit, rate.IsLockTimeout));
        var locked = await Refusal(Error(429, "invalid_request_error", "lock_timeout"));
        Assert.Equal((false, true), (locked.IsRateLimit, locked.IsLockTimeout));
    }

    private static async Task<StripeException> Refusal(Step step)
    {
        using var stripe = new StubStripe(step);
        using var client = stripe.Client(maxAttempts: 1);
        return await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(FormBody.Empty, IdempotencyKey.New()));
    }
}
