using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Before a new attempt the earlier attempt's PaymentIntent is ended; what became of it decides.</summary>
public sealed class EarlierAttemptTests(PostgresFixture fixture)
{
    private async Task<(JobWorld World, long Subscription, string Intent)> DeclinedAsync(string then = "success")
    {
        var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", "insufficient_funds," + then);
        (await world.AutopaymentAsync(Morning)).Done();
        return (world, subscription, (string)Assert.Single(await world.AttemptsAsync(subscription)).provider_payment_id);
    }

    [Fact]
    public async Task It_is_canceled_before_the_new_one_is_sent()
    {
        var (world, _, intent) = await DeclinedAsync();
        await using var _ = world;
        await world.Stripe.ClearRequestsAsync();

        (await world.AutopaymentAsync(Morning.AddDays(1))).Done();

        var posts = (await world.Stripe.RequestsAsync()).Recent.Where(r => r.Method == "POST").OrderBy(r => r.Number).Select(r => r.Path);
        Assert.Equal([$"/v1/payment_intents/{intent}/cancel", "/v1/payment_intents"], posts);
    }

    [Fact]
    public async Task If_it_succeeded_meanwhile_it_is_fulfilled_and_nothing_is_charged()
    {
        var (world, subscription, intent) = await DeclinedAsync();
        await using var _ = world;
        await world.Stripe.ActAsync(intent, "pay", new { });

        var run = (await world.AutopaymentAsync(Morning.AddDays(1))).Done();

        Assert.Equal((1, 0), (run.Counter("fulfilled"), run.Counter("charged")));
        Assert.Equal("succeeded", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal(Utc(2026, 12, 20, 4), (DateTime)(await world.RowAsync("subscriptions", subscription)).ended_at);
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Fact]
    public async Task If_it_succeeds_between_the_look_and_the_cancel_it_is_fulfilled_too()
    {
        var (world, subscription, intent) = await DeclinedAsync();
        await using var _ = world;
        await world.Stripe.FaultAsync("hang_before", new { method = "POST", path = "/v1/payment_intents/{id}/cancel" });
        using var process = world.Start("autopayment", "--as-of", AsOf(Morning.AddDays(1)));
        await world.Stripe.HeldAsync();
        await world.Stripe.ActAsync(intent, "pay", new { });
        await world.Stripe.ReleaseAsync();

        (await process.EndAsync()).Done();

        Assert.Equal("succeeded", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Fact]
    public async Task If_it_is_processing_nothing_is_charged_until_it_is_decided()
    {
        var (world, subscription, intent) = await DeclinedAsync("processing_then_succeed:7200,success");
        await using var _ = world;
        using (var customer = world.Stripe.Client())
        using (var form = new FormUrlEncodedContent([new("payment_method", "pm_ada")]))
        {
            (await customer.PostAsync($"v1/payment_intents/{intent}/confirm", form)).EnsureSuccessStatusCode();
        }

        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(1))).Done().Counter("waiting"));
        Assert.Equal(0, (await world.AutopaymentAsync(Morning.AddDays(2))).Done().Counter("charged"));
        Assert.Equal("processing", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);

        await world.Stripe.ActAsync(intent, "settle", new { outcome = "succeed" });
        (await world.RunAsync("match-pending-payments", "--as-of", AsOf(Morning.AddDays(2)))).Done();
        (await world.AutopaymentAsync(Morning.AddDays(3))).Done();

        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Theory]
    [InlineData("GET", "/v1/payment_intents/{id}")]
    [InlineData("POST", "/v1/payment_intents/{id}/cancel")]
    public async Task If_its_state_cannot_be_read_there_is_no_attempt(string method, string path)
    {
        var (world, subscription, _) = await DeclinedAsync();
        await using var _ = world;
        var before = await world.StateAsync();
        await world.Stripe.FaultAsync("status_before:500", new { method, path }, shouldRetry: false);

        var run = (await world.AutopaymentAsync(Morning.AddDays(1))).Failed();

        Assert.Equal(1, run.Counter("failed"));
        Assert.Equal(before, await world.StateAsync());
        Assert.Single(await world.AttemptsAsync(subscription));

        await world.Stripe.ClearFaultsAsync();
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(1).AddHours(1))).Done().Counter("charged"));
        Assert.Equal(1, await world.ChargesAsync());
    }
}
