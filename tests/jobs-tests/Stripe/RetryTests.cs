using System.Net;
using Jobs.Stripe;
using Xunit;
using static Jobs.Tests.Stripe.StubStripe;

namespace Jobs.Tests.Stripe;

public sealed class RetryTests
{
    private static readonly FormBody Body = FormBody.Parse("amount=1250&currency=eur&description=caf%C3%A9+au+lait");

    [Fact]
    public async Task Every_send_of_a_call_carries_the_same_key_and_the_same_bytes()
    {
        using var stripe = new StubStripe(Answer(500), Error(409, "invalid_request_error", "idempotency_key_in_use"), Answer(502, "<html>"), Succeeded());
        using var client = stripe.Client();
        var key = IdempotencyKey.New();
        await client.PaymentIntents.CreateAsync(Body, key);
        Assert.Equal(4, stripe.Requests.Count);
        Assert.All(stripe.Requests, r => Assert.Equal(key.Value, r.Headers["Idempotency-Key"]));
        Assert.All(stripe.Requests, r => Assert.Equal(Body.ToString(), r.Body));
    }

    [Theory]
    [InlineData(409, 2)]
    [InlineData(429, 2)]
    [InlineData(500, 2)]
    [InlineData(502, 2)]
    [InlineData(503, 2)]
    [InlineData(504, 2)]
    [InlineData(400, 1)]
    [InlineData(401, 1)]
    [InlineData(402, 1)]
    [InlineData(403, 1)]
    [InlineData(404, 1)]
    public async Task What_passes_by_itself_is_sent_again_and_the_rest_is_not(int status, int sends)
    {
        using var stripe = new StubStripe(Error(status, "invalid_request_error"));
        using var client = stripe.Client(maxAttempts: 2);
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.GetAsync("pi_1"));
        Assert.Equal(sends, stripe.Requests.Count);
        Assert.Equal((HttpStatusCode)status, e.HttpStatus);
    }

    [Theory]
    [InlineData(500, "false", 1)]
    [InlineData(409, "false", 1)]
    [InlineData(429, "false", 1)]
    [InlineData(400, "true", 3)]
    [InlineData(402, "true", 3)]
    public async Task Stripe_has_the_last_word_on_sending_again(int status, string word, int sends)
    {
        using var stripe = new StubStripe(Error(status, "api_error", null, "", ("Stripe-Should-Retry", word)));
        using var client = stripe.Client(maxAttempts: 3);
        await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        Assert.Equal(sends, stripe.Requests.Count);
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("3600", 20)]
    public async Task Retry_After_is_waited_for_up_to_the_cap(string seconds, int waited)
    {
        using var stripe = new StubStripe(Error(503, "api_error", null, "", ("Retry-After", seconds)), Succeeded());
        using var client = stripe.Client();
        await client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New());
        Assert.Contains(TimeSpan.FromSeconds(waited), stripe.Clock.Pauses);
    }

    [Fact]
    public async Task Pauses_grow_at_random_up_to_the_cap()
    {
        using var stripe = new StubStripe(Answer(503));
        using var client = stripe.Client(maxAttempts: 9);
        await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.GetAsync("pi_1"));
        Assert.Equal(9, stripe.Requests.Count);
        Assert.All(stripe.Clock.Pauses, p => Assert.InRange(p, TimeSpan.Zero, TimeSpan.FromSeconds(20)));
        Assert.True(stripe.Clock.Pauses[0] <= TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task One_attempt_means_no_retry()
    {
        using var stripe = new StubStripe(Answer(500));
        using var client = stripe.Client(maxAttempts: 1);
        await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.GetAsync("pi_1"));
        Assert.Single(stripe.Requests);
    }

    [Fact]
    public async Task A_dry_run_sends_no_write_but_reads()
    {
        using var stripe = new StubStripe(Succeeded());
        using var client = stripe.Client(readOnly: true);
        await Assert.ThrowsAsync<InvalidOperationException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        await Assert.ThrowsAsync<InvalidOperationException>(() => client.PaymentIntents.CancelAsync("pi_1", options: null, IdempotencyKey.New()));
        Assert.Empty(stripe.Requests);
        await client.PaymentIntents.GetAsync("pi_1");
        Assert.Single(stripe.Requests);
    }

    [Fact]
    public async Task A_write_without_a_key_is_a_mistake()
    {
        using var stripe = new StubStripe(Succeeded());
        using var client = stripe.Client();
        await Assert.ThrowsAsync<ArgumentException>(() => client.PaymentIntents.CreateAsync(Body, default));
        Assert.Throws<ArgumentException>(() => new IdempotencyKey(new string('k', 256)));
        Assert.Throws<ArgumentException>(() => new IdempotencyKey("two words"));
        Assert.NotEqual(IdempotencyKey.New(), IdempotencyKey.New());
    }
}
