using System.Globalization;
using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>
/// When a renewal is tried again and when it is too late, in days after the period's end. Retries after the grace would
/// never happen, so such a policy is refused at start.
/// </summary>
public sealed class RenewalPolicy
{
    /// <param name="retryDays">Days after the period's end on which a softly declined renewal is tried again.</param>
    /// <param name="graceDays">Days of 24 hours after the period's end after which the subscription expires.</param>
    public RenewalPolicy(IReadOnlyList<int> retryDays, int graceDays)
    {
        (RetryDays, GraceDays) = (retryDays, graceDays);
        if (graceDays is < 1 or > 60)
        {
            throw new OperatorException($"RENEWAL_GRACE_DAYS must be between 1 and 60, not {graceDays}");
        }

        if (retryDays.Any(d => d < 1) || retryDays.Zip(retryDays.Skip(1)).Any(p => p.First >= p.Second))
        {
            throw new OperatorException("RENEWAL_RETRY_DAYS must be days after the period's end in rising order, such as 1,2,3");
        }

        if (retryDays.Count > 0 && retryDays[^1] > graceDays)
        {
            throw new OperatorException(
                $"the last retry is on day {retryDays[^1]} (RENEWAL_RETRY_DAYS) but expiry on day {graceDays} (RENEWAL_GRACE_DAYS): it would never happen; shorten the one or lengthen the other");
        }

        if (retryDays.Count > 7)
        {
            throw new OperatorException("RENEWAL_RETRY_DAYS has more than 7 days: card networks limit attempts, 8 a renewal in all is the most");
        }
    }

    public static readonly RenewalPolicy Default = new([1, 2, 3], 3);

    public static RenewalPolicy From(Settings settings) => new(
        settings.Optional("RENEWAL_RETRY_DAYS") is { } days ? [.. days.Split(',').Select(d => Day(d, "RENEWAL_RETRY_DAYS"))] : Default.RetryDays,
        settings.Optional("RENEWAL_GRACE_DAYS") is { } grace ? Day(grace, "RENEWAL_GRACE_DAYS") : Default.GraceDays);

    public IReadOnlyList<int> RetryDays { get; }
    public int GraceDays { get; }
    public TimeSpan Grace => TimeSpan.FromDays(GraceDays);

    /// <summary>Strictly more than the grace has passed since the period's end.</summary>
    public bool IsLapsed(DateTime endedAt, DateTime now) => now - endedAt > Grace;

    /// <returns>The start of the next retry day after a decline at <paramref name="now"/>; null when the retries are spent.</returns>
    public DateTime? NextAttempt(DateTime endedAt, DateTime now, BusinessZone zone)
    {
        var end = zone.Date(endedAt);
        return RetryDays
            .Select(d => zone.StartOfDay(end.AddDays(d)))
            .Where(at => at > now)
            .Cast<DateTime?>()
            .FirstOrDefault();
    }

    private static int Day(string text, string name) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var day)
            ? day
            : throw new OperatorException($"{name} must be whole days, not '{text.Trim()}'");
}
