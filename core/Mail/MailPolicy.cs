using Jobs.Billing;
using NodaTime;

namespace Jobs.Mail;

/// <summary>
/// When a person may be written to of what can wait: not between 21:00 and 08:00 in the business zone, at most twice a local day
/// and 4 hours apart. All other mail goes at once.
/// </summary>
public static class MailPolicy
{
    /// <summary>What can wait, and what a reader may unsubscribe from.</summary>
    public static readonly string[] NonCriticalKinds = ["renewal_reminder"];

    /// <summary>Temporary refusals after which a mail is given up.</summary>
    public const int MostAttempts = 4;

    public static readonly TimeSpan Apart = TimeSpan.FromHours(4);
    /// <summary>
    /// Condition on n, a mail: one that could wait and that the person has had lately, as far as it bears on the next. Needs @UserId, @ToAddress,
    /// @NonCriticalKinds, @Today, @Now and @Apart.
    /// </summary>
    public const string HadLately =
        """
        (n.user_id = @UserId OR (@UserId::bigint IS NULL AND n.user_id IS NULL AND n.to_address = @ToAddress))
          AND n.kind = ANY(@NonCriticalKinds) AND n.status IN ('sending', 'sent', 'unknown')
          AND n.claimed_at >= least(@Today, @Now - @Apart)
        """;

    private const int MostADay = 2;
    private const int QuietFrom = 21;
    private const int QuietUntil = 8;

    public static bool IsCritical(string kind) => !NonCriticalKinds.Contains(kind);

    /// <param name="now">The instant to send at.</param>
    /// <param name="today">Non-critical mails the person had on this local day.</param>
    /// <param name="last">When the latest of all was sent.</param>
    /// <returns>The earliest instant at which the mail may go; null: now.</returns>
    public static DateTime? PostponedTo(DateTime now, BusinessZone zone, int today, DateTime? last)
    {
        var earliest = today >= MostADay ? zone.Instantly(Opening(zone.Local(now).Date.PlusDays(1))) : now;
        if (last is { } latest && latest + Apart > earliest)
        {
            earliest = latest + Apart;
        }

        var local = zone.Local(earliest);
        if (local.Hour is < QuietUntil or >= QuietFrom)
        {
            earliest = zone.Instantly(Opening(local.Hour < QuietUntil ? local.Date : local.Date.PlusDays(1)));
        }

        return earliest > now ? earliest : null;
    }

    private static LocalDateTime Opening(LocalDate day) => day.At(new LocalTime(QuietUntil, 0));
}
