using FsCheck;
using FsCheck.Fluent;
using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;
using Random = System.Random;

namespace Jobs.Tests.Stats;

/// <summary>Payments and refunds at any instant of any zone land on the day that a calendar of another make says, and none is lost between two days.</summary>
public sealed class DayOracleTests(PostgresFixture fixture)
{
    private static readonly string[] Zones = ["Europe/Paris", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"];

    [Fact]
    public async Task Revenue_by_day_is_that_of_the_oracle()
    {
        await using var world = await fixture.WorldAsync();
        await world.PersonAsync();
        await Task.Run(() => Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(6).WithQuietOnSuccess(true),
            Prop.ForAll(Gen.Choose(0, 1_000_000).ToArbitrary(), seed => PlayAsync(world, new Random(seed)))));
    }

    private static async Task PlayAsync(JobWorld world, Random random)
    {
        await world.ExecuteAsync("DELETE FROM daily_stats; DELETE FROM payment_refunds; DELETE FROM payments");
        var id = Zones[random.Next(Zones.Length)];
        var zone = TimeZoneInfo.FindSystemTimeZoneById(id);
        world.Environment["JOBS_TIME_ZONE"] = id;
        var expected = new SortedDictionary<string, long>(StringComparer.Ordinal);
        for (var n = 0; n < 150; n++)
        {
            // Half of them within a second of a local midnight, all of them around the days on which clocks move.
            var at = new DateTime(2025, new[] { 3, 4, 10, 11 }[random.Next(4)], random.Next(1, 29), 0, 0, 0, DateTimeKind.Unspecified);
            at = random.Next(2) == 0 ? at.AddMinutes(random.Next(0, 1440)) : at.AddMilliseconds(random.Next(-1000, 1000));
            var instant = zone.IsInvalidTime(at) ? DateTime.SpecifyKind(at, DateTimeKind.Utc) : TimeZoneInfo.ConvertTimeToUtc(at, zone);
            var (amount, refunded) = (random.Next(1, 1000), random.Next(3) == 0 ? random.Next(1, 1000) : 0);
            Add(instant, amount);
            Add(instant.AddHours(30), -refunded);
            await world.ExecuteAsync(
                """
                WITH paid AS (INSERT INTO payments (user_id, amount_minor, status, succeeded_at) VALUES (1, @amount, 'succeeded', @instant) RETURNING id)
                INSERT INTO payment_refunds (payment_id, amount_minor, refunded_at) SELECT id, @refunded, @instant + interval '30 hours' FROM paid WHERE @refunded > 0
                """,
                new { amount, refunded, instant });
        }

        (await world.RunAsync("daily-stats", "--as-of", AsOf(StatsScene.AtOne), "--from", "2025-02-26", "--to", "2025-12-03")).Done();

        var rows = await world.QueryAsync("SELECT stat_date::text AS day, (data -> 'revenue' ->> 'eur')::bigint AS eur FROM daily_stats WHERE data -> 'revenue' <> '{}'");
        Assert.Equal(expected, new SortedDictionary<string, long>(rows.ToDictionary(r => (string)r.day, r => (long)r.eur, StringComparer.Ordinal), StringComparer.Ordinal));

        void Add(DateTime instant, long amount)
        {
            var day = TimeZoneInfo.ConvertTimeFromUtc(instant, zone).ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
            if (amount != 0)
            {
                expected[day] = expected.GetValueOrDefault(day) + amount;
            }
        }
    }
}
