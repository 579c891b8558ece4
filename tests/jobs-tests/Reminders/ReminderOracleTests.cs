using FsCheck;
using FsCheck.Fluent;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using Random = System.Random;

namespace Jobs.Tests.Reminders;

/// <summary>Any offsets, plans, ends, zones and run days, against an oracle of plain loops over days that shares no code with the job.</summary>
public sealed class ReminderOracleTests(PostgresFixture fixture)
{
    private static readonly string[] Zones = ["Europe/Paris", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York", "Australia/Lord_Howe"];

    private sealed record Subscription(long Id, DateTime EndedAt, int Days);

    [Fact]
    public async Task The_reminders_are_those_of_the_oracle()
    {
        await using var world = await fixture.WorldAsync();
        var plan = await world.PlanAsync();
        await Task.Run(() => Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(6).WithQuietOnSuccess(true),
            Prop.ForAll(Gen.Choose(0, 1_000_000).ToArbitrary(), seed => PlayAsync(world, plan, new Random(seed)))));
    }

    private static async Task PlayAsync(JobWorld world, long plan, Random random)
    {
        var id = Zones[random.Next(Zones.Length)];
        var zone = TimeZoneInfo.FindSystemTimeZoneById(id);
        world.Environment["JOBS_TIME_ZONE"] = id;
        HashSet<int> offsets = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(0, 41))];
        // Either DST night is among the days that come.
        var first = new DateTime(2026, random.Next(2) == 0 ? 3 : 10, random.Next(1, 25), 0, 0, 0, DateTimeKind.Utc);
        var subscriptions = await SeedAsync(world, plan, first, random);
        var expected = new SortedSet<string>(StringComparer.Ordinal);
        var now = first;
        for (var run = 0; run < 3; run++)
        {
            now = now.AddDays(random.Next(0, 12)).AddMinutes(random.Next(0, 1440));
            foreach (var subscription in subscriptions)
            {
                Expect(subscription, now, zone, offsets, expected);
            }

            (await world.RemindAsync(now, "--days", string.Join(',', offsets), "--batch-size", "17")).Done();
            Assert.Equal(expected, [.. (await world.RemindersAsync()).Order(StringComparer.Ordinal)]);
        }
    }

    private static async Task<List<Subscription>> SeedAsync(JobWorld world, long plan, DateTime first, Random random)
    {
        await world.ExecuteAsync("DELETE FROM notifications; DELETE FROM subscriptions; DELETE FROM users; DELETE FROM plans WHERE id <> @plan", new { plan });
        var user = await world.PersonAsync();
        var subscriptions = new List<Subscription>();
        for (var n = 0; n < 40; n++)
        {
            var (unit, length) = new[] { ("day", 1), ("week", 7), ("month", 31), ("year", 366) }[random.Next(4)];
            var count = random.Next(1, unit == "day" ? 45 : 4);
            var end = first.AddDays(random.Next(-2, 60)).AddMinutes(random.Next(0, 1440));
            subscriptions.Add(new Subscription(
                await world.SubscriptionAsync(user, await world.PlanAsync($"{count}-{unit}", unit: unit, count: count), end), end, count * length));
        }

        return subscriptions;
    }

    private static void Expect(Subscription subscription, DateTime now, TimeZoneInfo zone, HashSet<int> offsets, SortedSet<string> expected)
    {
        var today = TimeZoneInfo.ConvertTimeFromUtc(now, zone).Date;
        var end = TimeZoneInfo.ConvertTimeFromUtc(subscription.EndedAt, zone).Date;
        var ahead = 0;
        for (var day = today; day < end; day = day.AddDays(1))
        {
            ahead++;
        }

        if (end < today)
        {
            return;
        }

        for (var offset = ahead; offset < subscription.Days; offset++)
        {
            if (offsets.Contains(offset))
            {
                expected.Add($"subscription:{subscription.Id}:{end:yyyy-MM-dd}:{offset}");
                return;
            }
        }
    }
}
