using System.Globalization;
using System.Text.RegularExpressions;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>What a world looks like in the end, reduced to what must not depend on how it came about.</summary>
/// <param name="State">Business rows.</param>
/// <param name="Taken">What the provider's ledger says was taken, by currency.</param>
public sealed partial record Truth(string State, string Taken)
{
    /// <summary>Ids from here on were given by the job, and a transaction that was rolled back burns one.</summary>
    public const long FirstNewSubscription = 1000;

    /// <param name="world">Where no job runs any more.</param>
    /// <param name="actors">False when another job may have found out what the one under test would have.</param>
    /// <param name="times">False when the job's "now" is the clock's.</param>
    public static async Task<Truth> OfAsync(JobWorld world, bool actors = true, bool times = true)
    {
        var ledger = await world.Stripe.LedgerAsync();
        var state = await world.StateAsync();
        return new Truth(Normalise(times ? state : Time().Replace(state, "then"), actors), ledger.Json.GetProperty("total").GetRawText());
    }

    /// <summary>
    /// The job takes up several items at once, so ids of new rows and the order of receipts differ from run to run: which
    /// payment a row points to is left out here, as is the number of each receipt. Rows of mail to staff too: what is in
    /// them may be told in one mail or in two. <see cref="CheckAsync"/> looks after all of these.
    /// </summary>
    private static string Normalise(string state, bool actors)
    {
        var lines = Id().Replace(
            state,
            match => match.Groups["key"].Value is "payment_id" or "membership_id" or "number"
                || long.Parse(match.Groups["id"].Value, CultureInfo.InvariantCulture) >= FirstNewSubscription ? $"\"{match.Groups["key"].Value}\":set" : match.Value);
        lines = Number().Replace(lines, "");
        if (!actors)
            lines = Actor().Replace(lines, "");
        // A table without rows ends in a line end of its own.
        var tables = lines.Replace("\n\n\n", "\n\n", StringComparison.Ordinal).Split("\n\n").Select(table => table.Split('\n')).Select(rows =>
            string.Join('\n', rows.Take(1).Concat(rows.Skip(1).Where(row => row.Length > 0 && !row.Contains("\"kind\":\"staff_", StringComparison.Ordinal)).Order(StringComparer.Ordinal))));
        return string.Join("\n\n", tables);
    }

    [GeneratedRegex("""(?<=[{,])"(?<key>payment_id|subscription_id|membership_id|id)":(?<id>\d+)""", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Id();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT[0-9:.+]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Time();

    [GeneratedRegex("""(?<=[{,])"number":"[^"]*",?""", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Number();

    [GeneratedRegex("""(?<=[{,])"actor":"[^"]*",?""", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Actor();

    /// <summary>What must hold in every world once the jobs are through with it, however they got there.</summary>
    public static async Task CheckAsync(JobWorld world)
    {
        foreach (var (promise, violations) in Promises)
        {
            var found = await world.QueryAsync($"SELECT row_to_json(v)::text AS row FROM ({violations}) AS v");
            Assert.True(found.Count == 0, $"{promise}, but: {string.Join(' ', found.Select(row => (string)row.row))}");
        }

        var ledger = await world.Stripe.LedgerAsync();
        Assert.True(ledger.MostChargesPerRenewal <= 1, $"somebody was charged twice: {ledger.Json}");
        var known = (await world.QueryAsync(
            """
            SELECT provider_payment_id AS id FROM payments WHERE status IN ('succeeded', 'refunded', 'disputed') UNION SELECT provider_payment_id FROM unmatched_payments
            """)).Select(row => (string?)row.id).ToHashSet();
        var lost = ledger.Charges.Select(charge => charge.GetProperty("payment_intent").GetString()).Where(id => !known.Contains(id)).ToList();
        Assert.True(lost.Count == 0, $"payments were lost: {string.Join(' ', lost)}");
    }

    private static readonly string OnDemand = string.Join(", ", Catalogue.Jobs.Where(job => job.Kind == JobKind.OnDemand).Select(job => $"'{job.Name}'"));

    private static readonly (string Promise, string Violations)[] Promises =
    [
        ("a receipt for each succeeded payment and for no other",
            "SELECT p.id, p.status, r.number FROM payments AS p LEFT JOIN receipts AS r ON r.payment_id = p.id WHERE (p.status IN ('succeeded', 'refunded', 'disputed')) <> (r.id IS NOT NULL)"),
        ("receipts are numbered 1 to n without a gap",
            "SELECT number FROM (SELECT number, row_number() OVER (ORDER BY number) AS n FROM receipts) AS r WHERE right(number, 6)::int <> n"),
        ("the counter of receipts stands at the last one",
            "SELECT last_number FROM receipt_counters WHERE last_number <> (SELECT count(*) FROM receipts)"),
        ("a success is audited once",
            """
            SELECT p.id, count(a.id) FROM payments AS p
            LEFT JOIN audit_logs AS a ON a.subject_type = 'payment' AND a.subject_id = p.id AND a.action = 'payment.succeeded'
            GROUP BY p.id, p.status HAVING count(a.id) <> (p.status IN ('succeeded', 'refunded', 'disputed'))::int
            """),
        ("nobody is told the same twice",
            """
            SELECT kind, user_id, payload ->> 'payment_id' AS payment, payload ->> 'subscription_id' AS subscription, count(*) FROM notifications
            WHERE kind NOT LIKE 'staff%' GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
            """),
        ("staff are told once of each parked payment",
            """
            SELECT u.id, count(told) FROM unmatched_payments AS u
            LEFT JOIN (SELECT (jsonb_array_elements(payload -> 'payments') ->> 'id')::bigint AS id FROM notifications
                       WHERE kind = 'staff_unmatched_payments') AS told ON told.id = u.id
            GROUP BY u.id HAVING count(told) <> 1
            """),
        ("no order is left half expired", "SELECT id FROM orders WHERE status = 'expiring'"),
        ("a stock counter is the sum of the open reservations",
            """
            SELECT p.id, p.stock_reserved FROM products AS p
            WHERE p.stock_reserved <> (SELECT coalesce(sum(r.quantity), 0) FROM stock_reservations AS r WHERE r.product_id = p.id AND r.released_at IS NULL)
            """),
        ("what was refunded is what the refunds say",
            """
            SELECT p.id, p.amount_refunded_minor FROM payments AS p
            WHERE p.amount_refunded_minor <> (SELECT coalesce(sum(r.amount_minor), 0) FROM payment_refunds AS r WHERE r.payment_id = p.id)
            """),
        ("no lease is left", "SELECT name, holder FROM leases"),
        // One that was started on demand holds no lease that would tell whether it lives: its row is closed a day later.
        ("no run is left open", $"SELECT job, started_at FROM job_runs WHERE status = 'running' AND job NOT IN ({OnDemand})"),
        ("a membership and the payment that paid for it name each other",
            """
            SELECT m.id, m.payment_id, p.id AS payment FROM memberships AS m FULL JOIN payments AS p ON p.membership_id = m.id
            WHERE (m.id IS NOT NULL OR p.membership_id IS NOT NULL) AND m.payment_id IS DISTINCT FROM p.id
            """),
        ("a subscription points to its last success",
            """
            SELECT s.id, s.payment_id FROM subscriptions AS s LEFT JOIN payments AS p ON p.id = s.payment_id
            WHERE s.payment_id IS NOT NULL AND (coalesce(p.status NOT IN ('succeeded', 'refunded', 'disputed'), true) OR p.subscription_id IS DISTINCT FROM s.id)
            """),
    ];
}
