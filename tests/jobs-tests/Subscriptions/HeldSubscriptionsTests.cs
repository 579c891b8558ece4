using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Subscriptions;

/// <summary>An outage of autopayment cuts off nobody who would have paid. The subscription ended on 15 November at 05:45 UTC.</summary>
public sealed class HeldSubscriptionsTests(PostgresFixture fixture)
{
    private const string Since = "2026-11-15T05:45:00Z";
    private const string Earlier = "2026-11-15T05:44:59Z";

    [Fact]
    public async Task Where_autopayment_never_ran_nothing_is_held() => await ExpectAsync(held: false);

    [Theory]
    [InlineData("succeeded", Since, false)]
    [InlineData("succeeded", Earlier, true)]
    [InlineData("failed", "2026-11-19T05:00:00Z", true)]
    [InlineData("interrupted", "2026-11-19T05:00:00Z", true)]
    [InlineData("running", "2026-11-19T05:00:00Z", true)]
    [InlineData("skipped", "2026-11-19T05:00:00Z", true)]
    public async Task One_run_of_autopayment_decides(string status, string started, bool held) =>
        await ExpectAsync(held, Run(status, started));

    [Fact]
    public async Task The_last_run_counts_when_it_failed_after_a_success() =>
        await ExpectAsync(held: true, Run("succeeded", "2026-11-18T05:00:00Z"), Run("failed", "2026-11-19T05:00:00Z"));

    [Fact]
    public async Task A_success_after_a_failure_mends_it() =>
        await ExpectAsync(held: false, Run("failed", "2026-11-18T05:00:00Z"), Run("succeeded", "2026-11-19T05:00:00Z"));

    [Fact]
    public async Task A_skipped_run_says_nothing_about_the_one_before() =>
        await ExpectAsync(held: false, Run("succeeded", "2026-11-18T05:00:00Z"), Run("skipped", "2026-11-19T05:00:00Z"));

    [Fact]
    public async Task A_success_that_was_restricted_proves_nothing() =>
        await ExpectAsync(held: true, Run("succeeded", Earlier), Run("succeeded", "2026-11-19T05:00:00Z", partial: true));

    [Fact]
    public async Task Some_shards_prove_nothing() =>
        await ExpectAsync(held: true, Run("succeeded", "2026-11-19T05:00:00Z", "0/3"), Run("succeeded", "2026-11-19T05:00:01Z", "2/3"), Run("succeeded", "2026-11-19T05:00:02Z", "1/2"));

    [Fact]
    public async Task All_shards_are_a_success() =>
        await ExpectAsync(held: false, Run("succeeded", "2026-11-19T05:00:00Z", "0/3"), Run("succeeded", "2026-11-18T05:00:00Z", "2/3"), Run("succeeded", "2026-11-17T05:00:00Z", "1/3"));

    [Fact]
    public async Task The_oldest_of_the_shards_counts() =>
        await ExpectAsync(held: true, Run("succeeded", "2026-11-19T05:00:00Z", "0/2"), Run("succeeded", Earlier, "1/2"));

    [Fact]
    public async Task A_replay_of_another_day_counts_for_that_day() =>
        await ExpectAsync(held: true, $"INSERT INTO job_runs (id, job, status, started_at, as_of) VALUES (gen_random_uuid(), 'autopayment', 'succeeded', '2026-11-19T05:00:00Z', '{Earlier}')");

    [Theory]
    [InlineData("NULL", true)]
    [InlineData("now() + interval '1 hour'", true)]
    [InlineData("now() - interval '1 second'", false)]
    public async Task While_autopayment_is_paused_rows_are_held(string until, bool held) =>
        await ExpectAsync(held, $"INSERT INTO job_pauses (job, until) VALUES ('autopayment', {until})");

