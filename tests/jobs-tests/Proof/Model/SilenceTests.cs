using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Proof.Model;

/// <summary>Two ways in which an empty listing was once taken for a proof; the model found both.</summary>
public sealed class SilenceTests(PostgresFixture fixture)
{
    private async Task<(JobWorld World, long Subscription, long Payment, (string Key, string Request) Attempt)> UnansweredAsync(TimeSpan createdAgo, string sentAgo)
    {
        var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow - createdAgo - TimeSpan.FromHours(1));
        var user = await world.ScalarAsync<long>("SELECT id FROM users");
        var payment = await world.PaymentAsync(user, subscription, "pending", DateTime.UtcNow - createdAgo);
        return (world, subscription, payment, await world.AsAttemptAsync(payment, sentAgo));
    }

    [Fact]
    public async Task A_matcher_frozen_after_its_listing_does_not_conclude_from_it_when_it_wakes()
    {
        var (world, subscription, payment, attempt) = await UnansweredAsync(TimeSpan.FromHours(24), "24 hours");
        await using var _ = world;
        await world.Stripe.FaultAsync("hang_after", new { method = "GET", path = "/v1/payment_intents", nth = 1 });
        using var matcher = world.Start("match-pending-payments");
        await world.Stripe.HeldAsync(waitMs: 60_000);
        await world.Stripe.ClearFaultsAsync();
        await world.SendAsync(attempt);
        await world.ExecuteAsync("UPDATE payments SET sent_at = clock_timestamp() - interval '25 hours 1 minute'");
        await world.Stripe.ReleaseAsync();
        Assert.Equal(0, (await matcher.EndAsync()).ExitCode);

        Assert.Equal("pending", await world.StatusAsync("payments", payment));
        (await world.RunAsync("autopayment")).Done();
        (await world.RunAsync("match-successful-payments")).Done();
        Assert.Equal("succeeded", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Theory]
    [InlineData("24 hours 59 minutes", "pending")]
    [InlineData("25 hours 1 minute", "expired")]
    public async Task An_old_row_with_a_young_key_is_not_given_up(string sentAgo, string status)
    {
        var (world, _, payment, _) = await UnansweredAsync(TimeSpan.FromDays(8), sentAgo);
        await using var _ = world;

        var dry = (await world.RunAsync("expire-payments", "--dry-run")).Done();
        var run = (await world.RunAsync("expire-payments")).Done();

        Assert.Equal((dry.Counter("left"), dry.Counter("expired")), (run.Counter("left"), run.Counter("expired")));
        Assert.Equal(status == "expired" ? 1 : 0, run.Counter("expired"));
        Assert.Equal(status, await world.StatusAsync("payments", payment));
    }
}
