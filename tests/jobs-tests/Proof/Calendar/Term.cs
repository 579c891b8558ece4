using Jobs.Billing;

namespace Jobs.Tests.Proof.Calendar;

/// <summary>What a renewal must grant, by the rule in words and no code of the product.</summary>
internal static class Term
{
    public const string Units = "day week month year";

    /// <summary>The same local time of day; months and years end on the anchor day, or on the last of a month that is too short.</summary>
    public static DateTime End(DateTime start, string unit, int count, int anchor, WallClock zone)
    {
        var local = zone.Local(start);
        var date = unit switch
        {
            "day" => local.Date.AddDays(count),
            "week" => local.Date.AddDays(7 * count),
            "month" => Months.Later(local.Date, count, anchor),
            _ => Months.Later(local.Date, 12 * count, anchor),
        };
        return zone.Instant(date + local.TimeOfDay);
    }

    /// <summary>From the old end; after more than the grace of 3 times 24 hours from now, and today is the new anchor.</summary>
    public static (DateTime End, int Anchor) Renewed(DateTime end, int? anchor, string unit, int count, DateTime now, WallClock zone)
    {
        var start = now - end > TimeSpan.FromHours(72) ? now : end;
        var day = start == end && anchor is { } given ? given : zone.Local(start).Day;
        return (End(start, unit, count, day, zone), day);
    }

    public static BusinessZone Zone(this WallClock zone) => new(zone.Id);
}
