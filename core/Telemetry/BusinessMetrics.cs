using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>
/// What the database knows of the business and of all jobs together, whichever run looks: counters that outlive every run, what
/// waits and since when, the payments of the last 24 hours, results that nobody knows. One round trip; every part of it is
/// answered from an index, however large the tables.
/// </summary>
internal static class BusinessMetrics
{
    /// <param name="Labels">Of the columns before the last, which is the value.</param>
    private sealed record Figure(string Name, string Help, string[] Labels, string Sql, MetricKind Kind = MetricKind.Gauge);

    private static Figure Total(string counter, string help) => new(
        $"jobs_{counter}_total", help, [],
        $"SELECT coalesce(sum(value), 0) FROM job_totals WHERE counter = '{counter}'", MetricKind.Counter);

    private static readonly Figure[] Figures =
    [
        new("jobs_items_total", "What all runs of a job together did, by outcome as in their results.", ["job_name", "outcome"],
            "SELECT job, counter, value FROM job_totals", MetricKind.Counter),
        Total("orders_expired", "Orders that were expired."),
        Total("payment_intents_canceled", "PaymentIntents that were canceled at Stripe because nobody paid them."),
        Total("stock_released", "Pieces of stock that expired orders gave back."),
        new("jobs_expected_interval_seconds", "The longest time between two runs of a job by its schedule.", ["job_name"],
            "SELECT job, interval_seconds FROM known WHERE interval_seconds IS NOT NULL"),
        new("jobs_paused_since_timestamp_seconds", "Since when a job is paused; without a value it is not.", ["job_name"],
            "SELECT job, extract(epoch FROM created_at) FROM job_pauses WHERE until IS NULL OR until > now()"),
        // Sharded runs each for themselves: one shard's success says nothing about another.
        new("jobs_run_consecutive_failures", "Runs of a job that failed since its last success; counted up to 1000.", ["job_name", "shard"],
            """
            SELECT last.job, last.shard, failures.number
            FROM (
                SELECT DISTINCT recent.job, recent.shard
                FROM known
                CROSS JOIN LATERAL (
                    SELECT job, shard FROM job_runs WHERE job = known.job AND status <> 'skipped' ORDER BY started_at DESC LIMIT 50) AS recent) AS last
            LEFT JOIN LATERAL (
                SELECT started_at
                FROM job_runs
                WHERE job = last.job AND shard IS NOT DISTINCT FROM last.shard AND status = 'succeeded' AND NOT partial
                ORDER BY started_at DESC
                LIMIT 1) AS success ON true
            CROSS JOIN LATERAL (
                SELECT count(*) AS number
                FROM (
                    SELECT FROM job_runs
                    WHERE job = last.job AND shard IS NOT DISTINCT FROM last.shard AND status = 'failed' AND NOT partial
                      AND started_at > coalesce(success.started_at, '-infinity')
                    LIMIT 1000) AS failed) AS failures
            """),
        new("jobs_run_never_ended_timestamp_seconds",
            "When the last run of a job began that never ended - it was killed, or its host was lost - and that no success has followed; without a value there is none.", ["job_name", "shard"],
            "SELECT job, shard, extract(epoch FROM started_at) FROM lost"),
        new("jobs_run_skipped_since_never_ended", "Runs of that job that were skipped since then; counted up to 1000.", ["job_name", "shard"],
            "SELECT job, shard, skipped FROM lost"),
        new("jobs_parked_items", "Items that a job leaves alone after repeated failure, until somebody looks at them.", ["job_name"],
            "SELECT job, count(*) FROM job_item_failures WHERE parked_at IS NOT NULL GROUP BY job"),
        new("jobs_backlog_items", "What a job has to do now, or has not got done; counted up to 100000.", ["job_name"],
            "SELECT job, count(at) FROM backlog GROUP BY job"),
        new("jobs_backlog_oldest_timestamp_seconds", "Since when the oldest of a job's backlog has been due.", ["job_name"],
            "SELECT job, extract(epoch FROM min(at)) FROM backlog GROUP BY job"),
        new("jobs_subscriptions_due", "Subscriptions to be charged today or before; counted up to 100000.", [],
            "SELECT count(at) FROM backlog WHERE job = 'autopayment'"),

        new("jobs_payments_last_day", "Payments and attempts made in the last 24 hours, by what became of them.", ["method", "status"],
            "SELECT method, status, count(*) FROM payments WHERE created_at > now() - interval '24 hours' GROUP BY method, status"),
        new("jobs_payment_declines_last_day", "Attempts made in the last 24 hours that failed, by reason; the 50 most frequent.", ["code"],
            """
            SELECT coalesce(failure_code, ''), count(*)
            FROM payments
            WHERE created_at > now() - interval '24 hours' AND status = 'failed'
            GROUP BY 1
            ORDER BY 2 DESC
            LIMIT 50
            """),
        new("jobs_payments_succeeded_minor_last_day", "Money received in the last 24 hours, in minor units, refunds not taken off.", ["currency"],
            "SELECT currency, sum(amount_minor) FROM payments WHERE succeeded_at > now() - interval '24 hours' GROUP BY currency"),
        new("jobs_payments_refunded_minor_last_day", "Money given back in the last 24 hours, in minor units.", ["currency"],
            """
            SELECT p.currency, sum(r.amount_minor)
            FROM payment_refunds AS r
            JOIN payments AS p ON p.id = r.payment_id
            WHERE r.refunded_at > now() - interval '24 hours'
            GROUP BY p.currency
            """),
        new("jobs_payments_unresolved", "Payments whose result is still to come; counted up to 100000.", ["status"],
            "SELECT status, count(*) FROM unresolved GROUP BY status"),
        new("jobs_payments_oldest_unresolved_timestamp_seconds", "When the oldest of them was made.", ["status"],
            "SELECT status, extract(epoch FROM min(created_at)) FROM unresolved GROUP BY status"),
        new("jobs_unmatched_payments", "Money that arrived and could not be booked, and that nobody has settled yet, by reason.", ["reason"],
            "SELECT reason, count(*) FROM unmatched_payments WHERE resolved_at IS NULL GROUP BY reason"),
        new("jobs_unmatched_payments_oldest_timestamp_seconds", "Since when the oldest of it has waited for somebody.", [],
            "SELECT extract(epoch FROM min(created_at)) FROM unmatched_payments WHERE resolved_at IS NULL"),
        new("jobs_unknown_results", "What was sent and nobody knows what became of it: charges (payment), cards at a reader (terminal), mails.", ["kind"],
            "SELECT kind, count(at) FROM unknown GROUP BY kind"),
        new("jobs_unknown_results_oldest_timestamp_seconds", "When the oldest of these was sent.", ["kind"],
            "SELECT kind, extract(epoch FROM min(at)) FROM unknown GROUP BY kind"),
        new("jobs_terminal_queue", "Payments at the counter that wait for a card reader or its answer.", ["status"],
            "SELECT status, count(*) FROM payment_queue WHERE status IN ('waiting', 'processing', 'unknown') GROUP BY status"),
    ];

