using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Doctor;

/// <summary>The promises that the data must keep. Each is bounded: by an index, by slices of ids, or by --since.</summary>
internal sealed class MoneyChecks(ToolRun run, Db db, Repairs? repairs, TimeSpan since)
{
    public IEnumerable<Check> All() =>
    [
        new("stock", StockAsync), new("receipts", ReceiptsAsync), new("bookings", BookingsAsync), new("subscriptions", SubscriptionsAsync),
        new("memberships", MembershipsAsync), new("payments in flight", InFlightAsync), new("terminal queue", QueueAsync),
    ];

    internal sealed class Drift
    {
        public long Id { get; init; }
        public string Sku { get; init; } = "";
        public long StockReserved { get; init; }
        public long Reserved { get; init; }
    }

    private const string Drifted =
        """
        SELECT p.id, p.sku, p.stock_reserved, coalesce(r.quantity, 0)::bigint AS reserved
        FROM products AS p
        LEFT JOIN (SELECT product_id, sum(quantity) AS quantity FROM stock_reservations WHERE released_at IS NULL GROUP BY product_id) AS r ON r.product_id = p.id
        WHERE p.id > @From AND p.id <= @To AND p.stock_reserved <> coalesce(r.quantity, 0)
        ORDER BY p.id
        """;

    private async Task<Finding> StockAsync(CancellationToken cancellation)
    {
        var drifted = await Ranges.ByIdAsync<Drift>(run, db, "stock", "SELECT coalesce(max(id), 0) FROM products", Drifted, cancellation);
        if (drifted.Count == 0)
        {
            return Finding.Ok("stock", "what is reserved is the sum of the open reservations");
        }

        var says = $"reserved differs from the open reservations: {Ranges.Listed(drifted, d => $"{d.Sku} {d.StockReserved} instead of {d.Reserved}")}";
        return repairs is null ? Finding.Wrong("stock", says, "jobctl doctor --fix recomputes them under their locks")
            : new("stock", Health.Fixed, $"{says}; {await repairs.RecountAsync(drifted, cancellation)} recomputed");
    }

    private sealed class Series
    {
        public int Year { get; init; }
        public long LastNumber { get; init; }
    }

    private sealed class Issued
    {
        public int Year { get; init; }
        public long Count { get; init; }
        public long Last { get; init; }
    }

    private const string Numbers =
        """
        SELECT split_part(number, '-', 1)::int AS year, count(*) AS count, max(split_part(number, '-', 2)::bigint) AS last
        FROM receipts
        WHERE id > @From AND id <= @To AND number ~ '^[0-9]{4}-[0-9]+$'
        GROUP BY 1
        """;

    private const string Gaps =
        """
        SELECT n::bigint
        FROM generate_series(1, @Last::bigint) AS n
        WHERE NOT EXISTS (SELECT FROM receipts WHERE number = @Year::text || '-' || lpad(n::text, greatest(6, length(n::text)), '0'))
        LIMIT 5
        """;

    private async Task<Finding> ReceiptsAsync(CancellationToken cancellation)
    {
        // In this order: a receipt that is issued meanwhile makes no gap.
        var series = await db.TransactionAsync(tx => tx.QueryAsync<Series>("SELECT year, last_number FROM receipt_counters WHERE series = 'R' ORDER BY year"), cancellation);
        var issued = (await Ranges.ByIdAsync<Issued>(run, db, "receipts", "SELECT coalesce(max(id), 0) FROM receipts", Numbers, _ => false, cancellation))
            .GroupBy(i => i.Year).ToDictionary(g => g.Key, g => (Count: g.Sum(i => i.Count), Last: g.Max(i => i.Last)));
        var wrong = new List<string>();
        foreach (var year in series.Select(s => s.Year).Union(issued.Keys).Order())
        {
            var counter = series.Find(s => s.Year == year)?.LastNumber ?? 0;
            var (count, last) = issued.GetValueOrDefault(year);
            if (count != last || last < counter)
            {
                var gaps = await db.TransactionAsync(
                    tx => tx.QueryAsync<long>(Gaps, new { Year = year, Last = Math.Max(last, counter) }), TimeSpan.FromMinutes(2), cancellation);
                wrong.Add(string.Create(CultureInfo.InvariantCulture, $"{year}: {count} receipts up to number {Math.Max(last, counter)}{(gaps.Count > 0 ? $", missing {string.Join(", ", gaps)}" : "")}"));
            }
        }

        return wrong.Count == 0
            ? Finding.Ok("receipts", issued.Count == 0 ? "none was issued yet" : $"numbered without a gap: {string.Join(", ", issued.OrderBy(i => i.Key).Select(i => string.Create(CultureInfo.InvariantCulture, $"{i.Key} 1 to {i.Value.Last}")))}")
            : Finding.Wrong("receipts", string.Join("; ", wrong), "somebody deleted or wrote rows by hand: restore them from a backup; a number is never given twice");
    }

