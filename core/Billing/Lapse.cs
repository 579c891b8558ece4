namespace Jobs.Billing;

/// <summary>
/// Which lapsed subscriptions expire-subscriptions leaves, and why: the one definition, for the job and for whoever foretells what it will
/// do. Conditions on s, a subscription whose period ended more than the grace ago.
/// </summary>
public static class Lapse
{
    /// <summary>What the ledger says of autopayment: an <see cref="AutopaymentLedger"/>. A sharded success counts when every shard has one.</summary>
    /// <remarks>
    /// BETWEEN and ORDER BY job: else the planner may go by age, through all runs of the others since its last one. What the last 1,000 successes
    /// do not show is no success: more is held, nothing less.
    /// </remarks>
    public const string Autopayment =
        """
        SELECT (SELECT true FROM job_runs WHERE job BETWEEN 'autopayment' AND 'autopayment' ORDER BY job, started_at DESC LIMIT 1) IS NOT NULL AS known,
               EXISTS (SELECT FROM job_pauses WHERE job = 'autopayment' AND (until IS NULL OR until > clock_timestamp()))
               OR EXISTS (SELECT FROM job_runs WHERE job = 'autopayment' AND status = 'running')
               OR coalesce((SELECT status IN ('failed', 'interrupted') FROM job_runs
                            WHERE job BETWEEN 'autopayment' AND 'autopayment' AND status <> 'skipped'
                            ORDER BY job, started_at DESC LIMIT 1), false) AS down,
               (SELECT max(since) FROM (
                    SELECT min(latest) AS since
                    FROM (SELECT coalesce(shard, '0/1') AS shard, max(coalesce(as_of, started_at)) AS latest
                          FROM (SELECT shard, as_of, started_at FROM job_runs
                                WHERE job BETWEEN 'autopayment' AND 'autopayment' AND status = 'succeeded' AND NOT partial
                                ORDER BY job, started_at DESC LIMIT 1000) AS latest
                          GROUP BY 1) AS success
                    GROUP BY split_part(shard, '/', 2)
                    HAVING count(*) = split_part(shard, '/', 2)::int) AS complete) AS last_success
        """;

    private const string Untried =
        """
        s.auto_renew AND NOT s.cancel_at_period_end
            AND EXISTS (SELECT FROM plans AS p WHERE p.id = s.plan_id AND p.recurring)
            AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id
                            AND a.period_start >= (s.ended_at AT TIME ZONE @Zone)::date)
        """;

    /// <summary>An outage of ours cuts nobody off. Needs @Down, @LastSuccess and @Zone.</summary>
    public const string Held =
        $"""
        (@Down OR s.ended_at > coalesce(@LastSuccess::timestamptz, '-infinity')) AND {Untried}
        """;

    /// <summary>
    /// Until autopayment has had a run in which it might charge. Whom every notice failed to reach waits for nothing more, nor
    /// does who has no address. Needs @NoticedBy and @Zone.
    /// </summary>
    public const string AwaitsNotice =
        $"""
        {Untried}
            AND EXISTS (SELECT FROM users AS u WHERE u.id = s.user_id AND btrim(u.email) <> '')
            AND coalesce((SELECT bool_or(n.status <> 'failed') AND NOT bool_or(n.status = 'sent' AND n.sent_at <= @NoticedBy)
                          FROM notifications AS n WHERE {RenewalNotice.OfThisPeriod}), true)
        """;

    /// <summary>A charge is in flight: its result decides.</summary>
    public const string InFlight =
        "EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.status IN ('pending', 'processing', 'requires_action'))";

    /// <summary>Its money is parked: who resolves it decides.</summary>
    public const string Parked =
        """
        EXISTS (SELECT FROM unmatched_payments AS u JOIN payments AS a ON a.id = u.payment_id
                WHERE a.subscription_id = s.id AND u.resolved_at IS NULL AND u.reason <> 'duplicate')
        """;

    /// <summary>Either of them, for one row. For many each is looked for by itself: PostgreSQL makes a join of it, but not of both in one OR.</summary>
    public const string Waiting = $"{InFlight} OR {Parked}";

    /// <summary>Of active and past_due ones; Stripe Billing's own are left to it. Needs @Before: now less the grace.</summary>
    public const string IsLapsed = "s.status IN ('active', 'past_due') AND s.provider_subscription_id IS NULL AND s.ended_at < @Before";
}

/// <summary>What the ledger says of autopayment.</summary>
public sealed class AutopaymentLedger
{
    /// <summary>There is any run of it.</summary>
    public bool Known { get; init; }

    /// <summary>Paused, running, or its last run did not succeed.</summary>
    public bool Down { get; init; }

    public DateTime? LastSuccess { get; init; }

    /// <summary>Without this nothing can be held, and the rows need not be asked one by one.</summary>
    /// <param name="before">Periods that ended before then have lapsed.</param>
    public bool MayHold(DateTime before) => Down || (Known && !(LastSuccess >= before));

    /// <summary>When a notice must have been sent so that autopayment could have charged after it.</summary>
    public DateTime? NoticedBy(DateTime now, TimeSpan? notice) => (LastSuccess < now ? LastSuccess : now) - notice;
}
