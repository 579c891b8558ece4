namespace Jobs.Billing;

/// <summary>
/// What becomes of payments whose result is not known yet: who asks Stripe about them, when, and when they are given up. One definition, for
/// the jobs and for whoever foretells what they will do. Conditions on p, a payment.
/// </summary>
public static class UnresolvedPayment
{
    /// <summary>Younger ones are asked about in every run of match-pending-payments.</summary>
    public static readonly TimeSpan FastLane = TimeSpan.FromHours(1);

    /// <summary>The key may be sent again for 23 h, and the last send may take a while to be carried out: silence after this is proof.</summary>
    public static readonly TimeSpan ProvesAbsence = TimeSpan.FromHours(25);

    /// <summary>expire-payments gives up what is pending for more than this long, unless told otherwise.</summary>
    public static readonly TimeSpan GivenUpAfter = TimeSpan.FromDays(7);

    /// <summary>match-pending-payments asks Stripe about it.</summary>
    public const string IsAskedAbout =
        "p.status IN ('pending', 'processing', 'requires_action') AND p.method = 'card' AND p.provider IS DISTINCT FROM 'sumup'";

    /// <summary>And does so now: older ones wait for their turn on the ladder. Needs @Now.</summary>
    public const string IsAskedAboutNow =
        $"{IsAskedAbout} AND (p.created_at > @Now - interval '1 hour' OR p.next_check_at IS NULL OR p.next_check_at <= @Now)";

    /// <summary>
    /// expire-payments gives it up when it is old enough. Cash, a check or a transfer has no provider to ask; only people know whether it is
    /// still to come.
    /// </summary>
    public const string MayBeGivenUp =
        """
        p.status = 'pending'
          AND (p.method = 'card_terminal' OR (p.method = 'card' AND p.provider IS DISTINCT FROM 'sumup'))
          AND NOT EXISTS (SELECT FROM payment_queue AS q WHERE q.payment_id = p.id AND q.status IN ('waiting', 'processing', 'unknown'))
        """;

    /// <returns>The instant from which on a run of match-pending-payments asks about it.</returns>
    public static DateTime AskedFrom(DateTime createdAt, DateTime? nextCheckAt, DateTime now) =>
        nextCheckAt is { } next && next > now && createdAt + FastLane <= now ? next : now;
}
