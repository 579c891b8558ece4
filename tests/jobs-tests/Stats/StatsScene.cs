using System.Text.Json;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;

namespace Jobs.Tests.Stats;

/// <summary>What the tests of daily-stats say again and again.</summary>
internal static class StatsScene
{
    /// <summary>01:00 in Paris on 20 November, when daily-stats runs: yesterday is the 19th, a Thursday.</summary>
    public static readonly DateTime AtOne = new(2026, 11, 20, 0, 0, 0, DateTimeKind.Utc);

    public static readonly DateOnly Yesterday = new(2026, 11, 19);

    public static Task<JobResult> StatsAsync(this JobWorld world, params string[] args) =>
        world.RunAsync("daily-stats", ["--as-of", BillingScene.AsOf(AtOne), .. args]);

    public static async Task<JsonElement> FiguresAsync(this JobWorld world, string date = "2026-11-19") =>
        JobWorld.ParseOne(await world.ScalarAsync<string>("SELECT data::text FROM daily_stats WHERE stat_date = @date::date", new { date }));

    public static async Task<List<string>> DatesAsync(this JobWorld world) =>
        [.. (await world.QueryAsync("SELECT stat_date::text AS day FROM daily_stats ORDER BY stat_date")).Select(r => (string)r.day)];

    public static Task<int> VisitsAsync(this JobWorld world, DateOnly date, int count) =>
        world.ExecuteAsync("INSERT INTO attendances (attended_on) SELECT @date FROM generate_series(1, @count)", new { date, count });

    /// <summary>The same weekday of the weeks before, the last week first, as earlier runs left them; no day but yesterday is missing.</summary>
    public static async Task HistoryAsync(this JobWorld world, string figure, params int[] values)
    {
        for (var week = 1; week <= values.Length; week++)
        {
            await world.ExecuteAsync(
                "INSERT INTO daily_stats (stat_date, data) VALUES (@date, jsonb_set('{\"total_visits\": 50, \"revenue\": {}}', string_to_array(@figure, '.'), to_jsonb(@value)))",
                new { date = Yesterday.AddDays(-7 * week), figure, value = values[week - 1] });
        }

        await world.ExecuteAsync("INSERT INTO daily_stats (stat_date) SELECT @Yesterday - n FROM generate_series(1, 6) AS n", new { Yesterday });
    }

    public static async Task<List<string>> AlertsAsync(this JobWorld world) =>
        [.. (await world.QueryAsync("SELECT substr(dedupe_key, 13) AS key FROM notifications WHERE kind = 'stats_alert' ORDER BY 1")).Select(r => (string)r.key)];
}
