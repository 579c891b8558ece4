using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>What stops autopayment before its first charge.</summary>
public sealed class BreakerTests(PostgresFixture fixture)
{
    private static async Task<JobResult> RefusedAsync(JobWorld world, params string[] args)
    {
        var before = await world.StateAsync();
        var run = (await world.AutopaymentAsync(Morning, args)).Failed();
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.PostsAsync());
        return run;
    }

    private static string Error(JobResult run) => run.Json.GetProperty("error").GetString()!;

    [Fact]
    public async Task Max_charges_is_a_limit_that_may_be_reached_but_not_passed()
    {
        await using var world = await fixture.WorldAsync();
        for (var i = 0; i < 3; i++)
        {
            await world.DueAsync($"user{i}");
        }

        Assert.Contains("--max-charges 2", Error(await RefusedAsync(world, "--max-charges", "2")), StringComparison.Ordinal);
        Assert.Equal(3, (await world.AutopaymentAsync(Morning, "--max-charges", "3")).Done().Counter("charged"));
    }

    [Fact]
    public async Task Max_amount_is_held_per_currency_in_minor_units()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada");
        await world.DueAsync("ben");
        await world.SubscriptionAsync(await world.UserAsync("yen"), await world.PlanAsync("yen", 1500, "jpy"), Morning);
        // The third failure in a row would tell staff.
        world.Environment["STAFF_EMAIL"] = null;

        await RefusedAsync(world, "--max-amount", "eur=1999,jpy=1500");
        await RefusedAsync(world, "--max-amount", "eur=2000,jpy=1499");
        await RefusedAsync(world, "--max-amount", "1999");
        // A currency without a limit is not unlimited.
        Assert.Contains("jpy", Error(await RefusedAsync(world, "--max-amount", "eur=2000")), StringComparison.Ordinal);
        Assert.Contains("--max-amount", (await RefusedAsync(world, "--max-amount", "eur=12.50")).Stderr, StringComparison.Ordinal);
        Assert.Equal(3, (await world.AutopaymentAsync(Morning, "--max-amount", "eur=2000,jpy=1500")).Done().Counter("charged"));
    }

    private static Task HistoryAsync(JobWorld world, int days, int perDay) => world.ExecuteAsync(
        """
        INSERT INTO payments (user_id, purpose, amount_minor, status, method, created_at, succeeded_at)
        SELECT (SELECT min(id) FROM users), 'subscription', 1000, 'succeeded', 'card', @Morning - d * interval '1 day', @Morning - d * interval '1 day'
        FROM generate_series(1, @days) AS d, generate_series(1, @perDay)
        """,
        new { Morning, days, perDay });

    [Theory]
    [InlineData(5, true)]
    [InlineData(6, false)]
    public async Task A_plan_above_five_times_the_recent_daily_median_stops_and_says_how_to_go_on(int planned, bool charged)
    {
        await using var world = await fixture.WorldAsync();
        for (var i = 0; i < planned; i++)
        {
            await world.DueAsync($"user{i}");
        }

        await HistoryAsync(world, days: 10, perDay: 1);
        if (!charged)
        {
            Assert.Contains($"--max-charges {planned}", Error(await RefusedAsync(world)), StringComparison.Ordinal);
        }

        var run = charged ? await world.AutopaymentAsync(Morning) : await world.AutopaymentAsync(Morning, "--max-charges", Text(planned));
        Assert.Equal(planned, run.Done().Counter("charged"));
    }

    [Fact]
    public async Task Without_history_there_is_no_usual_to_compare_with()
    {
        await using var world = await fixture.WorldAsync();
        for (var i = 0; i < 12; i++)
        {
            await world.DueAsync($"user{i}");
        }

        Assert.Equal(12, (await world.AutopaymentAsync(Morning)).Done().Counter("charged"));
    }

    [Fact]
    public async Task A_dry_run_meets_the_same_breaker()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada");
        await world.DueAsync("ben");

        Assert.Contains("--max-charges 1", Error(await RefusedAsync(world, "--max-charges", "1", "--dry-run")), StringComparison.Ordinal);
    }
}
