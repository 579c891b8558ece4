using Jobs.Billing;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Billing;

/// <summary>The instants of schedules of local times, against TimeZoneInfo minute by minute.</summary>
public sealed class ScheduleInstantTests
{
    [Theory]
    [MemberData(nameof(BillingPeriodTests.Zones), MemberType = typeof(BillingPeriodTests))]
    public void An_instant_is_a_run_exactly_when_the_clock_on_the_wall_then_shows_its_time(string id)
    {
        var (zone, oracle) = (new BusinessZone(id), TimeZoneInfo.FindSystemTimeZoneById(id));
        var start = new DateTime(2026, 10, 20, 15, 50, 17, DateTimeKind.Utc);
        var minutes = Enumerable.Range(0, 366 * 24 * 60).Select(n => start.AddSeconds(43).AddMinutes(n))
            .Select(at => (At: at, Wall: DateTime.SpecifyKind(TimeZoneInfo.ConvertTimeFromUtc(at, oracle), DateTimeKind.Unspecified))).ToList();
        foreach (var text in Catalogue.Jobs.Select(job => job.Schedule).OfType<string>().Append("30 0-3 * * *").Append("17 */3 1-7 * *"))
        {
            var schedule = new CronSchedule(text);
            // Of what runs every minute, two weeks with the autumn's changes are enough.
            var end = schedule.EveryHour ? start.AddDays(14) : start.AddDays(365);
            var walls = schedule.From(start.AddDays(-2)).TakeWhile(wall => wall < end.AddDays(2)).ToHashSet();
            Assert.Equal(
                minutes.TakeWhile(minute => minute.At < end).Where(minute => walls.Contains(minute.Wall)).Select(minute => minute.At),
                zone.Instants(schedule, start).TakeWhile(at => at < end));
        }
    }

    [Fact]
    public void A_local_time_that_is_skipped_is_no_run_and_one_that_comes_twice_is_two()
    {
        var (zone, two) = (new BusinessZone("Europe/Paris"), new CronSchedule("0 2 * * *"));
        Assert.Equal([Utc(2027, 3, 27, 1, 0), Utc(2027, 3, 29, 0, 0)], zone.Instants(two, Utc(2027, 3, 26, 12, 0)).Take(2));
        Assert.Equal(
            [Utc(2026, 10, 25, 0, 0), Utc(2026, 10, 25, 1, 0), Utc(2026, 10, 26, 1, 0)], zone.Instants(two, Utc(2026, 10, 24, 12, 0)).Take(3));
        // From within the second of the two hours.
        Assert.Equal([Utc(2026, 10, 25, 1, 0)], zone.Instants(two, Utc(2026, 10, 25, 0, 30)).Take(1));
        Assert.Equal([Utc(2026, 10, 26, 1, 0)], zone.Instants(two, Utc(2026, 10, 25, 1, 0, 1)).Take(1));
    }

    [Fact]
    public void Jobs_of_every_hour_neither_pause_nor_repeat_when_the_clocks_change()
    {
        var (zone, five) = (new BusinessZone("Europe/Paris"), new CronSchedule("*/5 * * * *"));
        foreach (var night in new[] { Utc(2027, 3, 28, 0, 0), Utc(2026, 10, 25, 0, 0) })
        {
            Assert.Equal(Enumerable.Range(0, 36).Select(n => night.AddMinutes(5 * n)), zone.Instants(five, night).Take(36));
        }
    }

    [Fact]
    public void The_changes_of_the_clock_are_told_with_what_they_hit()
    {
        var changes = new BusinessZone("Europe/Paris").ClockChanges(Utc(2026, 11, 21, 0, 0), Utc(2027, 11, 21, 0, 0)).ToList();
        Assert.Equal(
            [
                new ClockChange(Utc(2027, 3, 28, 1, 0), new DateTime(2027, 3, 28, 2, 0, 0), new DateTime(2027, 3, 28, 3, 0, 0)),
                new ClockChange(Utc(2027, 10, 31, 1, 0), new DateTime(2027, 10, 31, 3, 0, 0), new DateTime(2027, 10, 31, 2, 0, 0)),
            ],
            changes);
        Assert.All(changes, change =>
        {
            Assert.Single(change.Hit(new CronSchedule("0 2 * * *")));
            Assert.Single(change.Hit(new CronSchedule("59 2 * * 0")));
            Assert.Empty(change.Hit(new CronSchedule("0 3 * * *")));
            Assert.Empty(change.Hit(new CronSchedule("59 1 * * *")));
            Assert.Empty(change.Hit(new CronSchedule("0 2 * * 1")));
            Assert.Equal(60, change.Hit(new CronSchedule("* * * * *")).Count());
        });
        Assert.Empty(new BusinessZone("UTC").ClockChanges(Utc(2026, 11, 21, 0, 0), Utc(2027, 11, 21, 0, 0)));
        Assert.Equal(2, new BusinessZone("Australia/Lord_Howe").ClockChanges(Utc(2026, 11, 21, 0, 0), Utc(2027, 11, 21, 0, 0))
            .Count(change => (change.After - change.Before).Duration() == TimeSpan.FromMinutes(30)));
    }

    private static DateTime Utc(int year, int month, int day, int hour, int minute, int second = 0) =>
        new(year, month, day, hour, minute, second, DateTimeKind.Utc);
}
