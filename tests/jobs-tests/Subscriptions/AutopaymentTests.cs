using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Subscriptions;

public sealed class AutopaymentTests(PostgresFixture fixture)
{
    private static readonly DateTime Now = new(2026, 11, 20, 5, 0, 0, DateTimeKind.Utc);
    private const string AsOf = "2026-11-20T05:00:00Z";

    [Fact]
    public async Task A_due_subscription_is_charged_once_and_extended_by_its_interval()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.SubscriptionAsync(await world.UserAsync("ada"), await world.PlanAsync(), Now.AddHours(-1));

        var run = await world.RunAsync("autopayment", "--as-of", AsOf);

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(1, run.Counter("charged"));
        var row = Assert.Single(await world.QueryAsync("SELECT status, ended_at, payment_id FROM subscriptions WHERE id = @subscription", new { subscription }));
        Assert.Equal("active", row.status);
        Assert.Equal(new DateTime(2026, 12, 20, 4, 0, 0, DateTimeKind.Utc), row.ended_at);
        var ledger = await world.Stripe.LedgerAsync();
        Assert.Equal(1000, ledger.Total("eur"));
        Assert.Equal("2026-000001", await world.ScalarAsync<string>("SELECT number FROM receipts"));

        var again = await world.RunAsync("autopayment", "--as-of", AsOf);
        Assert.Equal(0, again.Counter("charged"));
        Assert.Equal(1, (await world.Stripe.LedgerAsync()).Count);
    }
}
