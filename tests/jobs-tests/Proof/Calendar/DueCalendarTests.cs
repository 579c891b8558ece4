using Jobs.Tests.Rig;
using Npgsql;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Proof.Calendar;

/// <summary>Whom a run of the published jobs takes up, over very many rows at once, at the instants at which calendars go wrong.</summary>
[Trait("Category", "Proof")]
public sealed class DueCalendarTests(PostgresFixture fixture)
{
    /// <summary>The nights on which clocks move, the end of a leap February and of the year, in the last hour of that local day and the first of the next.</summary>
    private static IEnumerable<(WallClock Zone, DateTime Now)> Moments() =>
        from zone in Evidence.Full ? WallClock.All : WallClock.Moved.Where(zone => zone.Id is "Europe/Paris" or "America/Nuuk")
        from night in zone.ChangesOf(2027).Concat(Evidence.Full ? [Utc(2028, 2, 29, 12), Utc(2027, 12, 31, 12), Utc(2027, 2, 28, 12)] : [])
        from minutes in Evidence.Full ? [-1, 1] : new[] { -1 }
        select (zone, zone.StartOfDay(zone.Date(night).AddDays(1)).AddMinutes(minutes));

    [Fact]
    public async Task Autopayment_charges_until_the_last_microsecond_of_the_local_day()
    {
        await using var world = await fixture.WorldAsync();
        var (user, plan) = (await world.UserAsync("ada"), await world.PlanAsync());
        foreach (var (zone, now) in Moments())
        {
            await world.ExecuteAsync("DELETE FROM subscriptions");
            var tomorrow = zone.StartOfDay(zone.Date(now).AddDays(1));
            var ends = Enumerable.Range(-96, 193).Select(half => tomorrow.AddMinutes(30 * half)).Append(tomorrow.AddMicroseconds(-1)).Append(tomorrow.AddMicroseconds(1)).ToList();
            var rows = await world.SubscriptionsAsync(user, plan, ends);
            world.Environment["JOBS_TIME_ZONE"] = zone.Id;

            var run = (await world.AutopaymentAsync(now, "--dry-run", "--max-charges", "1000")).Done();

            var expected = rows.Where(row => zone.Date(row.End) <= zone.Date(now)).Select(row => row.Id).ToHashSet();
            Same(rows, expected, Items(run, "charged"), $"autopayment in {zone} at {now:O}");
            Evidence.Record("autopayment", Trouble.Calendar, rows.Count);
        }
    }

    [Fact]
    public async Task Expire_subscriptions_goes_by_72_hours_and_no_calendar()
    {
        await using var world = await fixture.WorldAsync();
        var (user, plan) = (await world.UserAsync("ada"), await world.PlanAsync());
        // Each hour of five years.
        var ends = Enumerable.Range(0, 1827 * 24).Select(hour => Utc(2024, 1, 1).AddHours(hour)).ToList();
        foreach (var zone in Evidence.Full ? WallClock.Moved : [WallClock.Paris])
        {
            foreach (var night in zone.ChangesOf(2027).Take(Evidence.Full ? 2 : 1))
            {
                var now = night.AddHours(26).AddMinutes(13);
                await world.ExecuteAsync("TRUNCATE subscriptions CASCADE");
                var rows = await world.SubscriptionsAsync(user, plan, [.. ends, .. new[] { -1, 0, 1 }.Select(off => now.AddHours(-72).AddMicroseconds(off))]);
                world.Environment["JOBS_TIME_ZONE"] = zone.Id;

                var run = (await world.RunPublishedAsync("expire-subscriptions", "--as-of", AsOf(now), "--dry-run")).Done();

                var expected = rows.Where(row => now - row.End > TimeSpan.FromHours(72)).Select(row => row.Id).ToHashSet();
                Same(rows, expected, Items(run, "expired"), $"expire-subscriptions in {zone} at {now:O}");
                Evidence.Record("expire-subscriptions", Trouble.Calendar, rows.Count);
            }
        }
    }

