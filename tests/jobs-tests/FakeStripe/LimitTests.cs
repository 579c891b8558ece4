using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class LimitTests(Conversation stripe) : FakeStripeTest(stripe)
{
    [Fact]
    public async Task Beyond_25_requests_a_second_the_answer_is_429_with_a_reason_and_without_retry_after()
    {
        await using var fake = await FakeStripeProcess.StartAsync("--rate", "25");
        using var client = fake.Client();

        var replies = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => Stripe.SendAsync(HttpMethod.Get, "v1/customers", client: client)));

        Assert.InRange(replies.Count(reply => reply.Status == 200), 25, 50);
        var refused = replies.First(reply => reply.Status == 429);
        Assert.Equal("rate_limit", refused.ErrorText("code"));
        Assert.Equal("global-rate", refused.Headers["Stripe-Rate-Limited-Reason"]);
        Assert.False(refused.Headers.ContainsKey("Retry-After"));
    }

    [Fact]
    public async Task Two_writes_to_one_customer_at_once_meet_the_lock()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("hang_before", new { method = "POST", nth = 1 });
        var first = Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        await Stripe.Fake.HeldAsync();

        var second = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k2");
        Assert.Equal((429, "lock_timeout"), (second.Status, second.ErrorText("code")));
        Assert.False(second.Headers.ContainsKey("Stripe-Rate-Limited-Reason"));
        Assert.Equal(200, (await Stripe.GetAsync("v1/customers/cus_ada")).Status);

        await Stripe.Fake.ReleaseAsync();
        Assert.Equal(200, (await first).Status);
        Assert.Equal(200, (await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k2")).Status);
    }

    [Fact]
    public async Task The_request_log_counts_by_method_and_template()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");
        await Stripe.GetAsync("v1/customers/cus_ada");
        await Stripe.GetAsync("v1/customers/cus_nobody");

        var requests = await Stripe.Fake.RequestsAsync();

        Assert.Equal(3, requests.Total);
        Assert.Equal(2, requests.Count("GET /v1/customers/{id}"));
        Assert.Equal([200, 200, 404], requests.Recent.Select(request => request.Status));
        Assert.Equal("k1", requests.Recent[0].IdempotencyKey);
        Assert.Contains("amount=1500", requests.Recent[0].Params, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_seed_makes_the_ids_reproducible()
    {
        await using var one = await FakeStripeProcess.StartAsync("--seed", "7");
        await using var two = await FakeStripeProcess.StartAsync("--seed", "7");
        object seed = new { customers = new[] { new { email = "a@b.c" } } };

        Assert.Equal((await one.SeedAsync(seed)).GetRawText(), (await two.SeedAsync(seed)).GetRawText());
    }

    [Fact]
    public async Task It_ends_with_its_parent()
    {
        var fake = await FakeStripeProcess.StartAsync();
        using var process = System.Diagnostics.Process.GetProcessById(fake.ProcessId);

        await fake.DisposeAsync();

        Assert.True(process.WaitForExit(5000));
    }
}