    // Each part its own index; those of a partial index repeat its condition.
    private const string Common =
        $"""
        WITH known AS (
            SELECT * FROM unnest(@Jobs::text[], @Intervals::double precision[]) AS known (job, interval_seconds)
        ),
        lost AS MATERIALIZED (
        {LostRun.Last}
        ),
        unresolved AS MATERIALIZED (
            SELECT status, created_at, next_check_at, sent_at
            FROM payments
            WHERE status IN ('pending', 'processing', 'requires_action')
            ORDER BY created_at, id
            LIMIT 100000
        ),
        -- Not what is put off: only what could have left.
        outbox AS MATERIALIZED (
            SELECT greatest(created_at, next_attempt_at) AS at
            FROM notifications
            WHERE status = 'pending' AND (next_attempt_at IS NULL OR next_attempt_at <= now())
            ORDER BY id
            LIMIT 100000
        ),
        backlog AS MATERIALIZED (
            (SELECT 'autopayment' AS job, s.ended_at AS at
             FROM subscriptions AS s
             JOIN plans AS p ON p.id = s.plan_id
             WHERE s.status IN ('active', 'past_due') AND s.provider_subscription_id IS NULL AND s.auto_renew AND NOT s.cancel_at_period_end
               AND p.recurring AND s.ended_at < @EndOfToday AND (s.next_attempt_at IS NULL OR s.next_attempt_at <= now())
               AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.status IN ('pending', 'processing', 'requires_action'))
             ORDER BY s.ended_at, s.id
             LIMIT 100000)
            UNION ALL
            (SELECT 'expire-subscriptions', ended_at
             FROM subscriptions
             WHERE status IN ('active', 'past_due') AND provider_subscription_id IS NULL AND ended_at < now() - @Grace::interval
             ORDER BY ended_at, id
             LIMIT 100000)
            UNION ALL
            (SELECT 'expire-stale-orders', expires_at
             FROM orders
             WHERE status IN ('pending_payment', 'expiring') AND expires_at < now()
             ORDER BY expires_at, id
             LIMIT 100000)
            UNION ALL
            SELECT 'match-pending-payments', coalesce(next_check_at, created_at) FROM unresolved WHERE next_check_at IS NULL OR next_check_at <= now()
            UNION ALL
            SELECT 'expire-payments', created_at FROM unresolved WHERE status = 'pending' AND created_at < now() - interval '7 days'
            UNION ALL
            SELECT 'send-notifications', at FROM outbox
            UNION ALL
            SELECT 'process-payment-queue', created_at FROM payment_queue WHERE status IN ('waiting', 'processing', 'unknown')
            UNION ALL
            -- Nothing to do is a figure too.
            SELECT unnest(ARRAY['autopayment', 'expire-subscriptions', 'expire-stale-orders', 'match-pending-payments', 'expire-payments',
                                'send-notifications', 'process-payment-queue']), NULL
        ),
        unknown AS MATERIALIZED (
            SELECT 'payment' AS kind, sent_at AS at FROM unresolved WHERE status = 'pending' AND sent_at IS NOT NULL
            UNION ALL
            SELECT 'terminal', coalesce(started_at, updated_at) FROM payment_queue WHERE status = 'unknown'
            UNION ALL
            (SELECT 'mail', coalesce(handed_over_at, created_at) FROM notifications WHERE status = 'unknown' ORDER BY created_at LIMIT 100000)
            UNION ALL
            SELECT unnest(ARRAY['payment', 'terminal', 'mail']), NULL
        )
        """;

