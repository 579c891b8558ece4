using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Ledger;

namespace Jobs.Explain;

/// <summary>
/// All that the database holds about one subject and what belongs to it. The ids of what belongs to it come first, then what touched each, by
/// index; of anything without an end only the newest.
/// </summary>
internal sealed class Evidence
{
    private const int Most = 300;

    // What the jobs name their items by.
    private static readonly string[] ByPayment = ["match-pending-payments", "expire-payments", "process-payment-queue"];
    private static readonly string[] ByIntent = ["match-successful-payments", "cleanup-stale-payment-intents", "subscription-sync"];
    private static readonly string[] PaidFor = ["subscription", "order", "membership"];

    public required Subject Subject { get; init; }
    public required DateTime Now { get; init; }
    public required UserRow? User { get; init; }
    public required IReadOnlyList<SubscriptionRow> Subscriptions { get; init; }
    public required IReadOnlyList<PaymentRow> Payments { get; init; }
    public required IReadOnlyList<OrderRow> Orders { get; init; }
    public required IReadOnlyList<MembershipRow> Memberships { get; init; }
    public required IReadOnlyList<UnmatchedRow> Unmatched { get; init; }
    public required IReadOnlyList<RefundRow> Refunds { get; init; }
    public required IReadOnlyList<QueueRow> Queue { get; init; }
    public required IReadOnlyList<AttemptRow> TerminalAttempts { get; init; }
    public required IReadOnlyList<StockRow> Stock { get; init; }
    public required IReadOnlyList<MailRow> Mails { get; init; }
    public required IReadOnlyList<AuditRow> Audit { get; init; }
    public required IReadOnlyList<RunRow> Runs { get; init; }
    public required IReadOnlyList<TroubleRow> Troubles { get; init; }
    public required IReadOnlyList<BlockedRow> Blocked { get; init; }
    public required IReadOnlyList<PauseRow> Pauses { get; init; }
    public required AutopaymentLedger Autopayment { get; init; }
    public required string? FallbackMode { get; init; }

    /// <summary>Something has more than is shown here.</summary>
    public required bool Truncated { get; init; }

    // What belongs to the subject. A payment's subscription, order and membership are there for what happens next.
    private static string Scope(string kind) => kind switch
    {
        "payment" => """
            SELECT id FROM payments WHERE id = @Id;
            SELECT subscription_id FROM payments WHERE id = @Id AND subscription_id IS NOT NULL;
            SELECT order_id FROM payments WHERE id = @Id AND order_id IS NOT NULL;
            SELECT id FROM memberships WHERE id = (SELECT membership_id FROM payments WHERE id = @Id);
            SELECT user_id FROM payments WHERE id = @Id
            """,
        "subscription" => """
            SELECT id FROM payments WHERE subscription_id = @Id ORDER BY id DESC LIMIT @Most;
            SELECT id FROM subscriptions WHERE id = @Id;
            SELECT NULL::bigint WHERE false;
            SELECT NULL::bigint WHERE false;
            SELECT user_id FROM subscriptions WHERE id = @Id
            """,
        "order" => """
            SELECT id FROM payments WHERE order_id = @Id ORDER BY id DESC LIMIT @Most;
            SELECT NULL::bigint WHERE false;
            SELECT id FROM orders WHERE id = @Id;
            SELECT NULL::bigint WHERE false;
            SELECT user_id FROM orders WHERE id = @Id
            """,
        "membership" => """
            SELECT id FROM payments WHERE membership_id = @Id UNION SELECT payment_id FROM memberships WHERE id = @Id AND payment_id IS NOT NULL;
            SELECT NULL::bigint WHERE false;
            SELECT NULL::bigint WHERE false;
            SELECT id FROM memberships WHERE id = @Id;
            SELECT user_id FROM memberships WHERE id = @Id
            """,
        "user" => """
            SELECT id FROM payments WHERE user_id = @Id ORDER BY id DESC LIMIT @Most;
            SELECT id FROM subscriptions WHERE user_id = @Id ORDER BY id DESC LIMIT 50;
            SELECT id FROM orders WHERE user_id = @Id ORDER BY id DESC LIMIT 100;
            SELECT id FROM memberships WHERE user_id = @Id ORDER BY id DESC LIMIT 50;
            SELECT id FROM users WHERE id = @Id
            """,
        _ => """
            SELECT payment_id FROM unmatched_payments WHERE id = @Id AND payment_id IS NOT NULL;
            SELECT NULL::bigint WHERE false;
            SELECT NULL::bigint WHERE false;
            SELECT NULL::bigint WHERE false;
            SELECT NULL::bigint WHERE false
            """,
    };

