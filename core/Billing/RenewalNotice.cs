using System.Globalization;
using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>
/// The notice that goes before a renewal's charge where the law wants one. One setting rules three jobs: autopayment charges
/// only after it, renewal-reminder sees to it that there is one, expire-subscriptions cuts off nobody who still waits for it.
/// </summary>
public static class RenewalNotice
{
    public static readonly JobOption<TimeSpan?> Required = new(
        "--notice-required", "duration", "Renewals are charged only after a notice was sent at least this long before: 7d, or 7 for days.",
        Parse, null);

    /// <summary>Condition on n, a mail, about the period of s, a subscription, that ends now and no other. Needs @Zone.</summary>
    public const string OfThisPeriod =
        """
        n.kind = 'renewal_reminder' AND n.subject_type = 'subscription' AND n.subject_id = s.id
        AND n.payload ->> 'ends_on' = to_char(s.ended_at AT TIME ZONE @Zone, 'YYYY-MM-DD')
        """;

    /// <summary>Condition on s, a subscription: its notice was sent by @NoticedBy.</summary>
    public const string Given =
        $"EXISTS (SELECT FROM notifications AS n WHERE {OfThisPeriod} AND n.status = 'sent' AND n.sent_at <= @NoticedBy)";

    private static TimeSpan? Parse(string text)
    {
        try
        {
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? Duration.Parse(text + "d") : Duration.Parse(text);
        }
        catch (FormatException e)
        {
            throw new FormatException("days such as 7, or a duration such as 36h or 7d (at most 3650d)", e);
        }
    }
}
