using Jobs.Billing;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Billing;

public sealed class BusinessZoneTests
{
    [Theory]
    [MemberData(nameof(BillingPeriodTests.Zones), MemberType = typeof(BillingPeriodTests))]
    public void Every_hour_of_five_years_is_of_the_day_the_oracle_says(string id)
    {
        var (zone, oracle) = (new BusinessZone(id), TimeZoneInfo.FindSystemTimeZoneById(id));
        for (var at = new DateTime(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc); at.Year < 2029; at = at.AddHours(1))
        {
            var expected = DateOnly.FromDateTime(TimeZoneInfo.ConvertTimeFromUtc(at, oracle));
            if (zone.Date(at) != expected)
            {
                Assert.Fail($"{id} {at:u}: expected {expected:o}, got {zone.Date(at):o}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(BillingPeriodTests.Zones), MemberType = typeof(BillingPeriodTests))]
    public void A_day_begins_with_its_first_instant(string id)
    {
        var zone = new BusinessZone(id);
        for (var day = new DateOnly(2024, 1, 1); day.Year < 2029; day = day.AddDays(1))
        {
            var start = zone.StartOfDay(day);
            Assert.Equal(day, zone.Date(start));
            Assert.Equal(day.AddDays(-1), zone.Date(start.AddTicks(-1)));
        }
    }

    [Fact]
    public void A_day_whose_midnight_is_skipped_begins_after_the_gap() =>
        Assert.Equal(new DateTime(2024, 4, 25, 22, 0, 0, DateTimeKind.Utc), new BusinessZone("Africa/Cairo").StartOfDay(new DateOnly(2024, 4, 26)));

    [Theory]
    [InlineData("Paris")]
    [InlineData("Europe/Pariss")]
    [InlineData("../etc/passwd")]
    public void An_unknown_zone_is_refused_when_the_settings_are_read(string id) =>
        Assert.Contains(
            $"not '{id}'",
            Assert.Throws<OperatorException>(() => BusinessZone.From(new Settings(new Dictionary<string, string> { ["JOBS_TIME_ZONE"] = id }))).Message,
            StringComparison.Ordinal);
}