    private const string Rows =
        $"""
        SELECT u.id, u.email, u.name, u.role, u.provider_customer_id, u.default_payment_method_id, u.created_at FROM users AS u WHERE u.id = @User;

        SELECT s.id, s.user_id, s.status, s.started_at, s.ended_at, s.auto_renew, s.cancel_at_period_end, s.payment_id, s.provider_subscription_id,
               s.retry_count, s.next_attempt_at, s.last_decline_code, s.created_at, p.code AS plan, p.name AS plan_name, p.amount_minor, p.currency, p.recurring,
               last.provider_payment_method_id AS last_method
        FROM subscriptions AS s
        JOIN plans AS p ON p.id = s.plan_id
        LEFT JOIN payments AS last ON last.id = s.payment_id
        WHERE s.id = ANY (@Subscriptions)
        ORDER BY s.id;

        SELECT p.id, p.user_id, p.subscription_id, p.order_id, p.membership_id, p.purpose, p.amount_minor, p.currency, p.amount_refunded_minor, p.status, p.method,
               p.provider, p.provider_payment_id, p.provider_payment_method_id, p.provider_request IS NOT NULL AS charged_by_us, p.period_start, p.attempt,
               p.failure_code, p.recorded_by, p.reference, p.created_at, p.sent_at, p.succeeded_at, p.next_check_at, p.provider_ended_at,
               p.provider_dispute_status, r.number AS receipt, r.issued_at,
               {UnresolvedPayment.IsAskedAbout} AS asked_about, {UnresolvedPayment.MayBeGivenUp} AS may_be_given_up
        FROM payments AS p
        LEFT JOIN receipts AS r ON r.payment_id = p.id
        WHERE p.id = ANY (@Payments)
        ORDER BY p.id;

        SELECT o.id, o.status, o.total_minor, o.currency, o.payment_intent_id, o.created_at, o.expires_at, {StaleOrder.IsHeld} AS held
        FROM orders AS o
        WHERE o.id = ANY (@Orders)
        ORDER BY o.id;

        SELECT m.id, m.type, m.start_date, m.end_date, m.reduced_price, m.payment_id, m.canceled_at, m.created_at, m.recorded_by
        FROM memberships AS m
        WHERE m.id = ANY (@Memberships)
        ORDER BY m.id;

        SELECT u.id, u.provider_payment_id, u.payment_id, u.reason, u.data::text AS data, u.created_at, u.reported_at, u.resolved_at, u.resolution
        FROM unmatched_payments AS u
        WHERE u.payment_id = ANY (@Payments)
        UNION
        SELECT u.id, u.provider_payment_id, u.payment_id, u.reason, u.data::text, u.created_at, u.reported_at, u.resolved_at, u.resolution
        FROM unmatched_payments AS u
        WHERE u.provider_payment_id IN (SELECT o.payment_intent_id FROM orders AS o WHERE o.id = ANY (@Orders))
        UNION
        SELECT u.id, u.provider_payment_id, u.payment_id, u.reason, u.data::text, u.created_at, u.reported_at, u.resolved_at, u.resolution
        FROM unmatched_payments AS u
        WHERE u.id = @Unmatched
        ORDER BY id;

        SELECT f.payment_id, f.provider_refund_id, f.amount_minor, f.refunded_at FROM payment_refunds AS f WHERE f.payment_id = ANY (@Payments) ORDER BY f.id;

        SELECT q.id, q.payment_id, q.status, q.position, q.reason, q.attempts, q.created_at, q.started_at, q.finished_at, q.reported_at, t.name AS reader
        FROM payment_queue AS q
        LEFT JOIN payment_terminals AS t ON t.id = q.terminal_id
        WHERE q.payment_id = ANY (@Payments)
        ORDER BY q.id;

        SELECT a.payment_id, a.client_reference, a.outcome, a.reason, a.provider_transaction_id, a.created_at, a.sent_at, a.settled_at, a.watch_until, a.next_check_at,
               a.run_id, t.name AS reader
        FROM terminal_attempts AS a
        LEFT JOIN payment_terminals AS t ON t.id = a.terminal_id
        WHERE a.payment_id = ANY (@Payments)
        ORDER BY a.id;

        SELECT r.order_id, r.product_id, coalesce(nullif(d.name, ''), d.sku) AS product, r.quantity, r.created_at, r.released_at
        FROM stock_reservations AS r
        LEFT JOIN products AS d ON d.id = r.product_id
        WHERE r.order_id = ANY (@Orders)
        ORDER BY r.id;

        SELECT job, reason, until, actor, created_at FROM job_pauses WHERE until IS NULL OR until > @Now;

        SELECT value::text FROM settings WHERE key = 'payment_fallback_mode';

        {Lapse.Autopayment}
        """;

