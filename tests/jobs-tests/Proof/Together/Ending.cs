using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Together;

/// <summary>What must hold when several jobs have been through with a busy day, besides what must hold in every world.</summary>
internal static class Ending
{
    private static readonly (string Promise, string Violations)[] Promises =
    [
        ("a period of a subscription is paid once",
            """
            SELECT subscription_id, period_start, count(*) FROM payments
            WHERE status IN ('succeeded', 'disputed') AND subscription_id IS NOT NULL AND period_start IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1
            """),
        ("an order is paid once",
            "SELECT order_id, count(*) FROM payments WHERE status IN ('succeeded', 'disputed') AND order_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1"),
        ("a membership is paid once",
            "SELECT membership_id, count(*) FROM payments WHERE status IN ('succeeded', 'disputed') AND membership_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1"),
        ("what is paid is an order that is paid, and the other way round",
            """
            SELECT o.id, o.status, p.id AS payment FROM orders AS o
            LEFT JOIN payments AS p ON p.order_id = o.id AND p.status = 'succeeded'
            WHERE (p.id IS NOT NULL AND o.status NOT IN ('paid', 'refund_due')) OR (p.id IS NULL AND o.status = 'paid')
            """),
        ("a renewal that was paid was granted",
            """
            SELECT s.id, s.status, s.ended_at, p.period_start FROM payments AS p JOIN subscriptions AS s ON s.id = p.subscription_id
            WHERE p.status = 'succeeded' AND p.period_start IS NOT NULL AND s.provider_subscription_id IS NULL AND s.status <> 'canceled'
              AND s.ended_at < p.period_start + interval '27 days'
            """),
        ("no mail is left half sent", "SELECT id, status FROM notifications WHERE status IN ('sending', 'unknown', 'failed')"),
        ("no payment is left at a terminal", "SELECT id, status FROM payment_queue WHERE status IN ('processing', 'unknown')"),
        ("no attempt at a terminal is left open", "SELECT id FROM terminal_attempts WHERE settled_at IS NULL"),
        ("a payment at a terminal and its place end together",
            """
            SELECT q.id, q.status, p.status AS payment FROM payment_queue AS q JOIN payments AS p ON p.id = q.payment_id
            WHERE (q.status = 'waiting') <> (p.status = 'pending') OR (q.status = 'done') <> (p.status IN ('succeeded', 'refunded'))
            """),
        ("no item was given up", "SELECT * FROM job_item_failures"),
        ("a reference is one payment", "SELECT reference, count(*) FROM payments WHERE reference IS NOT NULL GROUP BY 1 HAVING count(*) > 1"),
    ];

    /// <summary>The end of every subscription before anything ran.</summary>
    public static async Task<IReadOnlyDictionary<long, DateTime>> BeforeAsync(JobWorld world) =>
        (await world.QueryAsync("SELECT id, ended_at FROM subscriptions WHERE provider_subscription_id IS NULL"))
        .ToDictionary(row => (long)row.id, row => (DateTime)row.ended_at);

    public static async Task CheckAsync(JobWorld world, IReadOnlyDictionary<long, DateTime> before)
    {
        foreach (var (promise, violations) in Promises)
        {
            var found = await world.QueryAsync($"SELECT row_to_json(v)::text AS row FROM ({violations}) AS v");
            Assert.True(found.Count == 0, $"{promise}, but: {string.Join(' ', found.Select(row => (string)row.row))}");
        }

        await NothingIsGivenAwayAsync(world, before);
        await RowsSayWhatStripeSaysAsync(world);
    }

    /// <summary>A period for each payment, and none without.</summary>
    private static async Task NothingIsGivenAwayAsync(JobWorld world, IReadOnlyDictionary<long, DateTime> before)
    {
        foreach (var row in await world.QueryAsync(
            """
            SELECT s.id, s.ended_at, count(p.id) AS paid FROM subscriptions AS s
            LEFT JOIN payments AS p ON p.subscription_id = s.id AND p.succeeded_at > clock_timestamp() - interval '1 day'
            WHERE s.provider_subscription_id IS NULL GROUP BY s.id
            """))
        {
            if (!before.TryGetValue((long)row.id, out var ended))
                continue;
            // One that lapsed begins anew, today.
            var from = ended > DateTime.UtcNow ? ended : DateTime.UtcNow.AddMinutes(10);
            var most = (long)row.paid == 0 ? ended : from.AddMonths(BusyDay.Months * (int)(long)row.paid).AddDays(1);
            Assert.True((DateTime)row.ended_at <= most, $"subscription {row.id} ended at {ended:O}, was paid {row.paid} times, and ends at {row.ended_at:O}");
        }
    }

    private static async Task RowsSayWhatStripeSaysAsync(JobWorld world)
    {
        var intents = (await world.Stripe.DumpAsync()).ToDictionary(intent => intent.GetProperty("id").GetString()!, StringComparer.Ordinal);
        foreach (var row in await world.QueryAsync(
            """
            SELECT id, status, provider_payment_id FROM payments AS p
            WHERE provider_payment_id LIKE 'pi\_%' AND provider IS DISTINCT FROM 'sumup'
              AND NOT EXISTS (SELECT FROM unmatched_payments AS u WHERE u.provider_payment_id = p.provider_payment_id)
            """))
        {
            var (status, atStripe) = ((string)row.status, intents[(string)row.provider_payment_id].GetProperty("status").GetString());
            var agree = status switch
            {
                "succeeded" or "refunded" or "disputed" => atStripe == "succeeded",
                "processing" => atStripe == "processing",
                "requires_action" => atStripe == "requires_action",
                "pending" => atStripe is "requires_payment_method" or "requires_action" or "requires_confirmation",
                _ => atStripe is "requires_payment_method" or "requires_action" or "canceled",
            };
            Assert.True(agree, $"payment {row.id} is {status}, and {row.provider_payment_id} is {atStripe}");
        }
    }

    /// <summary>No mail went out twice.</summary>
    public static void CheckMails(SmtpServer mails)
    {
        var twice = mails.Mails.GroupBy(mail => mail.MessageId).Where(group => group.Count() > 1).Select(group => group.Key).ToList();
        Assert.True(twice.Count == 0, $"delivered twice: {string.Join(' ', twice)}");
    }

    /// <summary>Every payment taken at a reader is on the books, or parked, exactly once; and none that was not taken.</summary>
    public static async Task CheckCounterAsync(JobWorld world, SumUpMerchant merchant)
    {
        var ledger = await merchant.LedgerAsync();
        Assert.DoesNotContain(ledger.ByForeignId, pair => pair.Value > 1);
        var known = await world.QueryAsync(
            """
            SELECT provider_payment_id AS id FROM payments WHERE status IN ('succeeded', 'refunded') AND provider = 'sumup'
            UNION ALL SELECT provider_payment_id FROM unmatched_payments WHERE provider_payment_id NOT LIKE 'pi\_%'
            """);
        Assert.Equal(
            ledger.Payments.Select(p => p.TransactionId).Order(StringComparer.Ordinal),
            known.Select(row => (string)row.id).Order(StringComparer.Ordinal));
    }
}
