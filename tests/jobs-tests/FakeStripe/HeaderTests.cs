using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class HeaderTests(Conversation stripe) : FakeStripeTest(stripe)
{
    [Theory]
    [InlineData(null)]
    [InlineData("pk_test_x")]
    [InlineData("sk_live_x")]
    public async Task Without_a_test_secret_key_the_answer_is_401(string? key)
    {
        using var client = Stripe.Fake.Client(key ?? "x");
        if (key is null)
            client.DefaultRequestHeaders.Authorization = null;

        using var response = await client.GetAsync("v1/customers");

        Assert.Equal(401, (int)response.StatusCode);
        Assert.True(response.Headers.Contains("Request-Id"));
    }

    [Fact]
    public async Task An_unknown_version_is_400_and_a_known_one_is_echoed()
    {
        using var client = Stripe.Fake.Client();
        client.DefaultRequestHeaders.Remove("Stripe-Version");
        client.DefaultRequestHeaders.Add("Stripe-Version", "2024-06-20");
        using var known = await client.GetAsync("v1/customers");
        Assert.Equal("2024-06-20", known.Headers.GetValues("Stripe-Version").Single());

        client.DefaultRequestHeaders.Remove("Stripe-Version");
        client.DefaultRequestHeaders.Add("Stripe-Version", "2031-01-01.fern");
        using var unknown = await client.GetAsync("v1/customers");
        Assert.Equal(400, (int)unknown.StatusCode);
        Assert.DoesNotContain("\"code\"", await unknown.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Older_versions_still_take_payment_method_types()
    {
        using var client = Stripe.Fake.Client();
        client.DefaultRequestHeaders.Remove("Stripe-Version");
        client.DefaultRequestHeaders.Add("Stripe-Version", "2026-08-26.dahlia");

        var reply = await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur&payment_method_types[]=card", client: client);

        Assert.Equal(200, reply.Status);
    }

    [Fact]
    public async Task Every_answer_has_its_own_request_id()
    {
        string[] paths = ["v1/customers", "v1/customers", "v1/payment_intents/pi_x", "v1/nothing", "v1/customers?limit=0"];
        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var path in paths)
            ids.Add((await Stripe.GetAsync(path)).Headers["Request-Id"]);

        Assert.Equal(paths.Length, ids.Count);
    }
}
