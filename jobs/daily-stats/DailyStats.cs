using System.Text.Json;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Writes the figures of each complete day of the business zone, which on DST days has 23 or 25 hours, into daily_stats. The
/// same day again gives the same row. What an application keeps in the row under other names stays.
/// </summary>
public sealed class DailyStats(JobRun run, Db db, BusinessZone zone, Days days, Anomalies anomalies) : IJob
{
    // total_visits         attendances of the day
    // unique_visitors      different persons among them; guests, who cannot be told apart, are in total_visits alone
    // new_memberships      memberships granted that day, first ones and renewals
    // membership_renewals  those of them that follow an earlier one of the same person and type
    // revenue              by currency, minor units: payments that succeeded that day, less what was refunded or lost in a dispute that day
    // refunds              by currency, minor units: the latter, whenever it was paid
    // payments             payments that succeeded that day
    // new_subscriptions    those of them that were a subscription's first
    // renewals             those of them that paid for a further period of a subscription
    // orders               those of them that paid for an order
    // failures             payments begun that day that were refused and not paid since; parked money is none
    // expirations, cancellations
    //                      subscriptions that a job ended that day. Only the audit log knows when; what it no longer holds
    //                      does not lower a figure that is there.
    private const string Figures =
        """
        WITH paid AS MATERIALIZED (
            SELECT p.purpose, p.amount_minor, p.currency,
                   p.purpose = 'subscription' AND (
                       coalesce(p.period_start > (s.started_at AT TIME ZONE @Zone)::date, false)
                       OR EXISTS (SELECT FROM payments AS earlier
                                  WHERE earlier.subscription_id = p.subscription_id AND earlier.succeeded_at < p.succeeded_at
                                    AND earlier.status IN ('succeeded', 'refunded', 'disputed'))) AS is_renewal
            FROM payments AS p
            LEFT JOIN subscriptions AS s ON s.id = p.subscription_id
            WHERE p.succeeded_at >= @Start AND p.succeeded_at < @End AND p.status IN ('succeeded', 'refunded', 'disputed')
        ),
        refunded AS MATERIALIZED (
            SELECT r.amount_minor, p.currency
            FROM payment_refunds AS r
            JOIN payments AS p ON p.id = r.payment_id
            WHERE r.refunded_at >= @Start AND r.refunded_at < @End
        ),
        revenue AS (
            SELECT currency, sum(amount_minor)::bigint AS amount_minor
            FROM (SELECT currency, amount_minor FROM paid UNION ALL SELECT currency, -amount_minor FROM refunded) AS money
            GROUP BY currency
        ),
        refunds AS (
            SELECT currency, sum(amount_minor)::bigint AS amount_minor FROM refunded GROUP BY currency
        ),
        visits AS (
            SELECT count(*) AS total, count(DISTINCT user_id) AS visitors FROM attendances WHERE attended_on = @Date
        ),
        granted AS (
            SELECT count(*) AS total,
                   count(*) FILTER (WHERE EXISTS (
                       SELECT FROM memberships AS earlier
                       WHERE earlier.user_id = m.user_id AND earlier.type = m.type AND earlier.end_date < m.start_date)) AS renewals
            FROM memberships AS m
            WHERE m.created_at >= @Start AND m.created_at < @End
        ),
        refused AS (
            SELECT count(*) AS total
            FROM payments AS p
            WHERE p.created_at >= @Start AND p.created_at < @End AND p.status = 'failed'
              AND NOT EXISTS (SELECT FROM unmatched_payments AS u WHERE u.provider_payment_id = p.provider_payment_id)
        ),
        ended AS (
            SELECT count(*) FILTER (WHERE action = 'subscription.expired') AS expired,
                   count(*) FILTER (WHERE action = 'subscription.canceled') AS canceled
            FROM audit_logs
            WHERE created_at >= @Start AND created_at < @End AND action IN ('subscription.expired', 'subscription.canceled')
        )
        SELECT jsonb_build_object(
            'total_visits', visits.total,
            'unique_visitors', visits.visitors,
            'new_memberships', granted.total,
            'membership_renewals', granted.renewals,
            'revenue', coalesce((SELECT jsonb_object_agg(currency, amount_minor) FROM revenue), '{}'),
            'refunds', coalesce((SELECT jsonb_object_agg(currency, amount_minor) FROM refunds), '{}'),
            'payments', (SELECT count(*) FROM paid),
            'new_subscriptions', (SELECT count(*) FROM paid WHERE purpose = 'subscription' AND NOT is_renewal),
            'renewals', (SELECT count(*) FROM paid WHERE is_renewal),
            'orders', (SELECT count(*) FROM paid WHERE purpose = 'order'),
            'failures', refused.total,
            'expirations', greatest(to_jsonb(ended.expired), known.data -> 'expirations'),
            'cancellations', greatest(to_jsonb(ended.canceled), known.data -> 'cancellations'))::text AS data
        FROM visits CROSS JOIN granted CROSS JOIN refused CROSS JOIN ended
        LEFT JOIN daily_stats AS known ON known.stat_date = @Date
        """;

    private const string Write =
        """
        INSERT INTO daily_stats AS known (stat_date, data, updated_at)
        VALUES (@Date, @data::jsonb, clock_timestamp())
        ON CONFLICT (stat_date) DO UPDATE SET data = known.data || excluded.data, updated_at = clock_timestamp()
        WHERE known.data || excluded.data <> known.data
        """;

    private const string WouldWrite =
        "SELECT count(*)::int FROM (SELECT 1) AS one WHERE NOT EXISTS (SELECT FROM daily_stats WHERE stat_date = @Date AND data || @data::jsonb = data)";

    public async Task RunAsync()
    {
        run.Counters.Add("days_written", 0);
        if (run.Options.Only is not null)
        {
            throw new OperatorException("--only has no meaning here: days have no ids; give --date");
        }

        var shard = run.Options.Shard;
        var wanted = (await days.ReadAsync()).Where(d => d.Date.DayNumber % shard.Count == shard.Index).ToList();
        await run.EachAsync(wanted, d => Days.Text(d.Date), ComputeAsync, total: wanted.Count);
    }

    private async Task ComputeAsync(Day day)
    {
        var (data, written, unusual) = await db.TransactionAsync(tx => ComputeAsync(tx, day), TimeSpan.FromMinutes(2), run.Aborting);
        using var figures = JsonDocument.Parse(data);
        var outcome = written ? "days_written" : "days_unchanged";
        run.Counters.Add(outcome);
        run.Item(Days.Text(day.Date), outcome, ("data", figures.RootElement));
        anomalies.Report(day.Date, unusual);
    }

    /// <summary>The row and the alerts about it together: neither comes without the other.</summary>
    private async Task<(string Data, bool Written, List<Anomaly> Unusual)> ComputeAsync(Tx tx, Day day)
    {
        var data = await tx.SingleAsync<string>(
            Figures,
            new { day.Date, Start = zone.StartOfDay(day.Date), End = zone.StartOfDay(day.Date.AddDays(1)), Zone = zone.Id });
        if (tx.ReadOnly)
        {
            anomalies.Foresee(day.Date, data);
        }

        var written = tx.ReadOnly
            ? await tx.SingleAsync<int>(WouldWrite, new { day.Date, data })
            : await tx.ExecuteAsync(Write, new { day.Date, data });
        return (data, written > 0, day.Alerts ? await anomalies.FindAsync(tx, day.Date, data) : []);
    }
}
