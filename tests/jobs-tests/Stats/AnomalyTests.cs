using System.Text.Json;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Stats.StatsScene;

namespace Jobs.Tests.Stats;

/// <summary>What is unusual about a day, and who hears of it. Yesterday is the 19th of November.</summary>
public sealed class AnomalyTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData(9, null, true)]
    [InlineData(10, null, false)]
    [InlineData(24, "25", true)]
    [InlineData(25, "25", false)]
    [InlineData(1, "0", false)]
    public async Task Fewer_visits_than_the_least_are_told_whatever_the_weekday(int visits, string? least, bool told)
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        world.Environment["JOBS_MIN_VISITS"] = least;
        await world.VisitsAsync(Yesterday, visits);
        (await world.StatsAsync()).Done();
        Assert.Equal(told ? ["2026-11-19:low_visits"] : [], await world.AlertsAsync());
    }

    [Fact]
    public async Task Where_visits_are_not_recorded_none_are_missed()
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        Assert.Equal(0, (await world.StatsAsync()).Done().Counter("anomalies"));
        await world.VisitsAsync(Yesterday.AddDays(-1), 50);
        Assert.Equal(1, (await world.StatsAsync()).Done().Counter("anomalies"));
    }

    // Median 50, MAD 3: the border is 3.5 x 1.4826 x 3 = 15.6 away.
    [Theory]
    [InlineData(34, true)]
    [InlineData(35, false)]
    [InlineData(65, false)]
    [InlineData(66, true)]
    public async Task Visits_are_held_against_the_same_weekday_of_eight_weeks(int visits, bool told)
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        await world.HistoryAsync("total_visits", 50, 47, 53, 46, 54, 50, 53, 47, 1000);
        // Other weekdays are no measure.
        await world.ExecuteAsync("INSERT INTO daily_stats (stat_date, data) SELECT stat_date + 1, '{\"total_visits\": 500}' FROM daily_stats WHERE stat_date < '2026-11-12'");
        await world.VisitsAsync(Yesterday, visits);
        (await world.StatsAsync()).Done();
        Assert.Equal(told ? ["2026-11-19:total_visits"] : [], await world.AlertsAsync());
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public async Task Fewer_than_four_weeks_are_no_history(int weeks, bool told)
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        await world.HistoryAsync("total_visits", [.. Enumerable.Repeat(50, weeks)]);
        await world.VisitsAsync(Yesterday, 90);
        (await world.StatsAsync()).Done();
        Assert.Equal(told ? ["2026-11-19:total_visits"] : [], await world.AlertsAsync());
    }

    [Theory]
    [InlineData("revenue.eur", "eur", 10_000, 5_001, false)] // all weeks alike, but less than 50 units of money matter to nobody
    [InlineData("revenue.eur", "eur", 10_000, 5_000, true)]
    [InlineData("revenue.eur", "eur", 10_000, 14_999, false)]
    [InlineData("revenue.eur", "eur", 10_000, 15_000, true)]
    [InlineData("revenue.jpy", "jpy", 1_000, 1_049, false)]
    [InlineData("revenue.jpy", "jpy", 1_000, 1_050, true)]
    [InlineData("revenue.chf", "eur", 10_000, 4_999, true)] // what came every week in francs did not come
    public async Task Revenue_is_watched_in_each_currency(string figure, string currency, int usual, int amount, bool told)
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        await world.PersonAsync();
        await world.HistoryAsync(figure, usual, usual, usual, usual);
        await world.VisitsAsync(Yesterday, 50);
        await world.ExecuteAsync("INSERT INTO payments (user_id, amount_minor, currency, status, succeeded_at) VALUES (1, @amount, @currency, 'succeeded', '2026-11-19T12:00:00Z')", new { amount, currency });
        (await world.StatsAsync()).Done();
        var kind = figure.Replace('.', '_');
        Assert.Equal(told ? [$"2026-11-19:{kind}"] : [], await world.AlertsAsync());
    }

    [Theory]
    [InlineData("failures", 2, 6, false)]
    [InlineData("failures", 2, 7, true)]
    [InlineData("failures", 20, 0, false)] // no reason to worry
    [InlineData("new_memberships", 2, 6, false)]
    [InlineData("new_memberships", 2, 7, true)]
    [InlineData("new_memberships", 5, 0, true)]
    [InlineData("orders", 2, 50, false)] // not watched
    public async Task Failures_and_new_memberships_are_watched(string figure, int usual, int count, bool told)
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        await world.HistoryAsync(figure, usual, usual, usual, usual);
        await world.VisitsAsync(Yesterday, 50);
        await world.PeopleAsync(50);
        await world.ExecuteAsync(
            figure switch
            {
                "failures" => "INSERT INTO payments (user_id, amount_minor, status, created_at) SELECT 1, 1, 'failed', '2026-11-19T12:00:00Z' FROM generate_series(1, @count)",
                "orders" => "INSERT INTO payments (user_id, amount_minor, purpose, status, succeeded_at) SELECT 1, 1, 'order', 'succeeded', '2026-11-19T12:00:00Z' FROM generate_series(1, @count)",
                _ => "INSERT INTO memberships (user_id, type, start_date, end_date, created_at) SELECT n, 'basic', '2026-11-19', '2027-11-18', '2026-11-19T12:00:00Z' FROM generate_series(1, @count) AS n",
            },
            new { count });
        (await world.StatsAsync()).Done();
        Assert.Equal(told ? [$"2026-11-19:{figure}"] : [], await world.AlertsAsync());
    }

    [Fact]
    public async Task Staff_are_mailed_once_per_day_and_kind_with_what_was_expected()
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        await world.HistoryAsync("total_visits", 50, 50, 50, 50);
        await world.VisitsAsync(Yesterday, 3);

        for (var time = 0; time < 3; time++)
        {
            var run = (await world.StatsAsync()).Done();
            Assert.Equal(2, run.Counter("anomalies"));
            Assert.DoesNotContain("Unusual", run.Stderr, StringComparison.Ordinal);
            // What changes afterwards is not told again.
            await world.VisitsAsync(Yesterday, 1);
        }

        Assert.Equal(["2026-11-19:low_visits", "2026-11-19:total_visits"], await world.AlertsAsync());
        Assert.Equal(2, await world.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE to_address = 'staff@example.test' AND user_id IS NULL AND created_at = @AtOne", new { AtOne }));
        var payload = JsonDocument.Parse(await world.ScalarAsync<string>("SELECT payload::text FROM notifications WHERE dedupe_key LIKE '%total_visits'")).RootElement;
        Assert.Equal("2026-11-19", payload.GetProperty("stat_date").GetString());
        var anomaly = Assert.Single(payload.GetProperty("anomalies").EnumerateArray());
        Assert.Equal(("total_visits", 3, 50), (anomaly.GetProperty("kind").GetString(), anomaly.GetProperty("value").GetInt32(), anomaly.GetProperty("expected").GetInt32()));
    }

    [Theory]
    [InlineData("APP_ENV")]
    [InlineData("STAFF_EMAIL")]
    public async Task Where_nobody_is_mailed_the_log_says_it(string unset)
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        world.Environment[unset] = null;
        await world.VisitsAsync(Yesterday, 3);
        var run = (await world.StatsAsync()).Done();
        Assert.Contains("Unusual on 2026-11-19: low_visits is 3, expected 10", run.Stderr, StringComparison.Ordinal);
        Assert.Empty(await world.AlertsAsync());
    }

    [Fact]
    public async Task Days_that_a_run_catches_up_are_judged_days_that_somebody_asks_for_are_not()
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        await world.VisitsAsync(Yesterday.AddDays(-9), 3);
        (await world.StatsAsync("--from", "2026-11-10", "--to", "2026-11-19")).Done();
        (await world.StatsAsync("--date", "2026-11-19")).Done();
        Assert.Empty(await world.AlertsAsync());

        // Ten days without a run: a week of them is still news; what lies further back only gets its row.
        await world.ExecuteAsync("DELETE FROM daily_stats WHERE stat_date > '2026-11-10'");
        (await world.StatsAsync()).Done();
        Assert.Equal([.. Enumerable.Range(13, 7).Select(d => $"2026-11-{d}:low_visits")], await world.AlertsAsync());
    }

    [Fact]
    public async Task A_first_run_speaks_of_yesterday_alone()
    {
        await using var world = await fixture.WorldAsync();
        Production(world);
        await world.VisitsAsync(Yesterday.AddDays(-50), 3);
        Assert.Equal(51, (await world.StatsAsync()).Done().Counter("days_written"));
        Assert.Equal(["2026-11-19:low_visits"], await world.AlertsAsync());
    }

    private static void Production(JobWorld world) => world.Environment["APP_ENV"] = "production";
}
