using System.Globalization;
using Jobs.Billing;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Billing;

public sealed class RenewalPolicyTests
{
    private static readonly BusinessZone Paris = new("Europe/Paris");

    [Fact]
    public void The_default_is_three_daily_retries_within_three_days()
    {
        var policy = From(null, null);
        Assert.Equal([1, 2, 3], policy.RetryDays);
        Assert.Equal(TimeSpan.FromHours(72), policy.Grace);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void Lapsed_is_strictly_more_than_the_grace(int ticksMore, bool lapsed)
    {
        var end = Utc("2026-03-27T10:00:00Z");
        Assert.Equal(lapsed, From(null, null).IsLapsed(end, end.AddHours(72).AddTicks(ticksMore)));
    }

    [Theory]
    [InlineData("2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z", "2026-11-20T23:00:00Z")]
    [InlineData("2026-11-20T09:00:00Z", "2026-11-20T22:59:59Z", "2026-11-20T23:00:00Z")]
    [InlineData("2026-11-20T09:00:00Z", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z")]
    [InlineData("2026-11-20T23:30:00Z", "2026-11-20T23:30:00Z", "2026-11-21T23:00:00Z")]
    [InlineData("2026-11-20T09:00:00Z", "2026-11-22T23:00:00Z", null)]
    // Across the nights on which the clock moves, a retry day still begins at local midnight.
    [InlineData("2026-03-28T09:00:00Z", "2026-03-29T09:00:00Z", "2026-03-29T22:00:00Z")]
    [InlineData("2026-10-24T09:00:00Z", "2026-10-25T09:00:00Z", "2026-10-25T23:00:00Z")]
    public void The_next_attempt_is_the_start_of_the_next_retry_day(string end, string now, string? next) =>
        Assert.Equal(next is null ? null : Utc(next), From(null, null).NextAttempt(Utc(end), Utc(now), Paris));

    [Fact]
    public void Every_retry_day_begins_before_expiry_but_for_the_doubled_hour_of_autumn()
    {
        var policy = From("1,2,3", "3");
        for (var end = Utc("2026-01-01T00:00:00Z"); end.Year == 2026; end = end.AddMinutes(397))
        {
            var now = end;
            var attempts = 0;
            while (policy.NextAttempt(end, now, Paris) is { } next)
            {
                Assert.True(next > now);
                // Retry days are local, the grace is elapsed time: in autumn the doubled hour may lie between the two.
                Assert.False(policy.IsLapsed(end.AddHours(1), next), $"{end:u}: retry at {next:u}");
                now = next;
                attempts++;
            }

            Assert.Equal(3, attempts);
        }
    }

    [Theory]
    [InlineData("1,3,7", "3", "last retry is on day 7 (RENEWAL_RETRY_DAYS) but expiry on day 3 (RENEWAL_GRACE_DAYS)")]
    [InlineData("4", null, "last retry is on day 4 (RENEWAL_RETRY_DAYS) but expiry on day 3 (RENEWAL_GRACE_DAYS)")]
    [InlineData(null, "2", "last retry is on day 3 (RENEWAL_RETRY_DAYS) but expiry on day 2 (RENEWAL_GRACE_DAYS)")]
    [InlineData("2,1", "9", "rising order")]
    [InlineData("0", "9", "rising order")]
    [InlineData("one", "9", "whole days, not 'one'")]
    [InlineData("1", "99999999999", "RENEWAL_GRACE_DAYS must be whole days")]
    public void A_policy_that_contradicts_itself_is_refused(string? retries, string? grace, string why) =>
        Assert.Contains(why, Assert.Throws<OperatorException>(() => From(retries, grace)).Message, StringComparison.Ordinal);

    private static RenewalPolicy From(string? retries, string? grace)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        if (retries is not null)
        {
            values["RENEWAL_RETRY_DAYS"] = retries;
        }

        if (grace is not null)
        {
            values["RENEWAL_GRACE_DAYS"] = grace;
        }

        return RenewalPolicy.From(new Settings(values));
    }

    private static DateTime Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture).UtcDateTime;
}
