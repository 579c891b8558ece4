using NodaTime;

namespace Jobs.Billing;

/// <summary>How long a plan's period is: plans.interval_unit and interval_count.</summary>
public readonly record struct Interval(string Unit, int Count);

/// <summary>The calendar of billing: pure, in the business zone.</summary>
public static class BillingPeriod
{
    /// <summary>
    /// The end of the period that begins at <paramref name="start"/>: the same local time of day, for months and years on
    /// the anchor day clamped to the month (31 Jan, 28 Feb, 31 Mar).
    /// </summary>
    /// <param name="anchorDay">1 to 31.</param>
    public static DateTime End(DateTime start, Interval interval, int anchorDay, BusinessZone zone)
    {
        var local = zone.Local(start);
        return zone.Instantly(interval.Unit switch
        {
            "day" => local.PlusDays(interval.Count),
            "week" => local.PlusWeeks(interval.Count),
            "month" => OnAnchor(local, interval.Count, anchorDay),
            "year" => OnAnchor(local, checked(12 * interval.Count), anchorDay),
            _ => throw new ArgumentOutOfRangeException(nameof(interval), interval.Unit, "not an interval unit"),
        });
    }

    public static int AnchorDay(DateTime start, BusinessZone zone) => zone.Local(start).Day;

    private static LocalDateTime OnAnchor(LocalDateTime start, int months, int anchorDay)
    {
        var month = new LocalDate(start.Year, start.Month, 1).PlusMonths(months);
        var day = Math.Min(anchorDay, month.Calendar.GetDaysInMonth(month.Year, month.Month));
        return month.PlusDays(day - 1) + start.TimeOfDay;
    }
}
