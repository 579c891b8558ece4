using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;

namespace Jobs.Tests.Reminders;

/// <summary>What the tests of the reminders say again and again.</summary>
internal static class ReminderScene
{
    /// <summary>08:00 in Paris on 20 November, when renewal-reminder runs.</summary>
    public static readonly DateTime Eight = new(2026, 11, 20, 7, 0, 0, DateTimeKind.Utc);

    public static readonly DateOnly Today = new(2026, 11, 20);

    public static Task<JobResult> RemindAsync(this JobWorld world, DateTime now, params string[] args) =>
        world.RunAsync("renewal-reminder", ["--as-of", BillingScene.AsOf(now), .. args]);

    /// <summary>An auto-renewing subscription of a new person, on a plan of that interval.</summary>
    public static async Task<long> EndingAsync(this JobWorld world, DateTime endedAt, string unit = "month", int count = 1, string name = "ada") =>
        await world.SubscriptionAsync(
            await world.PersonAsync(name), await world.PlanAsync($"{count}-{unit}", unit: unit, count: count), endedAt);

    public static Task<long> MembershipAsync(
        this JobWorld world, long user, DateOnly end, string type = "basic", bool reduced = false, int days = 365) =>
        world.ScalarAsync<long>(
            """
            INSERT INTO memberships (user_id, type, start_date, end_date, reduced_price)
            VALUES (@user, @type, @end::date - @days + 1, @end, @reduced) RETURNING id
            """,
            new { user, end, type, reduced, days });

    /// <summary>The keys of all reminders without what they have in common, such as subscription:7:2026-12-20:30.</summary>
    public static async Task<List<string>> RemindersAsync(this JobWorld world) =>
        [.. (await world.QueryAsync("SELECT substr(dedupe_key, 18) AS key FROM notifications WHERE kind = 'renewal_reminder' ORDER BY id")).Select(r => (string)r.key)];

    /// <summary>The offsets of the reminders about that subscription or membership, in the order in which they were written.</summary>
    public static async Task<string> OffsetsAsync(this JobWorld world, long id, string type = "subscription") =>
        string.Join(' ', (await world.RemindersAsync()).Where(k => k.StartsWith($"{type}:{id}:", StringComparison.Ordinal)).Select(k => k.Split(':')[^1]));

    /// <summary>send-notifications at its best.</summary>
    public static Task<int> SendAllAsync(this JobWorld world, DateTime at) =>
        world.ExecuteAsync("UPDATE notifications SET status = 'sent', sent_at = @at WHERE status = 'pending'", new { at });
}