    // To staff: under the keys by which they are told once.
    private const string Mailed =
        """
        SELECT n.id, n.kind, n.user_id, n.to_address, n.status, n.attempts, n.created_at, n.next_attempt_at, n.sent_at, n.handed_over_at, n.last_error, n.claimed_by
        FROM notifications AS n
        WHERE n.user_id = @User
          AND (@All OR n.payload ->> 'payment_id' = ANY (@PaymentTexts) OR n.payload ->> 'subscription_id' = ANY (@SubscriptionTexts)
               OR n.payload ->> 'order_id' = ANY (@OrderTexts) OR n.payload ->> 'membership_id' = ANY (@MembershipTexts)
               OR (n.subject_type, n.subject_id) IN (SELECT * FROM unnest(@Types, @Ids)))
        UNION
        SELECT n.id, n.kind, n.user_id, n.to_address, n.status, n.attempts, n.created_at, n.next_attempt_at, n.sent_at, n.handed_over_at, n.last_error, n.claimed_by
        FROM notifications AS n
        WHERE n.dedupe_key = ANY (@StaffKeys)
        ORDER BY id DESC
        LIMIT @Most
        """;

    private const string Audited =
        """
        SELECT a.id, a.actor, a.action, a.subject_type, a.subject_id, a.run_id, a.data::text AS data, a.created_at
        FROM unnest(@Types, @Ids) AS s (type, id)
        JOIN LATERAL (
            (SELECT * FROM audit_logs AS l WHERE l.subject_type = s.type AND l.subject_id = s.id ORDER BY l.id DESC LIMIT @Most)
            UNION ALL
            (SELECT k.id, k.actor, k.action, k.subject_type, k.subject_id, k.run_id, k.data, k.created_at
             FROM audit_log_archive AS k WHERE k.subject_type = s.type AND k.subject_id = s.id ORDER BY k.id DESC LIMIT @Most)
        ) AS a ON true
        WHERE s.type <> ALL (@OnlyOfPayment) OR a.data ->> 'payment_id' = ANY (@PaymentTexts)
        UNION ALL
        SELECT a.id, a.actor, a.action, a.subject_type, a.subject_id, a.run_id, a.data::text, a.created_at
        FROM audit_logs AS a
        WHERE a.subject_type = 'product' AND a.data ->> 'order_id' = ANY (@StockTexts)
        ORDER BY id
        """;

    private const string RunsAndTroubles =
        $"""
        SELECT {RunRow.Columns} FROM job_runs AS r WHERE r.id = ANY (@Runs);
        SELECT f.job, f.item, f.failures, f.last_error, f.last_failed_at, f.parked_at
        FROM unnest(@Jobs, @Items) AS known (job, item)
        JOIN job_item_failures AS f ON f.job = known.job AND f.item = known.item;
        SELECT b.provider_payment_method_id AS method, b.reason, b.created_at FROM blocked_payment_methods AS b WHERE b.provider_payment_method_id = ANY (@Methods)
        """;

