using System.Globalization;
using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Proof.Calendar;

/// <summary>Renewals that the published autopayment charges and books, against the rule worked out by hand.</summary>
[Trait("Category", "Proof")]
public sealed class RenewalCalendarTests(PostgresFixture fixture)
{
    private sealed record Renewed(long Id, DateTime End, int? Anchor, string Unit, int Count);

    [Fact]
    public async Task Each_renewal_ends_where_the_rule_says()
    {
        await using var world = await fixture.WorldAsync();
        var users = new List<long>();
        for (var n = 0; n < 10; n++)
            users.Add(await world.UserAsync($"user{n}"));
        var random = new Random(20);
        foreach (var zone in Evidence.Full ? WallClock.All : [WallClock.Paris, .. WallClock.Moved.Where(zone => zone.Id == "Australia/Lord_Howe")])
        {
            foreach (var night in zone.ChangesOf(2027).Concat([Utc(2028, 2, 29, 9), Utc(2027, 1, 31, 9)]).Take(Evidence.Full ? 4 : 1))
                await RenewAsync(world, users, zone, night.AddHours(random.Next(1, 20)).AddTicks(10 * random.Next(10_000_000)), random);
        }
    }

    private static async Task RenewAsync(JobWorld world, List<long> users, WallClock zone, DateTime now, Random random)
    {
        await world.ExecuteAsync("TRUNCATE subscriptions, payments, receipts CASCADE; DELETE FROM notifications");
        var tomorrow = zone.StartOfDay(zone.Date(now).AddDays(1));
        var seeded = new List<Renewed>();
        for (var n = 0; n < (Evidence.Full ? 120 : 40); n++)
        {
            var (unit, count) = (Term.Units.Split(' ')[n % 4], random.Next(1, 13));
            var end = (n % 5) switch
            {
                0 => now.AddHours(-72).AddMicroseconds((n / 5 % 3) - 1),
                1 => tomorrow.AddMicroseconds(-1 - random.Next(100)),
                2 => now.AddDays(-random.Next(4, 40)).AddSeconds(random.Next(86_400)),
                _ => now.AddSeconds(-random.Next(3 * 86_400)),
            };
            var anchor = unit is "day" or "week" || random.Next(4) == 0 ? (int?)null : random.Next(1, 32);
            var plan = await world.PlanAsync($"{unit}-{count}", unit: unit, count: count);
            seeded.Add(new(await world.SubscriptionAsync(users[n % users.Count], plan, end, n % 2 == 0 ? "active" : "past_due", anchor), end, anchor, unit, count));
        }

        world.Environment["JOBS_TIME_ZONE"] = zone.Id;
        var run = (await world.AutopaymentAsync(now, "--max-charges", "1000")).Done();
        Assert.Equal(seeded.Count, run.Counter("charged"));

        var rows = (await world.QueryAsync("SELECT id, ended_at, anchor_day::int AS anchor FROM subscriptions")).ToDictionary(row => (long)row.id);
        foreach (var one in seeded)
        {
            var (end, anchor) = Term.Renewed(one.End, one.Anchor, one.Unit, one.Count, now, zone);
            var row = rows[one.Id];
            Assert.True(
                (DateTime)row.ended_at == end.AddTicks(-(end.Ticks % 10)) && (int?)row.anchor == anchor,
                $"{zone} at {now:O}, {one}: {end:O} on {anchor} expected, {row.ended_at:O} on {row.anchor} found");
        }

        Evidence.Record("autopayment", Trouble.Calendar, seeded.Count);
    }

    /// <summary>Charged month after month by a run of its own each, on the last evening of the month.</summary>
    [Fact]
    public async Task A_month_end_stays_one_through_sixty_charges()
    {
        await using var world = await fixture.WorldAsync();
        var zone = WallClock.Paris;
        var (user, plan) = (await world.UserAsync("ada"), await world.PlanAsync());
        var seeded = new List<(long Id, int Anchor, TimeSpan Time)>();
        foreach (var anchor in Enumerable.Range(28, 4))
        {
            foreach (var time in new[] { TimeSpan.Zero, TimeSpan.FromHours(12), TimeSpan.FromDays(1) - TimeSpan.FromMicroseconds(1) })
                seeded.Add((await world.SubscriptionAsync(user, plan, zone.Instant(new DateTime(2026, 12, anchor) + time), anchorDay: anchor), anchor, time));
        }

        var month = new DateTime(2026, 12, 31);
        for (var period = 1; period <= (Evidence.Full ? 60 : 4); period++)
        {
            var now = zone.Instant(month.AddHours(22.5));
            // An end at noon on the 28th lapses after noon on the 31st.
            (await world.AutopaymentAsync(zone.Instant(month.AddDays(28 - month.Day).AddHours(23)), "--max-charges", "100")).Done();
            (await world.AutopaymentAsync(now, "--max-charges", "100")).Done();
            month = Months.Later(month, 1, 31);
            var ends = (await world.QueryAsync("SELECT id, ended_at FROM subscriptions")).ToDictionary(row => (long)row.id, row => (DateTime)row.ended_at);
            foreach (var one in seeded)
            {
                var expected = Months.Later(month, 0, one.Anchor) + one.Time;
                Assert.True(
                    zone.Local(ends[one.Id]) == expected,
                    string.Create(CultureInfo.InvariantCulture, $"the {one.Anchor}th at {one.Time}, period {period}: {expected:O} expected, {zone.Local(ends[one.Id]):O} found"));
            }

            Evidence.Record("autopayment", Trouble.Calendar, seeded.Count);
        }

        Assert.Equal(seeded.Count * (Evidence.Full ? 60 : 4), await world.ChargesAsync());
    }
}