    private static readonly string Statement = $"{Common}\n{string.Join("\nUNION ALL\n", Figures.Select(Select))}";

    // In one shape: the figure's place in the list, up to two labels, the value.
    private static string Select(Figure figure, int place)
    {
        var columns = string.Join(", ", figure.Labels.Append("value"));
        var labels = figure.Labels switch { [] => "NULL, NULL", [var one] => $"{one}::text, NULL", [var one, var two] => $"{one}::text, {two}::text", _ => throw new InvalidOperationException(figure.Name) };
        return $"SELECT {place} AS place, {labels}, value::double precision FROM ({figure.Sql}) AS f ({columns}) WHERE value IS NOT NULL";
    }

    private sealed class Row
    {
        public int Place { get; init; }
        public string? One { get; init; }
        public string? Two { get; init; }
        public double Value { get; init; }
    }

    public static async Task<IReadOnlyList<Metric>> ReadAsync(Tx tx, BusinessZone zone, TimeSpan grace, DateTime now)
    {
        var rows = await tx.QueryAsync<Row>(
            $"SELECT place, one, two, value FROM ({Statement}) AS figure (place, one, two, value) ORDER BY place, one, two",
            new
            {
                Jobs = Catalogue.Jobs.Select(job => job.Name).ToArray(),
                LostRun.Leased,
                Intervals = Catalogue.Jobs.Select(job => job.ExpectedInterval?.TotalSeconds).ToArray(),
                EndOfToday = zone.StartOfDay(zone.Date(now).AddDays(1)),
                Grace = grace,
            });
        var metrics = Figures.Select(figure => new Metric(figure.Name, figure.Help, figure.Kind)).ToList();
        foreach (var row in rows)
        {
            metrics[row.Place].Add(row.Value, [.. Figures[row.Place].Labels.Zip([row.One, row.Two]).Where(l => l.Second is not null).Select(l => (l.First, l.Second!))]);
        }

        return [.. metrics, .. await BackupsAsync(tx)];
    }

    // Whoever never made a backup here makes it otherwise.
    private const string Backups =
        """
        SELECT extract(epoch FROM coalesce(max(verified_at), 'epoch'))::double precision AS verified_at,
               (SELECT size_bytes FROM backups WHERE verified_at IS NOT NULL ORDER BY verified_at DESC LIMIT 1)::double precision AS size_bytes
        FROM backups
        HAVING count(*) > 0
        """;

    private sealed class Backup
    {
        public double VerifiedAt { get; init; }
        public double? SizeBytes { get; init; }
    }

    private static async Task<IEnumerable<Metric>> BackupsAsync(Tx tx)
    {
        var last = await tx.SingleOrDefaultAsync<Backup>(Backups);
        return
        [
            new Metric("jobs_backup_last_verified_timestamp_seconds", "When a backup was last proven by restoring it; 0: never.").Add(last?.VerifiedAt),
            new Metric("jobs_backup_last_size_bytes", "How large that backup is.").Add(last?.SizeBytes),
        ];
    }
}