    public static async Task<Evidence> GatherAsync(Tx tx, Subject subject, DateTime now)
    {
        await using var scope = await tx.QueryMultipleAsync(Scope(subject.Kind), new { subject.Id, Most });
        var payments = (await scope.ReadAsync<long>()).ToArray();
        var subscriptions = (await scope.ReadAsync<long>()).ToArray();
        var orders = (await scope.ReadAsync<long>()).ToArray();
        var memberships = (await scope.ReadAsync<long>()).ToArray();
        var user = (await scope.ReadAsync<long?>()).FirstOrDefault();
        await scope.DisposeAsync();

        await using var rows = await tx.QueryMultipleAsync(Rows, new
        {
            User = user,
            Subscriptions = subscriptions,
            Payments = payments,
            Orders = orders,
            Memberships = memberships,
            Unmatched = subject.Kind == "unmatched" ? subject.Id : -1,
            Now = now,
        });
        var userRow = await rows.ReadSingleOrDefaultAsync<UserRow>();
        List<SubscriptionRow> subscriptionRows = [.. await rows.ReadAsync<SubscriptionRow>()];
        List<PaymentRow> paymentRows = [.. await rows.ReadAsync<PaymentRow>()];
        List<OrderRow> orderRows = [.. await rows.ReadAsync<OrderRow>()];
        List<MembershipRow> membershipRows = [.. await rows.ReadAsync<MembershipRow>()];
        List<UnmatchedRow> unmatched = [.. await rows.ReadAsync<UnmatchedRow>()];
        List<RefundRow> refunds = [.. await rows.ReadAsync<RefundRow>()];
        List<QueueRow> queue = [.. await rows.ReadAsync<QueueRow>()];
        List<AttemptRow> attempts = [.. await rows.ReadAsync<AttemptRow>()];
        List<StockRow> stock = [.. await rows.ReadAsync<StockRow>()];
        List<PauseRow> pauses = [.. await rows.ReadAsync<PauseRow>()];
        var fallback = await rows.ReadSingleOrDefaultAsync<string?>();
        var ledger = await rows.ReadSingleAsync<AutopaymentLedger>();
        await rows.DisposeAsync();

        var touched = Of("payment", payments).Concat(Of("subscription", subscriptions)).Concat(Of("order", orders)).Concat(Of("membership", memberships))
            .Concat(subject.Kind == "user" ? Of("user", [subject.Id]) : []).ToList();
        var mails = await tx.QueryAsync<MailRow>(Mailed, new
        {
            User = user,
            All = subject.Kind == "user",
            PaymentTexts = Texts(payments),
            // A payment's mails are its own, not all of its subscription.
            SubscriptionTexts = subject.Kind == "payment" ? [] : Texts(subscriptions),
            OrderTexts = subject.Kind == "payment" ? [] : Texts(orders),
            MembershipTexts = subject.Kind == "payment" ? [] : Texts(memberships),
            Types = subject.Kind == "payment" ? [] : touched.Select(t => t.Type).ToArray(),
            Ids = subject.Kind == "payment" ? [] : touched.Select(t => t.Id).ToArray(),
            StaffKeys = payments.Select(p => $"staff_refund_due:{Text(p)}").Concat(attempts.Select(a => $"staff_terminal_unknown:{a.ClientReference}")).ToArray(),
            Most = Most + 1,
        });
        var audit = await tx.QueryAsync<AuditRow>(Audited, new
        {
            Types = touched.Select(t => t.Type).ToArray(),
            Ids = touched.Select(t => t.Id).ToArray(),
            Most,
            OnlyOfPayment = subject.Kind == "payment" ? PaidFor : [],
            PaymentTexts = Texts(payments),
            StockTexts = subject.Kind == "payment" ? [] : Texts(orders),
        });

        var items = Items(paymentRows, subscriptionRows, orders, mails);
        await using var rest = await tx.QueryMultipleAsync(RunsAndTroubles, new
        {
            Runs = audit.Select(a => a.RunId).Concat(attempts.Select(a => a.RunId)).OfType<Guid>().Distinct().ToArray(),
            Jobs = items.Select(i => i.Job).ToArray(),
            Items = items.Select(i => i.Item).ToArray(),
            Methods = subscriptionRows.Select(s => s.LastMethod).Concat(paymentRows.Select(p => p.ProviderPaymentMethodId)).Append(userRow?.DefaultPaymentMethodId)
                .OfType<string>().Distinct(StringComparer.Ordinal).ToArray(),
        });
        return new()
        {
            Subject = subject,
            Now = now,
            User = userRow,
            Subscriptions = subscriptionRows,
            Payments = paymentRows,
            Orders = orderRows,
            Memberships = membershipRows,
            Unmatched = unmatched,
            Refunds = refunds,
            Queue = queue,
            TerminalAttempts = attempts,
            Stock = stock,
            Mails = [.. mails.Take(Most)],
            Audit = audit,
            Runs = [.. await rest.ReadAsync<RunRow>()],
            Troubles = [.. await rest.ReadAsync<TroubleRow>()],
            Blocked = [.. await rest.ReadAsync<BlockedRow>()],
            Pauses = pauses,
            Autopayment = ledger,
            FallbackMode = fallback,
            Truncated = payments.Length == Most || mails.Count > Most || audit.GroupBy(a => (a.SubjectType, a.SubjectId)).Any(g => g.Count() >= Most),
        };
    }

    /// <summary>Under which names the jobs remember what failed.</summary>
    private static List<(string Job, string Item)> Items(
        IEnumerable<PaymentRow> payments, IEnumerable<SubscriptionRow> subscriptions, IEnumerable<long> orders, IEnumerable<MailRow> mails)
    {
        var items = new List<(string, string)>();
        foreach (var payment in payments)
        {
            items.AddRange(ByPayment.Select(job => (job, Text(payment.Id))));
            if (payment.ProviderPaymentId is { } intent)
            {
                items.AddRange(ByIntent.Select(job => (job, intent)));
            }
        }

        foreach (var subscription in subscriptions)
        {
            items.Add(("autopayment", Text(subscription.Id)));
            if (subscription.ProviderSubscriptionId is { } id)
            {
                items.Add(("subscription-sync", id));
            }
        }

        items.AddRange(orders.Select(order => ("expire-stale-orders", Text(order))));
        items.AddRange(mails.Where(m => m.Status == "pending").Select(m => ("send-notifications", Text(m.Id))));
        return items;
    }

    private static IEnumerable<(string Type, long Id)> Of(string type, IEnumerable<long> ids) => ids.Select(id => (type, id));

    private static string[] Texts(IEnumerable<long> ids) => [.. ids.Select(Text)];

    private static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);
}
