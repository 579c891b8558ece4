using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Receipt numbers: continuous and chronological, whoever books.</summary>
public sealed class ReceiptTests(PostgresFixture fixture)
{
    [Fact]
    public async Task Eight_runs_at_once_skip_no_number_and_never_go_back_in_time()
    {
        await using var world = await fixture.WorldAsync();
        for (var i = 0; i < 40; i++)
        {
            await world.DueAsync($"user{i}");
        }

        // Each with a "now" of its own, and some declines between.
        foreach (var i in new[] { 3, 17, 31 })
        {
            await world.Stripe.BehaveAsync($"pm_user{i}", "insufficient_funds");
        }

        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => world.AutopaymentAsync(Morning.AddSeconds(i), "--shard", $"{i}/8")));

        Assert.All(runs, r => r.Done());
        var receipts = await world.QueryAsync("SELECT number, issued_at FROM receipts ORDER BY number");
        Assert.Equal(Enumerable.Range(1, 37).Select(n => $"2026-{n:D6}"), receipts.Select(r => (string)r.number));
        Assert.Equal(receipts.Select(r => (DateTime)r.issued_at).Order(), receipts.Select(r => (DateTime)r.issued_at));
        Assert.Equal(37, await world.ScalarAsync<int>("SELECT last_number FROM receipt_counters"));
    }

    [Fact]
    public async Task A_receipt_is_never_dated_before_the_one_before_it()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada", endedAt: Morning.AddDays(-3));
        (await world.AutopaymentAsync(Morning)).Done();
        await world.DueAsync("ben", endedAt: Morning.AddDays(-3));
        (await world.AutopaymentAsync(Morning.AddDays(-1))).Done();

        var receipts = await world.QueryAsync("SELECT number, issued_at FROM receipts ORDER BY number");

        Assert.Equal([Morning, Morning], receipts.Select(r => (DateTime)r.issued_at));
    }

    [Fact]
    public async Task Each_year_of_the_business_zone_counts_from_one()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada");
        (await world.AutopaymentAsync(Utc(2026, 12, 31, 22, 59))).Done();
        await world.DueAsync("ben");
        (await world.AutopaymentAsync(Utc(2026, 12, 31, 23, 0))).Done();

        Assert.Equal("2026-000001, 2027-000001", await world.ScalarAsync<string>("SELECT string_agg(number, ', ' ORDER BY number) FROM receipts"));
    }
}
