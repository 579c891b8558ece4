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

    internal LocalDateTime Local(DateTime instant) =>
        Instant.FromDateTimeUtc(DateTime.SpecifyKind(instant, DateTimeKind.Utc)).InZone(_zone.Value).LocalDateTime;

    /// <summary>A local time skipped by DST moves on by the gap; a doubled one is the earlier.</summary>
    internal DateTime Instantly(LocalDateTime local) => local.InZoneLeniently(_zone.Value).ToDateTimeUtc();
}