    internal sealed class Unbooked
    {
        public long Id { get; init; }
        public string? Provider { get; init; }
        public string? ProviderPaymentId { get; init; }
        public string Lacks { get; init; } = "";
    }

    // The booking is one transaction: without a receipt it never happened; with one, somebody changed what it had granted.
    private const string Lacking =
        """
        SELECT id, provider, provider_payment_id, lacks
        FROM (
            SELECT p.id, p.provider, p.provider_payment_id,
                   CASE
                       WHEN NOT EXISTS (SELECT FROM receipts AS r WHERE r.payment_id = p.id) THEN 'receipt'
                       WHEN p.status <> 'succeeded' THEN NULL
                       WHEN p.order_id IS NOT NULL AND o.status IN ('pending_payment', 'expiring', 'expired') THEN 'paid order'
                       WHEN p.purpose = 'subscription' AND s.id IS NULL THEN 'subscription'
                       WHEN p.purpose = 'subscription' AND s.provider_subscription_id IS NULL AND s.status IN ('active', 'past_due', 'paused', 'pending')
                            AND (s.ended_at IS NULL OR s.ended_at <= p.period_start::timestamp AT TIME ZONE @Zone) THEN 'period'
                       WHEN p.purpose = 'membership' AND NOT EXISTS (SELECT FROM memberships AS m WHERE m.user_id = p.user_id AND m.payment_id = p.id) THEN 'membership'
                   END AS lacks
            FROM payments AS p
            LEFT JOIN orders AS o ON o.id = p.order_id
            LEFT JOIN subscriptions AS s ON s.id = p.subscription_id
            WHERE p.status IN ('succeeded', 'refunded', 'disputed')
              AND ((p.succeeded_at >= @From AND p.succeeded_at < @To) OR (p.succeeded_at IS NULL AND p.created_at >= @From AND p.created_at < @To))
        ) AS booked
        WHERE lacks IS NOT NULL
        ORDER BY id
        """;

    private async Task<Finding> BookingsAsync(CancellationToken cancellation)
    {
        var zone = BusinessZone.From(run.Settings);
        var found = await UnbookedAsync();
        if (found.Count == 0)
        {
            return Finding.Ok("bookings", $"each success of the last {Duration.Format(since)} has its receipt and what it paid for");
        }

        var notes = repairs is null ? [] : await repairs.BookAsync(found, cancellation);
        // A job or another doctor may have booked it meanwhile.
        var still = repairs is null ? found : await UnbookedAsync();
        var left = found.Where(payment => !notes.ContainsKey(payment.Id) && still.Exists(s => s.Id == payment.Id)).ToList();
        if (left.Count + notes.Count == 0)
        {
            return Finding.Ok("bookings", "what lacked its receipt was booked meanwhile");
        }

        var says = string.Join("; ", notes.Values.Concat(left.Count > 0 ? [$"succeeded, but without {Ranges.Listed(left, p => string.Create(CultureInfo.InvariantCulture, $"{p.Lacks} (payment {p.Id})"))}"] : []));
        return left.Count == 0 ? new("bookings", Health.Fixed, says)
            : Finding.Wrong("bookings", says, left.Exists(p => p is { Lacks: "receipt", Provider: "stripe" }) && repairs is null
                ? "jobctl doctor --fix books what Stripe has taken; for the rest look at the payment's history in audit_logs"
                : "look at the payment's history in audit_logs: somebody changed rows by hand; put right what they paid for, or refund it");

        Task<List<Unbooked>> UnbookedAsync() =>
            Ranges.ByDayAsync<Unbooked>(run, db, "bookings", since, Lacking, (from, to) => new { From = from, To = to, Zone = zone.Id }, cancellation);
    }

    private sealed class Pair
    {
        public long UserId { get; init; }
        public string Ids { get; init; } = "";
    }

    private const string MaxUser = "SELECT coalesce(max(id), 0) FROM users";

    private const string TwoSubscriptions =
        """
        SELECT user_id, string_agg(id::text, ' and ' ORDER BY id) AS ids
        FROM subscriptions
        WHERE user_id > @From AND user_id <= @To AND status IN ('active', 'past_due') AND ended_at > now()
        GROUP BY user_id, plan_id
        HAVING count(*) > 1
        ORDER BY user_id
        """;