    [Theory]
    [InlineData("auto_renew = false")]
    [InlineData("cancel_at_period_end = true")]
    public async Task What_would_not_have_been_charged_is_never_held(string change)
    {
        await using var world = await fixture.WorldAsync();
        await ExpireSubscriptionsTests.AddAsync(world, change);
        await world.ExecuteAsync(Run("failed", "2026-11-19T05:00:00Z"));
        Assert.Equal(1, (await ExpireSubscriptionsTests.RunAsync(world)).Counter("expired"));
    }

    [Fact]
    public async Task A_plan_that_does_not_recur_is_never_held()
    {
        await using var world = await fixture.WorldAsync();
        await ExpireSubscriptionsTests.AddAsync(world);
        await world.ExecuteAsync("UPDATE plans SET recurring = false");
        await world.ExecuteAsync(Run("failed", "2026-11-19T05:00:00Z"));
        Assert.Equal(1, (await ExpireSubscriptionsTests.RunAsync(world)).Counter("expired"));
    }

    [Theory]
    // In Paris the 15th begins at 23:00 UTC of the 14th.
    [InlineData("failed", "2026-11-15", true)]
    [InlineData("canceled", "2026-11-16", true)]
    [InlineData("failed", "2026-11-14", false)]
    public async Task An_attempt_for_its_period_was_made_so_it_expires(string status, string periodStart, bool expires)
    {
        await using var world = await fixture.WorldAsync();
        var id = await ExpireSubscriptionsTests.AddAsync(world);
        await ExpireSubscriptionsTests.AttemptAsync(world, id, status, periodStart);
        await world.ExecuteAsync(Run("failed", "2026-11-19T05:00:00Z"));
        Assert.Equal(expires ? 1 : 0, (await ExpireSubscriptionsTests.RunAsync(world)).Counter("expired"));
    }

    [Fact]
    public async Task Held_rows_are_counted_listed_and_warned_about_and_do_not_stop_the_others()
    {
        await using var world = await fixture.WorldAsync();
        await ExpireSubscriptionsTests.ManyAsync(world, 20, "@now::timestamptz - interval '5 days' - n * interval '1 minute'");
        await world.ExecuteAsync("UPDATE subscriptions SET auto_renew = false WHERE id % 2 = 0");
        await world.ExecuteAsync(Run("failed", "2026-11-19T05:00:00Z"));

        var run = await ExpireSubscriptionsTests.RunAsync(world, "--batch-size", "3", "--items");

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal((10L, 10L), (run.Counter("expired"), run.Counter("held")));
        Assert.Equal(10, run.Json.GetProperty("items").EnumerateArray().Count(i => i.GetProperty("outcome").GetString() == "held"));
        Assert.Contains("10 lapsed subscriptions are held", run.Stderr, StringComparison.Ordinal);
        Assert.Contains("\"level\":\"warning\"", run.Stderr, StringComparison.Ordinal);
    }

    private async Task ExpectAsync(bool held, params string[] ledger)
    {
        await using var world = await fixture.WorldAsync();
        var id = await ExpireSubscriptionsTests.AddAsync(world);
        foreach (var row in ledger)
        {
            await world.ExecuteAsync(row);
        }

        var dry = await ExpireSubscriptionsTests.RunAsync(world, "--dry-run");
        var run = await ExpireSubscriptionsTests.RunAsync(world);

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(held ? (0L, 1L) : (1L, 0L), (run.Counter("expired"), run.Counter("held")));
        Assert.Equal(run.Counter("held"), dry.Counter("held"));
        Assert.Equal([held ? "active" : "expired"], await ExpireSubscriptionsTests.StatusesAsync(world, id));
    }

    private static string Run(string status, string started, string? shard = null, bool partial = false) =>
        $"""
        INSERT INTO job_runs (id, job, status, started_at, shard, partial)
        VALUES (gen_random_uuid(), 'autopayment', '{status}', '{started}', {(shard is null ? "NULL" : $"'{shard}'")}, {partial})
        """;
}
