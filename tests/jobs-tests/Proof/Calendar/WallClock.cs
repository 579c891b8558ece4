namespace Jobs.Tests.Proof.Calendar;

/// <summary>
/// The clocks on the walls of a zone by the rule that its law writes down, worked out by hand: neither the product's time zone library nor the
/// machine's files have a say. Good for 2024 and later, as long as the law stays.
/// </summary>
/// <param name="Id">As the product and PostgreSQL know the zone.</param>
/// <param name="Standard">Ahead of UTC in winter.</param>
/// <param name="Saving">How far the clocks are put forward.</param>
/// <param name="Changes">The instants of a year at which they are put forward and back; null: never.</param>
internal sealed record WallClock(string Id, TimeSpan Standard, TimeSpan Saving = default, Func<int, (DateTime Forward, DateTime Back)>? Changes = null)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    /// <summary>Where clocks are moved: at one instant in all of Europe, at midnight, by half an hour, in the southern winter, across the date.</summary>
    public static readonly WallClock[] Moved =
    [
        new("Europe/Paris", Hour, Hour, Europe),
        new("Atlantic/Azores", -Hour, Hour, Europe), // From 00:00 to 01:00.
        new("America/Nuuk", -2 * Hour, Hour, Europe), // From 23:00 to 00:00, the next day.
        new("America/New_York", -5 * Hour, Hour, year => America(year, -5)),
        new("America/St_Johns", -3.5 * Hour, Hour, year => America(year, -3.5)),
        new("Africa/Cairo", 2 * Hour, Hour, year => (LastOf(year, 4, DayOfWeek.Friday).AddHours(-2), LastOf(year, 10, DayOfWeek.Thursday).AddHours(24 - 3))),
        new("America/Santiago", -4 * Hour, Hour, year => (From(year, 9, 2, DayOfWeek.Sunday).AddHours(4), From(year, 4, 2, DayOfWeek.Sunday).AddHours(3))),
        new("Australia/Lord_Howe", 10.5 * Hour, 0.5 * Hour, year =>
            (From(year, 10, 1, DayOfWeek.Sunday).AddHours(2 - 10.5), From(year, 4, 1, DayOfWeek.Sunday).AddHours(2 - 11))),
        new("Pacific/Chatham", 12.75 * Hour, Hour, year =>
            (LastOf(year, 9, DayOfWeek.Sunday).AddHours(2 - 12), From(year, 4, 1, DayOfWeek.Sunday).AddHours(3 - 13))),
    ];

    /// <summary>Every other offset that a place on Earth has. Etc/GMT+12 is twelve hours behind UTC: the sign is POSIX's.</summary>
    public static readonly WallClock[] Fixed =
    [
        .. Enumerable.Range(-12, 27).Select(hours => new WallClock(hours == 0 ? "Etc/UTC" : $"Etc/GMT{-hours:+0;-0}", hours * Hour)),
        new("Pacific/Niue", -11 * Hour), new("Pacific/Marquesas", -9.5 * Hour), new("Asia/Tehran", 3.5 * Hour), new("Asia/Kabul", 4.5 * Hour),
        new("Asia/Kolkata", 5.5 * Hour), new("Asia/Kathmandu", 5.75 * Hour), new("Asia/Yangon", 6.5 * Hour), new("Australia/Eucla", 8.75 * Hour),
        new("Australia/Darwin", 9.5 * Hour), new("Pacific/Kiritimati", 14 * Hour),
    ];

    public static readonly WallClock[] All = [.. Moved, .. Fixed];

    /// <summary>All, or those whose clocks move and the two ends of the day.</summary>
    public static IEnumerable<WallClock> Tried => Evidence.Full ? All : [.. Moved, .. Fixed.Where(zone => zone.Id is "Etc/GMT+12" or "Pacific/Kiritimati" or "Asia/Kathmandu")];

    public static WallClock Paris => Moved[0];

    private TimeSpan Offset(DateTime instant)
    {
        if (Changes is null)
            return Standard;
        var (forward, back) = Changes(instant.Year);
        var saving = forward < back ? instant >= forward && instant < back : instant >= forward || instant < back;
        return saving ? Standard + Saving : Standard;
    }

    public DateTime Local(DateTime instant) => DateTime.SpecifyKind(instant + Offset(instant), DateTimeKind.Unspecified);

    public DateTime Date(DateTime instant) => Local(instant).Date;

    /// <summary>The first instant at which the clocks show it; a time they skip is shown as late as they are put forward.</summary>
    public DateTime Instant(DateTime local)
    {
        // In summer they show it earlier than in winter.
        foreach (var offset in new[] { Standard + Saving, Standard })
        {
            if (Offset(Utc(local - offset)) == offset)
                return Utc(local - offset);
        }

        return Utc(local - Standard);
    }

    public DateTime StartOfDay(DateTime date)
    {
        // Where midnight is skipped, the day begins with what they show instead.
        var instant = Instant(date.Date);
        if (Local(instant) == date.Date)
            return instant;
        var (forward, _) = Changes!(instant.Year);
        return forward;
    }

    /// <summary>How many hours a local day has.</summary>
    public double Length(DateTime date) => (StartOfDay(date.AddDays(1)) - StartOfDay(date)).TotalHours;

    /// <summary>Both nights on which clocks move in that year; none where they do not.</summary>
    public DateTime[] ChangesOf(int year) => Changes is null ? [] : [Changes(year).Forward, Changes(year).Back];

    public override string ToString() => Id;

    private static DateTime Utc(DateTime time) => DateTime.SpecifyKind(time, DateTimeKind.Utc);

    private static (DateTime Forward, DateTime Back) Europe(int year) =>
        (LastOf(year, 3, DayOfWeek.Sunday).AddHours(1), LastOf(year, 10, DayOfWeek.Sunday).AddHours(1));

    private static (DateTime Forward, DateTime Back) America(int year, double standard) =>
        (From(year, 3, 8, DayOfWeek.Sunday).AddHours(2 - standard), From(year, 11, 1, DayOfWeek.Sunday).AddHours(2 - (standard + 1)));

    private static DateTime From(int year, int month, int day, DayOfWeek weekday)
    {
        var date = new DateTime(year, month, day, 0, 0, 0, DateTimeKind.Utc);
        while (date.DayOfWeek != weekday)
            date = date.AddDays(1);
        return date;
    }

    private static DateTime LastOf(int year, int month, DayOfWeek weekday)
    {
        var date = new DateTime(year, month, Months.Length(year, month), 0, 0, 0, DateTimeKind.Utc);
        while (date.DayOfWeek != weekday)
            date = date.AddDays(-1);
        return date;
    }
}

/// <summary>The lengths of months as children learn them.</summary>
internal static class Months
{
    public static int Length(int year, int month) => month switch
    {
        2 => year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    /// <summary>That many months on, on that day or, where the month is too short, on its last.</summary>
    public static DateTime Later(DateTime date, int months, int day)
    {
        var (year, month) = (date.Year, date.Month);
        for (; months > 0; months--)
            (year, month) = month == 12 ? (year + 1, 1) : (year, month + 1);
        for (; months < 0; months++)
            (year, month) = month == 1 ? (year - 1, 12) : (year, month - 1);
        return new DateTime(year, month, Math.Min(day, Length(year, month)));
    }
}