    private async Task<Finding> SubscriptionsAsync(CancellationToken cancellation)
    {
        var found = await Ranges.ByIdAsync<Pair>(run, db, "subscriptions", MaxUser, TwoSubscriptions, cancellation);
        return found.Count == 0 ? Finding.Ok("subscriptions", "nobody has two of the same plan at a time")
            : Finding.Wrong("subscriptions", $"two of the same plan at a time: {Ranges.Listed(found, pair => string.Create(CultureInfo.InvariantCulture, $"user {pair.UserId} ({pair.Ids})"))}",
                "ask the customer; end one by cancel_at_period_end and refund what was paid twice");
    }

    private const string TwoMemberships =
        """
        SELECT a.user_id, a.id || ' and ' || b.id AS ids
        FROM memberships AS a
        JOIN memberships AS b ON b.user_id = a.user_id AND b.type = a.type AND b.id > a.id AND b.canceled_at IS NULL
                             AND b.start_date <= a.end_date AND b.end_date >= a.start_date
        WHERE a.user_id > @From AND a.user_id <= @To AND a.canceled_at IS NULL
        ORDER BY a.user_id
        """;

    private async Task<Finding> MembershipsAsync(CancellationToken cancellation)
    {
        var found = await Ranges.ByIdAsync<Pair>(run, db, "memberships", MaxUser, TwoMemberships, cancellation);
        return found.Count == 0 ? Finding.Ok("memberships", "nobody has two of a type at a time")
            : Finding.Wrong("memberships", $"two of a type at a time: {Ranges.Listed(found, pair => string.Create(CultureInfo.InvariantCulture, $"user {pair.UserId} ({pair.Ids})"))}",
                "the constraint that forbids it is gone: cancel one (canceled_at), refund what was paid twice, and restore the constraint");
    }

    private sealed class Flight
    {
        public long Ours { get; init; }
        public long Theirs { get; init; }
        public long? Oldest { get; init; }
    }

    // Customers have 7 days to pay what an application asked for; of what was sent by us everything is known after 25 hours.
    private const string InFlight =
        """
        SELECT count(*) FILTER (WHERE ours) AS ours, count(*) FILTER (WHERE NOT ours) AS theirs, min(id) AS oldest
        FROM (
            SELECT p.id, p.sent_at < clock_timestamp() - interval '25 hours' AND p.provider_request IS NOT NULL AS ours
            FROM payments AS p
            WHERE p.status IN ('pending', 'processing', 'requires_action') AND p.method = 'card'
              AND p.created_at < clock_timestamp() - interval '25 hours'
              AND ((p.sent_at < clock_timestamp() - interval '25 hours' AND p.provider_request IS NOT NULL AND p.status <> 'processing')
                   OR p.created_at < clock_timestamp() - interval '8 days')
        ) AS late
        """;

    private async Task<Finding> InFlightAsync(CancellationToken cancellation)
    {
        var late = await db.TransactionAsync(tx => tx.SingleAsync<Flight>(InFlight), cancellation);
        return late is { Ours: 0, Theirs: 0 } ? Finding.Ok("payments in flight", "none is older than it should be")
            : Finding.Warning("payments in flight", string.Create(CultureInfo.InvariantCulture, $"{late.Ours} charges of ours are unsettled after 25 hours, {late.Theirs} payments after 8 days; the oldest is {late.Oldest}"),
                "jobctl run match-pending-payments, then jobctl run expire-payments; both ask Stripe first");
    }

    private sealed class Stray
    {
        public long PaymentId { get; init; }
        public string Status { get; init; } = "";
        public string PaymentStatus { get; init; } = "";
    }

    private const string Strays =
        """
        SELECT q.payment_id, q.status, p.status AS payment_status
        FROM payment_queue AS q
        JOIN payments AS p ON p.id = q.payment_id
        WHERE q.status IN ('waiting', 'processing', 'unknown') AND p.status NOT IN ('pending', 'processing')
        ORDER BY q.position
        LIMIT 50
        """;

    private async Task<Finding> QueueAsync(CancellationToken cancellation)
    {
        var strays = await db.TransactionAsync(tx => tx.QueryAsync<Stray>(Strays), cancellation);
        if (strays.Count == 0)
        {
            return Finding.Ok("terminal queue", "every place is of a payment that is still to be paid");
        }

        var says = $"places of payments that are settled: {Ranges.Listed(strays, s => string.Create(CultureInfo.InvariantCulture, $"payment {s.PaymentId} {s.Status}, {s.PaymentStatus}"))}";
        var dropped = repairs is null ? 0 : await repairs.DropUnwantedAsync();
        return repairs is not null && strays.TrueForAll(s => s.Status == "waiting") ? new("terminal queue", Health.Fixed, $"{says}; {dropped} taken out")
            : Finding.Warning("terminal queue", says, "process-payment-queue takes out what waits and follows the rest; what stays unknown: jobctl resolve terminal PAYMENT");
    }
}
