using FsCheck;
using FsCheck.Fluent;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Runs;

public sealed class CronScheduleTests
{
    private static readonly (int First, int Last)[] Limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];

    [Theory]
    [InlineData("0 6 * * *", "2026-11-21 05:59:59", "2026-11-21 06:00")]
    [InlineData("0 6 * * *", "2026-11-21 06:00", "2026-11-21 06:00")]
    [InlineData("0 6 * * *", "2026-11-21 06:00:01", "2026-11-22 06:00")]
    [InlineData("0 2 * * 0", "2026-11-21 12:00", "2026-11-22 02:00")]
    [InlineData("1-59/2 * * * *", "2026-12-31 23:59:01", "2027-01-01 00:01")]
    [InlineData("*/5 * * * *", "2026-11-21 00:56", "2026-11-21 01:00")]
    [InlineData("15,45 8-10 * * *", "2026-11-21 10:46", "2026-11-22 08:15")]
    [InlineData("0 0 29 2 *", "2026-11-21 00:00", "2028-02-29 00:00")]
    [InlineData("0 0 31 * *", "2026-11-01 00:00", "2026-12-31 00:00")]
    public void The_next_time_is_the_first_at_or_after(string schedule, string from, string expected) =>
        Assert.Equal(DateTime.Parse(expected), new CronSchedule(schedule).From(DateTime.Parse(from)).First());

    [Fact]
    public void It_agrees_minute_by_minute_with_an_oracle_that_reads_each_field_anew() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(300).WithQuietOnSuccess(true),
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            var fields = Limits.Select(limit => SomeField(random, limit.First, limit.Last)).ToArray();
            // Both day fields at once are refused.
            fields[random.Next(2) == 0 ? 2 : 4] = "*";
            var start = new DateTime(2027, 12, 30).AddMinutes(random.Next(600_000)).AddSeconds(random.Next(2) * 30);
            CronSchedule schedule;
            try
            {
                schedule = new CronSchedule(string.Join(' ', fields));
            }
            catch (FormatException e) when (e.Message.EndsWith("never comes", StringComparison.Ordinal))
            {
                return;
            }

            var expected = new List<DateTime>();
            var end = start.AddDays(3);
            for (var time = start.Second == 0 ? start : start.AddSeconds(30); time < end; time = time.AddMinutes(1))
            {
                int[] values = [time.Minute, time.Hour, time.Day, time.Month, (int)time.DayOfWeek];
                if (fields.Zip(values).Zip(Limits).All(f => Holds(f.First.First, f.First.Second, f.Second.First)))
                {
                    expected.Add(time);
                }
            }

            Assert.Equal(expected, schedule.From(start).TakeWhile(time => time < end));
        }));

    [Theory]
    [InlineData("* * * * *", 1)]
    [InlineData("*/5 * * * *", 5)]
    // 58 to 5 past.
    [InlineData("5-58 * * * *", 7)]
    [InlineData("0 6 * * *", 24 * 60)]
    [InlineData("0 3 * * 0", 7 * 24 * 60)]
    [InlineData("0 0 31 * *", 61 * 24 * 60)]
    [InlineData("0 0 29 2 *", 1461 * 24 * 60)]
    public void The_longest_pause_is_that_of_the_worst_case(string schedule, int minutes) =>
        Assert.Equal(TimeSpan.FromMinutes(minutes), new CronSchedule(schedule).LongestPause);

    [Fact]
    public void Every_entry_of_the_catalogue_is_expected_at_its_longest_pause() => Assert.Equal(
        [
            "autopayment 1d", "backup-database 1d", "cleanup 7d", "cleanup-logs 7d", "cleanup-stale-payment-intents 7d", "daily-stats 1d",
            "expire-payments 1d", "expire-stale-orders 5m", "expire-subscriptions 1d", "match-pending-payments 2m", "match-successful-payments 2m", "process-payment-queue 1m",
            "renewal-reminder 1d", "send-notifications 1m", "subscription-sync 1d",
        ],
        Catalogue.Jobs.Where(job => job.ExpectedInterval is not null)
            .Select(job => $"{job.Name} {Duration.Format(job.ExpectedInterval!.Value)}").Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("* * * * *", true)]
    [InlineData("7 * * * *", true)]
    [InlineData("* 0-22 * * *", false)]
    [InlineData("* * 1-30 * *", false)]
    [InlineData("* * * 2-12 *", false)]
    [InlineData("* * * * 1-6", false)]
    public void Every_hour_is_each_hour_of_each_day(string schedule, bool expected) => Assert.Equal(expected, new CronSchedule(schedule).EveryHour);

    [Theory]
    [InlineData("", "has 1 fields instead of 5")]
    [InlineData("* * * *", "has 4 fields instead of 5")]
    [InlineData("* * * * * *", "has 6 fields instead of 5")]
    [InlineData("*  * * * *", "has 6 fields instead of 5")]
    [InlineData("60 * * * *", "'60' in '60 * * * *' is not a number from 0 to 59")]
    [InlineData("* 24 * * *", "'24' in '* 24 * * *' is not a number from 0 to 23")]
    [InlineData("* * 0 * *", "is not a number from 1 to 31")]
    [InlineData("* * * 13 *", "is not a number from 1 to 12")]
    // Kubernetes knows Sunday only as 0.
    [InlineData("* * * * 7", "is not a number from 0 to 6")]
    [InlineData("* * * * sun", "'sun' in '* * * * sun' is not a number from 0 to 6")]
    [InlineData("@daily", "has 1 fields instead of 5")]
    [InlineData("-1 * * * *", "is not a number")]
    [InlineData("+1 * * * *", "is not a number")]
    [InlineData("1- * * * *", "is not a number")]
    [InlineData("1-2-3 * * * *", "is not a range")]
    [InlineData("20-10 * * * *", "is an empty range")]
    [InlineData("*/0 * * * *", "'0' in '*/0 * * * *' is not a number from 1 to 59")]
    [InlineData("*/2/2 * * * *", "has more than one step")]
    // cron refuses it, Kubernetes reads 5-59/10.
    [InlineData("5/10 * * * *", "is a step of neither * nor a range")]
    [InlineData("1,,2 * * * *", "'' in '1,,2 * * * *' is not a number")]
    [InlineData("0 0 1 * 1", "restricts the day of the month and of the week")]
    [InlineData("0 0 31 2 *", "never comes")]
    public void What_schedulers_read_differently_or_not_at_all_is_refused(string schedule, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => new CronSchedule(schedule)).Message, StringComparison.Ordinal);

    private static string SomeField(Random random, int first, int last)
    {
        return string.Join(',', Enumerable.Range(0, random.Next(1, 4)).Select(_ => Part()));

        string Part()
        {
            var (a, b) = (random.Next(first, last + 1), random.Next(first, last + 1));
            return random.Next(6) switch
            {
                0 or 1 => "*",
                2 => $"*/{random.Next(1, last + 1)}",
                3 => $"{Math.Min(a, b)}-{Math.Max(a, b)}/{random.Next(1, last + 1)}",
                4 => $"{Math.Min(a, b)}-{Math.Max(a, b)}",
                _ => $"{a}",
            };
        }
    }

    private static bool Holds(string field, int value, int first) => field.Split(',').Any(part =>
    {
        var (range, step) = part.Contains('/') ? (part.Split('/')[0], int.Parse(part.Split('/')[1])) : (part, 1);
        var (from, to) = range == "*" ? (first, int.MaxValue) : (int.Parse(range.Split('-')[0]), int.Parse(range.Split('-')[^1]));
        return value >= from && value <= to && (value - from) % step == 0;
    });
}
