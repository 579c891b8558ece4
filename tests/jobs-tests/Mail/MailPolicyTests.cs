using System.Globalization;
using Jobs.Billing;
using Jobs.Mail;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>Quiet hours and frequency, at the very instant; Paris is an hour ahead of UTC in winter, two in summer.</summary>
public sealed class MailPolicyTests
{
    private static readonly BusinessZone Paris = new("Europe/Paris");

    [Theory]
    [InlineData("2026-11-20T06:59:59.999Z", "2026-11-20T07:00:00Z")]
    [InlineData("2026-11-20T07:00:00Z", null)]
    [InlineData("2026-11-20T19:59:59.999Z", null)]
    [InlineData("2026-11-20T20:00:00Z", "2026-11-21T07:00:00Z")]
    [InlineData("2026-11-20T23:30:00Z", "2026-11-21T07:00:00Z")]
    // The night in which the clocks go forward, at 02:00 of the 29th of March.
    [InlineData("2026-03-28T19:59:59Z", null)]
    [InlineData("2026-03-28T20:00:00Z", "2026-03-29T06:00:00Z")]
    [InlineData("2026-03-29T05:59:59Z", "2026-03-29T06:00:00Z")]
    [InlineData("2026-03-29T06:00:00Z", null)]
    // The night in which they go back, at 03:00 of the 25th of October.
    [InlineData("2026-10-24T18:59:59Z", null)]
    [InlineData("2026-10-24T19:00:00Z", "2026-10-25T07:00:00Z")]
    [InlineData("2026-10-25T06:59:59Z", "2026-10-25T07:00:00Z")]
    [InlineData("2026-10-25T07:00:00Z", null)]
    public void The_quiet_hours_begin_at_21_and_end_at_8(string now, string? until) => Assert.Equal(At(until), MailPolicy.PostponedTo(At(now)!.Value, Paris, 0, null));

    [Theory]
    [InlineData("2026-11-20T12:00:00Z", 1, "2026-11-20T08:00:00Z", null)]
    [InlineData("2026-11-20T12:00:00Z", 1, "2026-11-20T08:00:00.001Z", "2026-11-20T12:00:00.001Z")]
    // Four hours later is in the quiet hours.
    [InlineData("2026-11-20T18:00:00Z", 1, "2026-11-20T17:00:00Z", "2026-11-21T07:00:00Z")]
    // The third of a day waits for the next one, however long ago the second was.
    [InlineData("2026-11-20T19:00:00Z", 2, "2026-11-20T12:00:00Z", "2026-11-21T07:00:00Z")]
    [InlineData("2026-11-20T19:00:00Z", 1, "2026-11-20T12:00:00Z", null)]
    // Another run's clock may be a little ahead.
    [InlineData("2026-11-20T12:00:00Z", 1, "2026-11-20T12:00:01Z", "2026-11-20T16:00:01Z")]
    public void At_most_two_a_day_and_four_hours_apart(string now, int today, string last, string? until) =>
        Assert.Equal(At(until), MailPolicy.PostponedTo(At(now)!.Value, Paris, today, At(last)));

    private static DateTime? At(string? text) =>
        text is null ? null : DateTimeOffset.Parse(text, CultureInfo.InvariantCulture).UtcDateTime;
}
