using Jobs.Tests.Reminders;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

internal static class ReminderScenarios
{
    /// <summary>In batches of two, so that it can die between two of them; one notice is late.</summary>
    public static readonly Scenario Reminders = new("renewal-reminder", "renewal-reminder", [("reminded", 5), ("failed", 0)], SeedRemindersAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--batch-size", "2", "--notice-required", "7d"],
    };

    /// <summary>Two missing days and yesterday, which is unusual: its row and the mail about it come together.</summary>
    public static readonly Scenario Stats = new(
        "daily-stats", "daily-stats", [("days_written", 3), ("days_unchanged", 4), ("anomalies", 1), ("failed", 0)], SeedStatsAsync)
    {
        // A future day is refused in production, where the mails are.
        Args = ["--as-of", "2026-03-06T05:00:00Z", "--min-visits", "0"],
    };

    private static async Task SeedRemindersAsync(JobWorld world)
    {
        foreach (var ahead in new[] { -2, 0, 5, 31 })
            await world.EndingAsync(Scenario.Now.AddDays(ahead), name: $"user{ahead}");
        foreach (var ahead in new[] { 15, 30 })
            await world.MembershipAsync(await world.PersonAsync($"member{ahead}"), new DateOnly(2026, 11, 20).AddDays(ahead));
    }

    private static async Task SeedStatsAsync(JobWorld world)
    {
        world.Environment["APP_ENV"] = "production";
        await world.ExecuteAsync(
            """
            INSERT INTO daily_stats (stat_date, data) SELECT date '2026-02-26' - n, '{"total_visits": 50, "revenue": {}}' FROM generate_series(0, 60) AS n;
            INSERT INTO daily_stats (stat_date, data)
            SELECT date '2026-02-27' + n, jsonb_build_object(
                'total_visits', 0, 'unique_visitors', 0, 'new_memberships', 0, 'membership_renewals', 0, 'revenue', '{}'::jsonb, 'refunds', '{}'::jsonb,
                'payments', 0, 'new_subscriptions', 0, 'renewals', 0, 'orders', 0, 'failures', 0, 'expirations', 0, 'cancellations', 0)
            FROM generate_series(0, 3) AS n;
            INSERT INTO attendances (attended_on) SELECT date '2026-03-05' FROM generate_series(1, 3);
            INSERT INTO attendances (attended_on) SELECT date '2026-03-03' + n % 2 FROM generate_series(1, 100) AS n;
            """);
    }
}
