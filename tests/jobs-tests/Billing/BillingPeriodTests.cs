using Jobs.Billing;
using Xunit;

namespace Jobs.Tests.Billing;

/// <summary>Against an oracle of plain loops over days and seconds, which shares neither code nor library with the calendar.</summary>
public sealed class BillingPeriodTests
{
    private static readonly DateTime First = new(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private static readonly DateTime Last = new(2028, 12, 31, 0, 0, 0, DateTimeKind.Utc);

    // Etc/GMT+12 is twelve hours behind UTC: the sign is POSIX's.
    public static TheoryData<string> Zones => new("Etc/GMT+12", "Etc/GMT-14", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe");

    [Theory]
    [MemberData(nameof(Zones))]
    public void Every_day_of_five_years_and_every_anchor_agree_with_the_oracle(string id)
    {
        var (zone, oracle) = (new BusinessZone(id), TimeZoneInfo.FindSystemTimeZoneById(id));
        for (var day = First; day <= Last; day = day.AddDays(1))
        {
            // The time of day moves through the day, and through every DST gap and overlap.
            var start = day.AddMinutes(day.DayOfYear * 37 % 1440);
            foreach (var interval in new Interval[] { new("day", 1), new("day", 30), new("week", 2) })
            {
                Check(Oracle(start, interval, 1, oracle), BillingPeriod.End(start, interval, 1, zone), start, interval, 1);
            }

            for (var anchor = 1; anchor <= 31; anchor++)
            {
                foreach (var interval in new Interval[] { new("month", 1), new("month", 3), new("year", 1) })
                {
                    Check(Oracle(start, interval, anchor, oracle), BillingPeriod.End(start, interval, anchor, zone), start, interval, anchor);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Zones))]
    public void The_anchor_never_drifts_over_24_periods(string id)
    {
        var (zone, oracle) = (new BusinessZone(id), TimeZoneInfo.FindSystemTimeZoneById(id));
        for (var day = First; day < First.AddYears(1); day = day.AddDays(1))
        {
            var start = day.AddHours(10);
            var anchor = BillingPeriod.AnchorDay(start, zone);
            var end = start;
            for (var period = 1; period <= 24; period++)
            {
                var before = end;
                end = BillingPeriod.End(end, new("month", 1), anchor, zone);
                var local = TimeZoneInfo.ConvertTimeFromUtc(end, oracle);
                Assert.Equal(Math.Min(anchor, DateTime.DaysInMonth(local.Year, local.Month)), local.Day);
                Assert.InRange((end - before).TotalDays, 27.9, 31.1);
            }

            var (from, to) = (TimeZoneInfo.ConvertTimeFromUtc(start, oracle), TimeZoneInfo.ConvertTimeFromUtc(end, oracle));
            Assert.Equal((from.Year * 12) + from.Month + 24, (to.Year * 12) + to.Month);
            Assert.Equal(from.TimeOfDay, to.TimeOfDay);
        }
    }

    [Theory]
    [InlineData("2026-01-31T10:00:00Z", 31, "2026-02-28T10:00:00Z")]
    [InlineData("2026-02-28T10:00:00Z", 31, "2026-03-31T09:00:00Z")]
    [InlineData("2028-01-31T10:00:00Z", 31, "2028-02-29T10:00:00Z")]
    [InlineData("2028-02-29T10:00:00Z", 29, "2028-03-29T09:00:00Z")]
    [InlineData("2026-12-15T10:00:00Z", 15, "2027-01-15T10:00:00Z")]
    // 29 March 2026, 02:30 does not exist in Paris: an hour later.
    [InlineData("2026-02-28T01:30:00Z", 29, "2026-03-29T01:30:00Z")]
    // 25 October 2026, 02:30 comes twice: the first.
    [InlineData("2026-09-25T00:30:00Z", 25, "2026-10-25T00:30:00Z")]
    // 23:30 UTC on 31 July is 1 August in Paris.
    [InlineData("2026-07-31T23:30:00Z", 1, "2026-08-31T23:30:00Z")]
    public void A_month_in_Paris_ends_on_the_anchor_at_the_same_local_time(string start, int anchor, string end) =>
        Assert.Equal(Utc(end), BillingPeriod.End(Utc(start), new("month", 1), anchor, new BusinessZone("Europe/Paris")));

    [Theory]
    [InlineData("2028-02-29T10:00:00Z", 29, 1, "2029-02-28T10:00:00Z")]
    [InlineData("2029-02-28T10:00:00Z", 29, 3, "2032-02-29T10:00:00Z")]
    [InlineData("2028-02-29T10:00:00Z", 29, 4, "2032-02-29T10:00:00Z")]
    public void A_leap_day_comes_back(string start, int anchor, int years, string end) =>
        Assert.Equal(Utc(end), BillingPeriod.End(Utc(start), new("year", years), anchor, new BusinessZone("Europe/Paris")));

    [Fact]
    public void An_unknown_unit_is_an_error_and_no_guess() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => BillingPeriod.End(First, new("fortnight", 1), 1, new BusinessZone("Europe/Paris")));

    private static void Check(DateTime expected, DateTime actual, DateTime start, Interval interval, int anchor)
    {
        // Comparing first: a million calls of Assert would take longer than the calendar.
        if (expected != actual)
        {
            Assert.Fail($"{start:u} + {interval} on {anchor}: expected {expected:u}, got {actual:u}");
        }
    }

    /// <summary>Walks day by day from the local date to the wanted one, then finds its instant.</summary>
    private static DateTime Oracle(DateTime start, Interval interval, int anchor, TimeZoneInfo zone)
    {
        var local = TimeZoneInfo.ConvertTimeFromUtc(start, zone);
        var date = local.Date;
        if (interval.Unit is "day" or "week")
        {
            return Instant(date.AddDays(interval.Count * (interval.Unit == "week" ? 7 : 1)) + local.TimeOfDay, zone);
        }

        date = date.AddDays(1 - date.Day);
        for (var months = interval.Count * (interval.Unit == "year" ? 12 : 1); months > 0; months--)
        {
            do
            {
                date = date.AddDays(1);
            }
            while (date.Day != 1);
        }

        while (date.Day < anchor && date.AddDays(1).Day != 1)
        {
            date = date.AddDays(1);
        }

        return Instant(date + local.TimeOfDay, zone);
    }

    private static DateTime Instant(DateTime local, TimeZoneInfo zone)
    {
        if (zone.IsInvalidTime(local))
        {
            // Skipped: as the offset before the gap reads it, which lies after the gap.
            var before = zone.GetUtcOffset(local.AddHours(-3));
            return DateTime.SpecifyKind(local - before, DateTimeKind.Utc);
        }

        var offset = zone.IsAmbiguousTime(local) ? zone.GetAmbiguousTimeOffsets(local).Max() : zone.GetUtcOffset(local);
        return DateTime.SpecifyKind(local - offset, DateTimeKind.Utc);
    }

    private static DateTime Utc(string text) => DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture).UtcDateTime;
}