    [Fact]
    public async Task Expire_payments_goes_by_168_hours_and_no_calendar()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        foreach (var night in WallClock.Paris.ChangesOf(2027).Append(Utc(2028, 3, 4)).Take(Evidence.Full ? 3 : 1))
        {
            var now = night.AddHours(100).AddMinutes(7);
            await world.ExecuteAsync("DELETE FROM payments");
            List<DateTime> made = [.. Enumerable.Range(0, 24 * 30).Select(hour => now.AddHours(-hour).AddMinutes(11)), .. new[] { -1, 0, 1 }.Select(off => now.AddHours(-168).AddMicroseconds(off))];
            // Left the queue of the terminals without a result: there is nobody to ask.
            var rows = (await world.QueryAsync(
                """
                INSERT INTO payments (user_id, purpose, amount_minor, status, method, provider, created_at)
                SELECT @user, 'other', 100, 'pending', 'card_terminal', 'sumup', made FROM unnest(@made) AS made RETURNING id, created_at
                """,
                new { user, made })).Select(row => ((long)row.id, (DateTime)row.created_at)).ToList();

            var run = (await world.RunPublishedAsync("expire-payments", "--as-of", AsOf(now), "--dry-run")).Done();

            Same(rows, [.. rows.Where(row => now - row.Item2 > TimeSpan.FromHours(168)).Select(row => row.Item1)], Items(run, "expired"), $"expire-payments at {now:O}");
            Evidence.Record("expire-payments", Trouble.Calendar, rows.Count);
        }
    }

    /// <summary>What is due is judged by the product's calendar, what is paid by PostgreSQL's: were they to differ by a day, a period could be charged twice.</summary>
    [Fact]
    public async Task PostgreSQL_and_the_jobs_have_the_same_days()
    {
        await using var world = await fixture.WorldAsync();
        await using var source = NpgsqlDataSource.Create(world.Server.ConnectionFor(world.Database).ConnectionString);
        foreach (var zone in WallClock.All)
        {
            var step = Evidence.Full ? TimeSpan.FromMinutes(15) : TimeSpan.FromMinutes(zone.Changes is null ? 60 * 61 : 60);
            await using var command = source.CreateCommand(
                """
                SELECT at, (at AT TIME ZONE @zone)::date AS day
                FROM generate_series('2024-01-01 00:00:00Z'::timestamptz, '2028-12-31 23:59:00Z', @step) AS at
                """);
            command.Parameters.AddWithValue("zone", zone.Id);
            command.Parameters.AddWithValue("step", step);
            await using var rows = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            var (product, tried) = (zone.Zone(), 0);
            while (await rows.ReadAsync(TestContext.Current.CancellationToken))
            {
                tried++;
                var (at, day) = (rows.GetDateTime(0), rows.GetFieldValue<DateOnly>(1));
                if (day != product.Date(at) || day.ToDateTime(default) != zone.Date(at))
                    Assert.Fail($"{zone} {at:O}: PostgreSQL says {day:O}, the jobs {product.Date(at):O}, the rule {zone.Date(at):d}");
            }

            Evidence.Record("autopayment", Trouble.Calendar, tried);
        }
    }

    private static HashSet<long> Items(JobResult run, string outcome) =>
        [.. run.Json.GetProperty("items").EnumerateArray().Where(item => item.GetProperty("outcome").GetString() == outcome).Select(item => Number(item.GetProperty("id")))];

    private static long Number(System.Text.Json.JsonElement id) => long.Parse(id.ToString(), System.Globalization.CultureInfo.InvariantCulture);

    private static void Same(List<(long Id, DateTime At)> rows, HashSet<long> expected, HashSet<long> actual, string what)
    {
        Assert.True(expected.Count > 0 && expected.Count < rows.Count, $"{what}: the rows hold no boundary");
        var wrong = rows.Where(row => expected.Contains(row.Id) != actual.Contains(row.Id)).Select(row => $"{row.At:O} {(expected.Contains(row.Id) ? "left out" : "taken up")}").ToList();
        Assert.True(wrong.Count == 0, $"{what}: {wrong.Count} of {rows.Count} rows wrong: {string.Join(", ", wrong.Take(5))}");
    }
}
