using System.Text.Json;
using Jobs.Billing;
using Jobs.Database;

namespace Jobs.Counter;

/// <summary>The counter at one moment: all of it from one snapshot of the database.</summary>
internal sealed class CounterView
{
    /// <summary>Rows of a list; what is beyond is counted, not listed.</summary>
    private const int Rows = 200;

    public required DateTime Now { get; init; }
    public required IReadOnlyList<Terminal> Terminals { get; init; }
    public required IReadOnlyList<QueuedPayment> Queue { get; init; }

    /// <summary>Of today in the business zone, newest first.</summary>
    public required IReadOnlyList<CounterPayment> Payments { get; init; }

    public required IReadOnlyList<Total> Totals { get; init; }
    public required IReadOnlyList<PayerLock> Locks { get; init; }

    /// <summary>Null when cards are taken as usual.</summary>
    public required Fallback? Fallback { get; init; }

    public int QueueLength => Queue.Count > 0 ? Queue[0].OfAll : 0;
    public int PaymentCount => Payments.Count > 0 ? Payments[0].OfAll : 0;

    private const string DayStart = "(date_trunc('day', now() AT TIME ZONE @Zone) AT TIME ZONE @Zone)";
    private const string DayEnd = "((date_trunc('day', now() AT TIME ZONE @Zone) + interval '1 day') AT TIME ZONE @Zone)";
    private const string PayerName = "coalesce(nullif(u.name, ''), nullif(u.email, ''), 'user ' || u.id)";

    private const string Snapshot =
        $"""
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

        SELECT now();

        SELECT t.id, t.name, t.status, coalesce(q.started_at, t.updated_at) AS since, t.last_seen_at, t.last_error,
               CASE WHEN t.retry_at > now() THEN t.retry_at END AS retry_at,
               q.payment_id, q.status AS payment_status, {PayerName} AS payer, p.amount_minor, p.currency
        FROM payment_terminals AS t
        LEFT JOIN payment_queue AS q ON q.terminal_id = t.id AND q.status IN ('processing', 'unknown')
        LEFT JOIN payments AS p ON p.id = q.payment_id
        LEFT JOIN users AS u ON u.id = p.user_id
        ORDER BY t.name, t.id;

        SELECT row_number() OVER (ORDER BY q.position, q.id) AS place, count(*) OVER () AS of_all, q.id, q.payment_id,
               {PayerName} AS payer, p.amount_minor, p.currency, p.purpose, q.status, q.created_at, q.attempts, q.reason,
               t.name AS terminal
        FROM payment_queue AS q
        JOIN payments AS p ON p.id = q.payment_id
        JOIN users AS u ON u.id = p.user_id
        LEFT JOIN payment_terminals AS t ON t.id = q.terminal_id
        WHERE q.status IN ('waiting', 'processing', 'unknown')
        ORDER BY q.position, q.id
        LIMIT @Rows;

        SELECT p.id, count(*) OVER () AS of_all, coalesce(p.succeeded_at, p.created_at) AS at, {PayerName} AS payer, p.amount_minor,
               p.amount_refunded_minor, p.currency, p.method, p.purpose, p.status, p.failure_code, r.number AS receipt_number
        FROM payments AS p
        JOIN users AS u ON u.id = p.user_id
        LEFT JOIN receipts AS r ON r.payment_id = p.id
        WHERE p.method <> 'card'
          AND (p.created_at >= {DayStart} AND p.created_at < {DayEnd} OR p.succeeded_at >= {DayStart} AND p.succeeded_at < {DayEnd})
        ORDER BY at DESC, p.id DESC
        LIMIT @Rows;

        SELECT currency, method, count(*) AS count,
               sum(CASE WHEN status = 'disputed' THEN 0 ELSE amount_minor - amount_refunded_minor END)::bigint AS amount_minor
        FROM payments
        WHERE method <> 'card' AND status IN ('succeeded', 'refunded', 'disputed') AND succeeded_at >= {DayStart} AND succeeded_at < {DayEnd}
        GROUP BY currency, method
        ORDER BY currency, method;

        SELECT l.name, {PayerName} AS payer, l.holder, l.expires_at
        FROM leases AS l
        LEFT JOIN users AS u ON u.id::text = substring(l.name FROM '^payment:user:(.*)$')
        WHERE l.name LIKE 'payment:user:%' AND l.expires_at > now()
        ORDER BY l.expires_at, l.name
        LIMIT @Rows;

        SELECT value::text FROM settings WHERE key = 'payment_fallback_mode'
        """;

