using Jobs.Stripe;
using Xunit;
using static Jobs.Tests.Stripe.StubStripe;

namespace Jobs.Tests.Stripe;

public sealed class KeyExpiryTests
{
    private static readonly FormBody Body = FormBody.Parse("amount=1250&currency=eur");

    [Fact]
    public async Task A_key_past_its_time_is_not_sent_at_all()
    {
        using var stripe = new StubStripe(Succeeded());
        using var client = stripe.Client();
        var key = IdempotencyKey.New(stripe.Clock.GetUtcNow().AddTicks(-1));
        var e = await Assert.ThrowsAsync<IdempotencyKeyExpiredException>(() => client.PaymentIntents.CreateAsync(Body, key));
        Assert.False(e.MayHaveHappened);
        Assert.Empty(stripe.Requests);
    }

    [Fact]
    public async Task A_key_at_its_last_instant_is_sent()
    {
        using var stripe = new StubStripe(Succeeded());
        using var client = stripe.Client();
        await client.PaymentIntents.CreateAsync(Body, IdempotencyKey.New(stripe.Clock.GetUtcNow()));
        Assert.Single(stripe.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_key_that_expires_during_the_call_is_not_sent_again(bool lost)
    {
        StubStripe? stripe = null;
        stripe = new StubStripe(After(
            lost ? Lost : Error(429, "invalid_request_error", "rate_limit"),
            () => stripe!.Clock.Advance(TimeSpan.FromMinutes(1))));
        using var client = stripe.Client();
        var key = IdempotencyKey.New(stripe.Clock.GetUtcNow().AddSeconds(59));
        var e = await Assert.ThrowsAsync<IdempotencyKeyExpiredException>(() => client.PaymentIntents.CreateAsync(Body, key));
        Assert.Equal(lost, e.MayHaveHappened);
        Assert.IsType<StripeException>(e.InnerException);
        Assert.Single(stripe.Requests);
    }

    [Theory]
    [InlineData(-3600)]
    [InlineData(0)]
    public async Task A_clock_set_back_does_not_make_a_key_younger(int wallChangeSeconds)
    {
        StubStripe? stripe = null;
        stripe = new StubStripe(After(Lost, () =>
        {
            stripe!.Clock.Advance(TimeSpan.FromMinutes(1));
            stripe.Clock.SetWall(TimeSpan.FromSeconds(wallChangeSeconds));
        }));
        using var client = stripe.Client();
        var key = IdempotencyKey.New(stripe.Clock.GetUtcNow().AddSeconds(30));
        var e = await Assert.ThrowsAsync<IdempotencyKeyExpiredException>(() => client.PaymentIntents.CreateAsync(Body, key));
        Assert.True(e.MayHaveHappened);
        Assert.Single(stripe.Requests);
    }

    [Fact]
    public async Task A_machine_that_slept_finds_the_key_expired()
    {
        StubStripe? stripe = null;
        stripe = new StubStripe(After(Lost, () => stripe!.Clock.SetWall(TimeSpan.FromHours(24))));
        using var client = stripe.Client();
        var key = IdempotencyKey.New(stripe.Clock.GetUtcNow().AddHours(23));
        await Assert.ThrowsAsync<IdempotencyKeyExpiredException>(() => client.PaymentIntents.CreateAsync(Body, key));
        Assert.Single(stripe.Requests);
    }

    [Fact]
    public async Task A_key_that_expires_in_the_queue_of_the_rate_limit_is_not_sent()
    {
        using var stripe = new StubStripe(Succeeded());
        using var client = stripe.Client(perSecond: 1);
        var key = IdempotencyKey.New(stripe.Clock.GetUtcNow().AddMilliseconds(500));
        await client.PaymentIntents.GetAsync("pi_1");
        await Assert.ThrowsAsync<IdempotencyKeyExpiredException>(() => client.PaymentIntents.CreateAsync(Body, key));
        Assert.Single(stripe.Requests);
    }

    [Fact]
    public async Task A_key_that_expires_while_waiting_for_a_connection_is_not_sent()
    {
        StubStripe? stripe = null;
        stripe = new StubStripe(async (request, token) =>
        {
            stripe!.Clock.Advance(TimeSpan.FromMinutes(1));
            return await Succeeded()(request, token);
        });
        using var client = stripe.Client();
        var key = IdempotencyKey.New(stripe.Clock.GetUtcNow().AddSeconds(30));
        var e = await Assert.ThrowsAsync<IdempotencyKeyExpiredException>(() => client.PaymentIntents.CreateAsync(Body, key));
        Assert.False(e.MayHaveHappened);
    }

    /// <summary>Time passes once the request has left.</summary>
    private static Step After(Step step, Action then) => async (request, token) =>
    {
        try
        {
            return await step(request, token);
        }
        finally
        {
            then();
        }
    };
}
