using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Proof.Model;

/// <summary>An empty listing was once taken for a proof while the key was young; the model found it.</summary>
public sealed class SilenceTests(PostgresFixture fixture)
{
    private async Task<(JobWorld World, long Payment)> UnansweredAsync(TimeSpan createdAgo, string sentAgo)
    {
        var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow - createdAgo - TimeSpan.FromHours(1));
        var user = await world.ScalarAsync<long>("SELECT id FROM users");
        var payment = await world.PaymentAsync(user, subscription, "pending", DateTime.UtcNow - createdAgo);
        await world.AsAttemptAsync(payment, sentAgo);
        return (world, payment);
    }

    [Theory]
    [InlineData("24 hours 59 minutes", "pending")]
    [InlineData("25 hours 1 minute", "expired")]
    public async Task An_old_row_with_a_young_key_is_not_given_up(string sentAgo, string status)
    {
        var (world, payment) = await UnansweredAsync(TimeSpan.FromDays(8), sentAgo);
        await using var _ = world;

        var dry = (await world.RunPublishedAsync("expire-payments", "--dry-run")).Done();
        var run = (await world.RunPublishedAsync("expire-payments")).Done();

        Assert.Equal((dry.Counter("left"), dry.Counter("expired")), (run.Counter("left"), run.Counter("expired")));
        Assert.Equal(status == "expired" ? 1 : 0, run.Counter("expired"));
        Assert.Equal(status, await world.StatusAsync("payments", payment));
    }
}