    public static async Task<CounterView> ReadAsync(Tx tx, BusinessZone zone)
    {
        await using var answers = await tx.QueryMultipleAsync(Snapshot, new { Zone = zone.Id, Rows });
        var now = await answers.ReadSingleAsync<DateTime>();
        return new()
        {
            Now = now,
            Terminals = [.. await answers.ReadAsync<Terminal>()],
            Queue = [.. await answers.ReadAsync<QueuedPayment>()],
            Payments = [.. await answers.ReadAsync<CounterPayment>()],
            Totals = [.. await answers.ReadAsync<Total>()],
            Locks = [.. await answers.ReadAsync<PayerLock>()],
            Fallback = Fallback.Read(await answers.ReadSingleOrDefaultAsync<string?>(), now),
        };
    }
}

internal sealed class Terminal
{
    public long Id { get; init; }
    public string Name { get; init; } = "";

    /// <summary>available, busy or offline.</summary>
    public string Status { get; init; } = "";

    /// <summary>Of the payment on it, else of the last change.</summary>
    public DateTime Since { get; init; }

    public DateTime? LastSeenAt { get; init; }
    public string LastError { get; init; } = "";

    /// <summary>It takes nothing before.</summary>
    public DateTime? RetryAt { get; init; }

    /// <summary>Of the payment on it, of which the result is not known yet; likewise the rest.</summary>
    public long? PaymentId { get; init; }

    public string? PaymentStatus { get; init; }
    public string? Payer { get; init; }
    public long? AmountMinor { get; init; }
    public string? Currency { get; init; }
}

internal sealed class QueuedPayment
{
    /// <summary>1 is next.</summary>
    public long Place { get; init; }

    public int OfAll { get; init; }
    public long Id { get; init; }
    public long PaymentId { get; init; }
    public string Payer { get; init; } = "";
    public long AmountMinor { get; init; }
    public string Currency { get; init; } = "";
    public string Purpose { get; init; } = "";

    /// <summary>waiting, processing or unknown.</summary>
    public string Status { get; init; } = "";

    public DateTime CreatedAt { get; init; }
    public int Attempts { get; init; }
    public string Reason { get; init; } = "";
    public string? Terminal { get; init; }
}

internal sealed class CounterPayment
{
    public long Id { get; init; }
    public int OfAll { get; init; }
    public DateTime At { get; init; }
    public string Payer { get; init; } = "";
    public long AmountMinor { get; init; }
    public long AmountRefundedMinor { get; init; }
    public string Currency { get; init; } = "";
    public string Method { get; init; } = "";
    public string Purpose { get; init; } = "";
    public string Status { get; init; } = "";
    public string? FailureCode { get; init; }
    public string? ReceiptNumber { get; init; }
}

/// <summary>What succeeded today, less what was given back of it.</summary>
internal sealed class Total
{
    public string Currency { get; init; } = "";
    public string Method { get; init; } = "";
    public long Count { get; init; }
    public long AmountMinor { get; init; }
}

internal sealed class PayerLock
{
    public string Name { get; init; } = "";
    public string? Payer { get; init; }
    public string Holder { get; init; } = "";
    public DateTime ExpiresAt { get; init; }

    public string UserId => Name["payment:user:".Length..];
}

/// <summary>Cards wait, cash, checks and transfers go on.</summary>
internal sealed record Fallback(bool Automatic, string Reason, string Actor, DateTime? Since, DateTime? Until)
{
    /// <returns>Null when it is off or over. What cannot be read counts as on, as it does for the jobs that would charge.</returns>
    public static Fallback? Read(string? json, DateTime now)
    {
        if (json is null)
        {
            return null;
        }

        using var document = JsonDocument.Parse(json);
        var state = document.RootElement;
        if (state.ValueKind != JsonValueKind.Object)
        {
            return Unreadable(json);
        }

        return Member(state, "active") switch
        {
            null or { ValueKind: JsonValueKind.False } => null,
            { ValueKind: JsonValueKind.True } when Instant(state, "until") <= now => null,
            { ValueKind: JsonValueKind.True } => new(
                Member(state, "automatic") is { ValueKind: JsonValueKind.True }, Text(state, "reason"), Text(state, "actor"), Instant(state, "since"), Instant(state, "until")),
            _ => Unreadable(json),
        };
    }

    private static Fallback Unreadable(string json) =>
        new(false, $"payment_fallback_mode in settings cannot be read: {json}", "", null, null);

    private static JsonElement? Member(JsonElement state, string name) =>
        state.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;

    private static string Text(JsonElement state, string name) => Member(state, name)?.ToString() ?? "";

    private static DateTime? Instant(JsonElement state, string name) => DateTimeOffset.TryParse(
        Text(state, name), System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.AssumeUniversal, out var instant)
            ? instant.UtcDateTime
            : null;
}
