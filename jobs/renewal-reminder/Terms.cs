namespace Jobs;

/// <summary>What may end soon and who pays to go on: a batch of the terms that end before @Until, in the order of their ends.</summary>
public static class Terms
{
    // Stripe Billing writes of its own subscriptions itself, and alone knows the amount. Whom autopayment may charge only after
    // a notice is written to as long as it might, also when the period has ended.
    public static string Subscriptions(bool noticeRequired) =>
        $"""
        SELECT s.id, s.user_id, s.ended_at, (s.ended_at AT TIME ZONE @Zone)::date AS ends_on,
               p.interval_count * CASE p.interval_unit WHEN 'day' THEN 1 WHEN 'week' THEN 7 WHEN 'month' THEN 31 ELSE 366 END AS days,
               jsonb_build_object('plan_code', p.code, 'plan_name', p.name, 'amount_minor', p.amount_minor, 'currency', p.currency,
                   'auto_renew', true) AS about
        FROM subscriptions AS s
        JOIN plans AS p ON p.id = s.plan_id
        WHERE s.status {(noticeRequired ? "IN ('active', 'past_due') AND s.next_attempt_at IS DISTINCT FROM 'infinity'" : "= 'active'")}
          AND s.auto_renew AND NOT s.cancel_at_period_end
          AND p.recurring AND s.provider_subscription_id IS NULL
          AND s.ended_at < @Until AND (s.ended_at, s.id) > (@AfterEnd, @AfterId)
          AND (@Only::bigint IS NULL OR s.user_id = @Only)
          AND (@Count = 1 OR s.user_id % @Count = @Index)
        ORDER BY s.ended_at, s.id
        LIMIT @Size
        """;

    // The price is that of the next term: of a circus membership the upgrade's, for whoever is a basic member today.
    public const string Memberships =
        """
        SELECT m.id, m.user_id, m.end_date::timestamp AS ended_at, m.end_date AS ends_on, m.end_date - m.start_date + 1 AS days,
               jsonb_build_object('type', m.type, 'reduced_price', m.reduced_price, 'amount_minor', price.amount_minor,
                   'currency', price.currency, 'auto_renew', false) AS about
        FROM memberships AS m
        LEFT JOIN payments AS paid ON paid.id = m.payment_id
        LEFT JOIN LATERAL (
            SELECT c.amount_minor, c.currency
            FROM membership_prices AS c
            WHERE c.type = m.type AND c.reduced_price = m.reduced_price
              AND (NOT c.upgrade OR EXISTS (
                  SELECT FROM memberships AS basic
                  WHERE basic.user_id = m.user_id AND basic.type = 'basic' AND basic.canceled_at IS NULL
                    AND @Today BETWEEN basic.start_date AND basic.end_date))
            ORDER BY (c.currency = paid.currency) DESC NULLS LAST, c.upgrade DESC, c.currency
            LIMIT 1
        ) AS price ON true
        WHERE m.canceled_at IS NULL AND m.end_date < @UntilDay AND (m.end_date, m.id) > (@AfterDay, @AfterId)
          AND NOT EXISTS (
              SELECT FROM memberships AS later
              WHERE later.user_id = m.user_id AND later.type = m.type AND later.canceled_at IS NULL AND later.end_date > m.end_date)
          AND (@Only::bigint IS NULL OR m.user_id = @Only)
          AND (@Count = 1 OR m.user_id % @Count = @Index)
        ORDER BY m.end_date, m.id
        LIMIT @Size
        """;
}
