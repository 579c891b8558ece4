using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Members.MemberScene;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Proof.Calendar;

/// <summary>Terms of memberships, reminders of their ends, and the days of the figures.</summary>
[Trait("Category", "Proof")]
public sealed class MemberCalendarTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_membership_lasts_a_year_and_its_last_day_is_part_of_it()
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        await world.PeopleAsync(1827);
        var first = await world.ScalarAsync<long>("SELECT id FROM users WHERE name = '1'");
        var tried = 0;
        for (var day = 0; day < 1827; day++)
        {
            var date = new DateTime(2024, 1, 1).AddDays(day);
            if (!Evidence.Full && day % 41 != 0 && (date.Month, date.Day) is not ((2, 28) or (2, 29) or (3, 1)))
                continue;
            var zone = WallClock.All[day % WallClock.All.Length];
            var service = new MembershipService(new Db(source), zone.Zone());
            // The first or the last instant of the local day.
            var now = day % 2 == 0 ? zone.StartOfDay(date) : zone.StartOfDay(date.AddDays(1)).AddMicroseconds(-1);

            var granted = await service.GrantAsync(Grant("basic", $"first {day}") with { UserId = first + day }, At(now));
            var end = Months.Later(date, 12, date.Day).AddDays(-1);
            Assert.Equal((DateOnly.FromDateTime(date), DateOnly.FromDateTime(end)), (granted.StartDate, granted.EndDate));

            // In its last month the next may be had, the day before not yet.
            var renewable = Months.Later(end, -1, end.Day);
            await Assert.ThrowsAsync<RefusedException>(() =>
                service.GrantAsync(Grant("basic", $"early {day}") with { UserId = first + day }, At(zone.StartOfDay(renewable).AddMicroseconds(-1))));
            var next = await service.GrantAsync(Grant("basic", $"next {day}") with { UserId = first + day }, At(zone.StartOfDay(renewable)));
            var start = end.AddDays(1);
            Assert.Equal((DateOnly.FromDateTime(start), DateOnly.FromDateTime(Months.Later(start, 12, start.Day).AddDays(-1))), (next.StartDate, next.EndDate));
            tried += 3;
        }

        Evidence.Record("grant-membership", Trouble.Calendar, tried);
    }

    /// <summary>One run after the other, some days left out: the oracle keeps book of what was written before.</summary>
    [Fact]
    public async Task Reminders_go_out_once_30_15_5_and_0_days_before_and_are_caught_up()
    {
        await using var world = await fixture.WorldAsync();
        var zones = Evidence.Full ? WallClock.Moved.Append(WallClock.Fixed[0]).Append(WallClock.Fixed[^1]) : [WallClock.Moved.Single(zone => zone.Id == "America/Nuuk")];
        foreach (var zone in zones)
        {
            await world.ExecuteAsync("TRUNCATE users, memberships, subscriptions, notifications CASCADE");
            world.Environment["JOBS_TIME_ZONE"] = zone.Id;
            await world.PeopleAsync(460);
            var from = new DateTime(2027, 2, 1);
            // A membership that ends on each day of more than a year, and a subscription that ends in the first and in the last instant of each.
            var memberships = await IdsAsync(world, "INSERT INTO memberships (user_id, type, start_date, end_date) SELECT id, 'basic', @from::date + n::int - 365, @from::date + n::int - 1 FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM users) AS u RETURNING id, end_date::timestamp AS ends", new { from });
            var plan = await world.PlanAsync();
            var ends = Enumerable.Range(0, 460).SelectMany(day => new[] { zone.StartOfDay(from.AddDays(day)), zone.StartOfDay(from.AddDays(day + 1)).AddMicroseconds(-1) }).ToList();
            var subscriptions = await world.SubscriptionsAsync(await world.ScalarAsync<long>("SELECT min(id) FROM users"), plan, ends);
            var terms = memberships.Select(m => ($"membership:{m.Id}", m.End, Days: 365))
                .Concat(subscriptions.Select(s => ($"subscription:{s.Id}", End: zone.Date(s.End), Days: 31))).ToList();

            var expected = new HashSet<string>(StringComparer.Ordinal);
            var today = from;
            for (var run = 0; run < (Evidence.Full ? 120 : 6); run++)
            {
                foreach (var (id, end, days) in terms)
                {
                    var left = (int)(end - today).TotalDays;
                    var offset = left < 0 ? null : new int?[] { 0, 5, 15, 30 }.FirstOrDefault(o => o >= left);
                    if (offset is { } due && due < days)
                        expected.Add($"{id}:{end.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}:{due}");
                }

                var now = run % 2 == 0 ? zone.StartOfDay(today) : zone.StartOfDay(today.AddDays(1)).AddMicroseconds(-1);
                (await world.RunPublishedAsync("renewal-reminder", "--as-of", AsOf(now))).Done();
                var actual = (await world.QueryAsync("SELECT substr(dedupe_key, 18) AS key FROM notifications WHERE kind = 'renewal_reminder'")).Select(row => (string)row.key).ToHashSet(StringComparer.Ordinal);
                Assert.True(
                    expected.SetEquals(actual),
                    $"{zone} {today:d}: missing {string.Join(' ', expected.Except(actual).Take(5))}, too many {string.Join(' ', actual.Except(expected).Take(5))}");
                // A day, a week's outage, the second run of a day.
                today = today.AddDays((run % 5) switch { 0 => 1, 1 => 7, 2 => 0, 3 => 2, _ => 3 });
            }

            Evidence.Record("renewal-reminder", Trouble.Calendar, terms.Count * (Evidence.Full ? 120 : 6));
        }
    }

    private static async Task<List<(long Id, DateTime End)>> IdsAsync(JobWorld world, string sql, object parameters) =>
        [.. (await world.QueryAsync(sql, parameters)).Select(row => ((long)row.id, (DateTime)row.ends))];

    [Fact]
    public async Task A_day_of_the_figures_has_as_many_hours_as_the_clocks_make_of_it()
    {
        await using var world = await fixture.WorldAsync();
        await world.PersonAsync();
        // A payment each quarter of an hour: what a day holds tells how long it was, and where it began.
        await world.ExecuteAsync(
            """
            INSERT INTO payments (user_id, purpose, amount_minor, status, succeeded_at, created_at)
            SELECT 1, 'other', 1, 'succeeded', at, at FROM generate_series('2027-01-30 00:00:00Z'::timestamptz, @end, '15 minutes') AS at
            """,
            new { end = Utc(Evidence.Full ? 2029 : 2027, 12, 2) });
        foreach (var zone in Evidence.Full ? WallClock.Moved.Concat([WallClock.Fixed[0], WallClock.Fixed[^1]]) : WallClock.Moved.Where(zone => zone.Id is "Australia/Lord_Howe"))
        {
            await world.ExecuteAsync("DELETE FROM daily_stats");
            world.Environment["JOBS_TIME_ZONE"] = zone.Id;
            var (from, to) = (new DateTime(2027, Evidence.Full ? 2 : 9, 1), new DateTime(Evidence.Full ? 2029 : 2027, 11, 30));
            (await world.RunPublishedAsync("daily-stats", "--as-of", AsOf(zone.StartOfDay(to.AddDays(1)).AddHours(1)), "--from", Day(from), "--to", Day(to))).Done();
            var rows = (await world.QueryAsync("SELECT stat_date::timestamp AS day, (data ->> 'payments')::int AS payments, (data -> 'revenue' ->> 'eur')::int AS eur FROM daily_stats")).ToList();
            Assert.Equal((to - from).Days + 1, rows.Count);
            foreach (var row in rows)
            {
                var expected = (int)(4 * zone.Length((DateTime)row.day));
                Assert.True(expected == (int)row.payments && expected == (int)row.eur, $"{zone} {row.day:d}: {expected} expected, {row.payments} and {row.eur} found");
            }

            Evidence.Record("daily-stats", Trouble.Calendar, rows.Count);
        }

        static string Day(DateTime date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
    }
}
