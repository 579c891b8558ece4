using Jobs.Runs;
using NodaTime;
using NodaTime.TimeZones;

namespace Jobs.Billing;

/// <summary>The zone in which the business counts its days (JOBS_TIME_ZONE, default Europe/Paris).</summary>
public sealed class BusinessZone
{
    // Reading the zone data costs more than all else in a run that finds nothing to do.
    private readonly Lazy<DateTimeZone> _zone;

    public BusinessZone(string id)
    {
        Id = id;
        _zone = new(() => Find(id));
    }

    private static DateTimeZone Find(string id)
    {
        try
        {
            return DateTimeZoneProviders.Tzdb[id];
        }
        catch (DateTimeZoneNotFoundException e)
        {
            throw new OperatorException($"JOBS_TIME_ZONE must be an IANA time zone such as Europe/Paris, not '{id}'", e);
        }
    }

    private const string Default = "Europe/Paris";

    /// <summary>A zone that is named is looked up at once: PostgreSQL would meet a wrong one only with the first row.</summary>
    public static BusinessZone From(Settings settings)
    {
        var zone = new BusinessZone(settings.Optional("JOBS_TIME_ZONE") ?? Default);
        if (zone.Id != Default)
        {
            _ = zone._zone.Value;
        }

        return zone;
    }

    /// <summary>As PostgreSQL knows it too.</summary>
    public string Id { get; }

    public DateOnly Date(DateTime instant) => Local(instant).Date.ToDateOnly();

    /// <returns>The first instant of the day, which on some DST nights is not midnight.</returns>
    public DateTime StartOfDay(DateOnly date) => _zone.Value.AtStartOfDay(LocalDate.FromDateOnly(date)).ToDateTimeUtc();

    /// <summary>What a clock on the wall says then, and how far it is from UTC.</summary>
    public DateTimeOffset OnTheWall(DateTime instant) =>
        Instant.FromDateTimeUtc(DateTime.SpecifyKind(instant, DateTimeKind.Utc)).InZone(_zone.Value).ToDateTimeOffset();

    /// <summary>
    /// The instants of a schedule at or after this one, in order; endless. A local time that a change of the clock skips is none, one
    /// that comes twice is two, as Kubernetes counts them.
    /// </summary>
    public IEnumerable<DateTime> Instants(CronSchedule schedule, DateTime from)
    {
        var start = Instant.FromDateTimeUtc(DateTime.SpecifyKind(from, DateTimeKind.Utc));
        foreach (var interval in _zone.Value.GetZoneIntervals(start, Instant.MaxValue))
        {
            var offset = interval.WallOffset.ToTimeSpan();
            var first = interval.HasStart && interval.Start > start ? interval.IsoLocalStart.ToDateTimeUnspecified() : from + offset;
            var end = interval.HasEnd ? interval.IsoLocalEnd.ToDateTimeUnspecified() : DateTime.MaxValue;
            foreach (var local in schedule.From(first).TakeWhile(local => local < end))
            {
                yield return DateTime.SpecifyKind(local - offset, DateTimeKind.Utc);
            }
        }
    }

    /// <summary>When the clocks on the wall are put forward or back after <paramref name="from"/> and before <paramref name="to"/>.</summary>
    public IEnumerable<ClockChange> ClockChanges(DateTime from, DateTime to)
    {
        ZoneInterval? before = null;
        foreach (var interval in _zone.Value.GetZoneIntervals(
            Instant.FromDateTimeUtc(DateTime.SpecifyKind(from, DateTimeKind.Utc)), Instant.FromDateTimeUtc(DateTime.SpecifyKind(to, DateTimeKind.Utc))))
        {
            if (before is not null && before.WallOffset != interval.WallOffset)
            {
                yield return new ClockChange(
                    interval.Start.ToDateTimeUtc(), before.IsoLocalEnd.ToDateTimeUnspecified(), interval.IsoLocalStart.ToDateTimeUnspecified());
            }

            before = interval;
        }
    }

    internal LocalDateTime Local(DateTime instant) =>
        Instant.FromDateTimeUtc(DateTime.SpecifyKind(instant, DateTimeKind.Utc)).InZone(_zone.Value).LocalDateTime;

    /// <summary>A local time skipped by DST moves on by the gap; a doubled one is the earlier.</summary>
    internal DateTime Instantly(LocalDateTime local) => local.InZoneLeniently(_zone.Value).ToDateTimeUtc();
}

/// <summary>The clocks on the wall are put forward or back.</summary>
/// <param name="At">The instant.</param>
/// <param name="Before">What they would have shown then.</param>
/// <param name="After">What they show instead.</param>
public sealed record ClockChange(DateTime At, DateTime Before, DateTime After)
{
    /// <summary>Forward: local times are skipped. Back: they come twice.</summary>
    public bool Forward => After > Before;

    /// <summary>The local times of a schedule that are skipped, or come twice.</summary>
    public IEnumerable<DateTime> Hit(CronSchedule schedule)
    {
        var (first, end) = Forward ? (Before, After) : (After, Before);
        return schedule.From(first).TakeWhile(local => local < end);
    }
}
