namespace Jobs.Billing;

/// <summary>
/// Which renewals autopayment charges: the one definition, asked when it plans, when it reads, under lock before a charge, and by whoever
/// foretells what it will do. Conditions on s, a subscription, p, its plan, and u, its user.
/// </summary>
public static class Renewal
{
    /// <summary>Whoever may be charged at all, now and before a replay. Needs @EndOfToday.</summary>
    public const string Chargeable =
        """
        s.status IN ('active', 'past_due') AND s.auto_renew AND NOT s.cancel_at_period_end AND p.recurring
        AND s.provider_subscription_id IS NULL AND s.ended_at < @EndOfToday
        """;

    /// <summary>A period that was paid once is never charged again, refunded or not. Needs @EndOfToday, @Now and @Zone.</summary>
    public const string Due =
        $"""
        {Chargeable}
        AND (s.next_attempt_at IS NULL OR s.next_attempt_at <= @Now)
        AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.status IN ('pending', 'processing', 'requires_action'))
        AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.period_start = (s.ended_at AT TIME ZONE @Zone)::date
                        AND a.status IN ('succeeded', 'refunded', 'disputed'))
        AND NOT EXISTS (SELECT FROM unmatched_payments AS parked JOIN payments AS a ON a.id = parked.payment_id
                        WHERE a.subscription_id = s.id AND parked.resolved_at IS NULL AND parked.reason <> 'duplicate')
        """;

    /// <summary>
    /// method.usable: the method of the last payment, else the user's default. One that asked for the customer's authentication in this
    /// period is not asked again blindly (method.awaits). Needs @Zone.
    /// </summary>
    public const string Method =
        """
        LEFT JOIN payments AS last ON last.id = s.payment_id
        LEFT JOIN LATERAL (
            SELECT array_agg(candidate.id ORDER BY candidate.rank) FILTER (WHERE NOT candidate.awaits) AS usable,
                   bool_or(candidate.awaits) AS awaits
            FROM (
                SELECT m.rank, m.id,
                       EXISTS (SELECT FROM payments AS a
                               WHERE a.subscription_id = s.id AND a.provider_payment_method_id = m.id
                                 AND a.failure_code = 'authentication_required'
                                 AND a.period_start >= (s.ended_at AT TIME ZONE @Zone)::date) AS awaits
                FROM (VALUES (1, last.provider_payment_method_id), (2, u.default_payment_method_id)) AS m (rank, id)
                WHERE m.id IS NOT NULL AND u.provider_customer_id IS NOT NULL
                  AND NOT EXISTS (SELECT FROM blocked_payment_methods AS b WHERE b.provider_payment_method_id = m.id)
            ) AS candidate
        ) AS method ON true
        """;

    /// <summary>How long an attempt whose answer was lost may be sent again: Stripe forgets a key after 24 h and would then charge again.</summary>
    public static readonly TimeSpan KeyLife = TimeSpan.FromHours(23);

    /// <summary>"Due today" is by calendar day in the business zone.</summary>
    public static DateTime EndOfToday(BusinessZone zone, DateTime now) => zone.StartOfDay(zone.Date(now).AddDays(1));
}
