using Jobs.Stripe;
using Xunit;
using static Jobs.Tests.Stripe.StubStripe;

namespace Jobs.Tests.Stripe;

public sealed class MayHaveHappenedTests
{
    private static readonly FormBody Body = FormBody.Parse("amount=1250&currency=eur");

    [Theory]
    // one send
    [InlineData(true, "lost")]
    [InlineData(true, "500")]
    [InlineData(true, "503 html")]
    [InlineData(true, "409 key in use")]
    [InlineData(true, "424")]
    [InlineData(true, "200 html")]
    [InlineData(true, "200 cut off")]
    [InlineData(true, "200 of another kind")]
    [InlineData(true, "302")]
    [InlineData(true, "402 html")]
    [InlineData(true, "403 html")]
    [InlineData(false, "refused")]
    [InlineData(false, "401")]
    [InlineData(false, "403")]
    [InlineData(false, "404")]
    [InlineData(false, "429")]
    [InlineData(false, "429 empty")]
    [InlineData(false, "429 lock")]
    [InlineData(false, "400 parameter")]
    [InlineData(false, "400 state")]
    [InlineData(false, "400 idempotency")]
    [InlineData(false, "402")]
    // what comes after a doubt
    [InlineData(true, "lost", "429")]
    [InlineData(true, "lost", "401")]
    [InlineData(true, "lost", "403")]
    [InlineData(true, "lost", "404")]
    [InlineData(true, "lost", "400 parameter")]
    [InlineData(true, "lost", "refused")]
    [InlineData(true, "409 key in use", "429")]
    [InlineData(true, "500", "429 lock", "401")]
    [InlineData(false, "lost", "402")]
    [InlineData(false, "lost", "400 state")]
    [InlineData(false, "lost", "400 idempotency")]
    [InlineData(false, "500", "429", "402")]
    // doubt after certainty
    [InlineData(true, "refused", "lost")]
    [InlineData(true, "429", "500")]
    [InlineData(false, "refused", "429", "refused")]
    public async Task A_write_may_have_happened_as_its_sends_tell(bool mayHaveHappened, params string[] sends)
    {
        using var stripe = new StubStripe([.. sends.Select(Named)]);
        using var client = stripe.Client(maxAttempts: sends.Length);
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        Assert.Equal(mayHaveHappened, e.MayHaveHappened);
        Assert.Equal(sends.Length, stripe.Requests.Count);
        Assert.Equal(mayHaveHappened, e.Message.EndsWith("may have been carried out.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lost_reply_then_a_429_still_may_have_happened()
    {
        using var stripe = new StubStripe(Lost, Named("429"));
        using var client = stripe.Client(maxAttempts: 3);
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        Assert.True(e.IsRateLimit);
        Assert.True(e.MayHaveHappened);
    }

    [Fact]
    public async Task A_lost_reply_then_the_replay_is_a_result_marked_as_replayed()
    {
        using var stripe = new StubStripe(Lost, Succeeded(("Idempotent-Replayed", "true")));
        using var client = stripe.Client();
        var response = await client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New());
        Assert.True(response.IdempotentReplayed);
        Assert.Equal("req_1", response.RequestId);
        Assert.Equal(PaymentIntentStatus.Succeeded, response.Value.Status);
    }

    [Fact]
    public async Task A_read_never_may_have_happened()
    {
        using var stripe = new StubStripe(Lost);
        using var client = stripe.Client(maxAttempts: 2);
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.GetAsync("pi_1"));
        Assert.False(e.MayHaveHappened);
        Assert.Null(e.HttpStatus);
        Assert.Equal(2, stripe.Requests.Count);
    }

    [Fact]
    public async Task A_time_out_is_sent_again_and_may_have_happened()
    {
        StubStripe? stripe = null;
        stripe = new StubStripe(async (_, token) =>
        {
            stripe!.Clock.Advance(TimeSpan.FromSeconds(81));
            await Task.Delay(Timeout.Infinite, token);
            throw new InvalidOperationException();
        });
        using var client = stripe.Client(maxAttempts: 2);
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New()));
        Assert.True(e.MayHaveHappened);
        Assert.Contains("within 80 s", e.Message, StringComparison.Ordinal);
        Assert.Equal(2, stripe.Requests.Count);
    }

    [Fact]
    public async Task Cancelling_before_anything_was_sent_is_a_plain_cancellation()
    {
        using var stripe = new StubStripe(Succeeded());
        using var client = stripe.Client();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New(), new CancellationToken(canceled: true)));
        Assert.Empty(stripe.Requests);
    }

    [Fact]
    public async Task Cancelling_a_write_in_flight_tells_that_it_may_have_happened()
    {
        using var source = new CancellationTokenSource();
        using var stripe = new StubStripe(async (_, token) =>
        {
            await source.CancelAsync();
            await Task.Delay(Timeout.Infinite, token);
            throw new InvalidOperationException();
        });
        using var client = stripe.Client();
        var e = await Assert.ThrowsAsync<StripeException>(() => client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New(), source.Token));
        Assert.True(e.MayHaveHappened);
        Assert.IsAssignableFrom<OperationCanceledException>(e.InnerException);
        Assert.Single(stripe.Requests);
    }

    [Theory]
    [InlineData("lost", true)]
    [InlineData("429", false)]
    public async Task Cancelling_between_two_sends_tells_what_the_first_may_have_done(string first, bool mayHaveHappened)
    {
        using var source = new CancellationTokenSource();
        using var stripe = new StubStripe(Named(first)) { Clock = { InsteadOfPause = source.Cancel } };
        using var client = stripe.Client();
        var call = client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New(), source.Token);
        if (mayHaveHappened)
            Assert.True((await Assert.ThrowsAsync<StripeException>(() => call)).MayHaveHappened);
        else
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Single(stripe.Requests);
    }

    [Fact]
    public async Task Cancelling_a_read_is_a_plain_cancellation()
    {
        using var source = new CancellationTokenSource();
        using var stripe = new StubStripe(async (_, token) =>
        {
            await source.CancelAsync();
            await Task.Delay(Timeout.Infinite, token);
            throw new InvalidOperationException();
        });
        using var client = stripe.Client();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.PaymentIntents.GetAsync("pi_1", source.Token));
    }

    private static Step Named(string name) => name switch
    {
        "lost" => Lost,
        "refused" => Refused,
        "200 html" => Answer(200, "<html>Welcome to the hotel</html>"),
        "200 cut off" => Answer(200, PaymentIntent("succeeded")[..60]),
        "200 of another kind" => Answer(200, """{"id":"ch_1","object":"charge"}"""),
        "302" => Answer(302, "", ("Location", "https://login.example/")),
        "400 parameter" => Error(400, "invalid_request_error", "parameter_unknown"),
        "400 state" => Error(400, "invalid_request_error", "payment_intent_unexpected_state"),
        "400 idempotency" => Error(400, "idempotency_error"),
        "401" => Error(401, "invalid_request_error"),
        "402" => Error(402, "card_error", "card_declined"),
        "402 html" => Answer(402, "<html>Pay for this page</html>"),
        "403" => Error(403, "invalid_request_error"),
        "403 html" => Answer(403, "<html>Blocked</html>"),
        "404" => Error(404, "invalid_request_error", "resource_missing"),
        "409 key in use" => Error(409, "invalid_request_error", "idempotency_key_in_use"),
        "424" => Error(424, "api_error"),
        "429" => Error(429, "invalid_request_error", "rate_limit"),
        "429 empty" => Answer(429, ""),
        "429 lock" => Error(429, "invalid_request_error", "lock_timeout"),
        "500" => Error(500, "api_error"),
        "503 html" => Answer(503, "<html>Bad gateway</html>"),
        _ => throw new ArgumentException(name),
    };
}
