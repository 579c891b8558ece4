using Jobs.Billing;
using Jobs.Mail;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Proof.Calendar;

/// <summary>The pure rules of the calendar, for each day of five years in each zone.</summary>
[Trait("Category", "Proof")]
public sealed class PeriodCalendarTests
{
    private static readonly DateTime First = new(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private const int FiveYears = 1827;

    /// <summary>A time of day that passes, in the course of the days, every gap and overlap.</summary>
    private static DateTime At(int day) => First.AddDays(day).AddMinutes(day * 37 % 1440).AddTicks(day % 3 * 10L);

    [Fact]
    public void A_period_ends_where_the_rule_says_for_every_unit_count_and_anchor()
    {
        var tried = 0;
        foreach (var zone in WallClock.Tried)
        {
            var product = zone.Zone();
            for (var day = 0; day < FiveYears; day++)
            {
                var start = At(day);
                foreach (var unit in Term.Units.Split(' '))
                {
                    foreach (var count in Evidence.Full ? Enumerable.Range(1, 12) : [1 + (day % 12)])
                    {
                        foreach (var anchor in Evidence.Full ? [zone.Local(start).Day, 31, 30, 29, 1 + (day % 28)] : new[] { zone.Local(start).Day, 28 + (day % 4) })
                        {
                            tried++;
                            var (expected, actual) = (Term.End(start, unit, count, anchor, zone), BillingPeriod.End(start, new(unit, count), anchor, product));
                            if (expected != actual)
                                Assert.Fail($"{zone} {start:O} + {count} {unit} on {anchor}: {expected:O} expected, {actual:O} found");
                        }
                    }
                }
            }
        }

        Evidence.Record("autopayment", Trouble.Calendar, tried);
    }

    [Fact]
    public void Sixty_periods_in_a_row_never_drift_from_the_anchor()
    {
        var tried = 0;
        foreach (var zone in WallClock.Tried)
        {
            var product = zone.Zone();
            // A leap year and the next: each day of both is a first day. Ten in the morning, when clocks never move.
            for (var date = new DateTime(2024, 1, 1); date.Year < 2026; date = date.AddDays(Evidence.Full || date.Day >= 28 ? 1 : 9))
            {
                foreach (var (unit, count) in new[] { ("month", 1), ("month", 3), ("year", 1) })
                {
                    var start = zone.Instant(date.AddHours(10));
                    var (anchor, end) = (BillingPeriod.AnchorDay(start, product), start);
                    for (var period = 1; period <= 60; period++)
                    {
                        tried++;
                        end = BillingPeriod.End(end, new(unit, count), anchor, product);
                        // From the very first day, not from the period before.
                        var expected = Months.Later(date, period * count * (unit == "year" ? 12 : 1), date.Day).AddHours(10);
                        if (zone.Local(end) != expected)
                            Assert.Fail($"{zone} {date:d}, period {period} of {count} {unit}: {expected:O} expected, {zone.Local(end):O} found");
                    }
                }
            }
        }

        Evidence.Record("autopayment", Trouble.Calendar, tried);
    }

    [Fact]
    public void Every_hour_is_of_the_day_that_the_clocks_on_the_wall_show()
    {
        var tried = 0;
        foreach (var zone in WallClock.Tried)
        {
            var product = zone.Zone();
            for (var at = First; at < First.AddDays(FiveYears); at = at.AddHours(1))
            {
                tried++;
                if (product.Date(at).ToDateTime(default) != zone.Date(at) || product.OnTheWall(at).DateTime != zone.Local(at))
                    Assert.Fail($"{zone} {at:O}: {zone.Local(at):O} expected, {product.OnTheWall(at):O} found");
            }

            for (var date = First.Date; date < First.AddDays(FiveYears); date = date.AddDays(1))
            {
                tried++;
                var (expected, actual) = (zone.StartOfDay(date), product.StartOfDay(DateOnly.FromDateTime(date)));
                if (expected != actual || zone.Date(actual) != date || zone.Date(actual.AddTicks(-1)) != date.AddDays(-1))
                    Assert.Fail($"{zone} {date:d}: begins at {expected:O}, not {actual:O}");
            }
        }

        Evidence.Record("daily-stats", Trouble.Calendar, tried);
    }

    [Fact]
    public void A_retry_comes_with_the_day_and_the_grace_ends_to_the_microsecond()
    {
        var tried = 0;
        foreach (var zone in WallClock.Tried)
        {
            var product = zone.Zone();
            for (var day = 0; day < FiveYears; day++)
            {
                var end = At(day);
                foreach (var hours in new[] { -5, 0, 7, 23, 31, 49, 71, 96 })
                {
                    tried++;
                    var now = end.AddHours(hours);
                    DateTime? expected = null;
                    for (var days = 3; days >= 1; days--)
                    {
                        if (zone.StartOfDay(zone.Date(end).AddDays(days)) is var begins && begins > now)
                            expected = begins;
                    }

                    if (RenewalPolicy.Default.NextAttempt(end, now, product) is var actual && actual != expected)
                        Assert.Fail($"{zone} ended {end:O}, declined {now:O}: next on {expected:O}, not {actual:O}");
                }

                if (RenewalPolicy.Default.IsLapsed(end, end.AddHours(72)) || !RenewalPolicy.Default.IsLapsed(end, end.AddHours(72).AddMicroseconds(1)))
                    Assert.Fail($"{end:O} lapses after 72 hours and not at them");
            }
        }

        Evidence.Record("autopayment", Trouble.Calendar, tried);
    }

    [Fact]
    public void What_can_wait_is_written_between_eight_and_nine_at_night_by_the_clocks_on_the_wall()
    {
        var tried = 0;
        foreach (var zone in WallClock.Tried)
        {
            var product = zone.Zone();
            for (var day = 0; day < FiveYears; day++)
            {
                for (var quarter = Evidence.Full ? 0 : day % 8; quarter < 96; quarter += Evidence.Full ? 1 : 8)
                {
                    var now = First.AddDays(day).AddMinutes(15 * quarter);
                    foreach (var (had, ago) in new[] { (0, (int?)null), (1, 2), (1, 5), (2, 1), (2, 9) })
                    {
                        tried++;
                        var last = ago is { } hours ? now.AddHours(-hours) : (DateTime?)null;
                        var (expected, actual) = (Earliest(now, had, last, zone), MailPolicy.PostponedTo(now, product, had, last) ?? now);
                        if (expected != actual)
                            Assert.Fail($"{zone} {now:O}, {had} had, the last at {last:O}: {expected:O} expected, {actual:O} found");
                    }
                }
            }
        }

        Evidence.Record("send-notifications", Trouble.Calendar, tried);
    }

    /// <summary>Four hours after the last, on another day after two, and out of the night.</summary>
    private static DateTime Earliest(DateTime now, int had, DateTime? last, WallClock zone)
    {
        var at = now;
        if (had == 2)
            at = zone.Instant(zone.Date(now).AddDays(1).AddHours(8));
        if (last?.AddHours(4) > at)
            at = last.Value.AddHours(4);
        var local = zone.Local(at);
        if (local.Hour < 8)
            return zone.Instant(local.Date.AddHours(8));
        return local.Hour >= 21 ? zone.Instant(local.Date.AddDays(1).AddHours(8)) : at;
    }

    [Fact]
    public void Schedules_start_at_every_minute_the_clocks_show_once_or_twice_and_at_none_they_skip()
    {
        foreach (var job in Catalogue.Jobs.Where(job => job.Schedule is not null))
        {
            var tried = 0;
            foreach (var zone in WallClock.Tried)
            {
                var product = zone.Zone();
                foreach (var change in zone.ChangesOf(2027).Concat(zone.ChangesOf(2028)).Append(new DateTime(2028, 2, 28, 12, 0, 0, DateTimeKind.Utc)))
                {
                    var from = change.AddHours(-40);
                    var expected = new List<DateTime>();
                    for (var at = from; at < change.AddHours(40); at = at.AddMinutes(1))
                    {
                        if (Fits(job.Schedule!, zone.Local(at)))
                            expected.Add(at);
                    }

                    tried += expected.Count + 1;
                    Assert.Equal(expected, product.Instants(new CronSchedule(job.Schedule!), from).TakeWhile(at => at < change.AddHours(40)));
                }
            }

            Evidence.Record(job.Name, Trouble.Calendar, tried);
        }
    }

    private static bool Fits(string schedule, DateTime local)
    {
        var fields = schedule.Split(' ');
        return new[] { local.Minute, local.Hour, local.Day, local.Month, (int)local.DayOfWeek }.Zip(fields).All(pair =>
            pair.Second == "*" || pair.Second.Split(',').Any(part => part.StartsWith("*/", StringComparison.Ordinal)
                ? pair.First % int.Parse(part[2..], System.Globalization.CultureInfo.InvariantCulture) == 0
                : part.Contains('-', StringComparison.Ordinal)
                    ? pair.First % Step(part) == Start(part) % Step(part) && pair.First >= Start(part) && pair.First <= End(part)
                    : part == pair.First.ToString(System.Globalization.CultureInfo.InvariantCulture)));

        static int Number(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
        static int Step(string part) => part.Contains('/', StringComparison.Ordinal) ? Number(part.Split('/')[1]) : 1;
        static int Start(string part) => Number(part.Split('-')[0]);
        static int End(string part) => Number(part.Split('-')[1].Split('/')[0]);
    }
}
