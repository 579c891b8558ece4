using System.Runtime.CompilerServices;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

public sealed class DueSubscription
{
    public long Id { get; init; }
    public long UserId { get; init; }
    public DateTime EndedAt { get; init; }
    public long AmountMinor { get; init; }
    public string Currency { get; init; } = "";
    public bool HasMethod { get; init; }

    /// <summary>An earlier attempt's PaymentIntent may still be paid by the customer.</summary>
    public bool HasOpenAttempt { get; init; }

    /// <summary>Where a notice is required: it was not sent yet, or not long enough ago.</summary>
    public bool AwaitsNotice { get; init; }
}

/// <summary>The due subscriptions of a run, by <see cref="Renewal"/>.</summary>
public sealed class DueSubscriptions(JobRun run, Db db, BusinessZone zone, JobOptions options)
{
    private readonly TimeSpan? _notice = options.Get(RenewalNotice.Required);

    // What a run books bears its "now": what this run renewed, by a replay or a charge, is not charged again in it, however
    // long the outage. An attempt that charged nothing is no reason to wait for another day.
    private const string From =
        $"""
        FROM subscriptions AS s
        JOIN plans AS p ON p.id = s.plan_id
        JOIN users AS u ON u.id = s.user_id
        {Renewal.Method}
        WHERE {Renewal.Due}
          AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.succeeded_at >= @Now)
          AND (@Only::bigint IS NULL OR s.id = @Only)
          AND (@Count = 1 OR s.id % @Count = @Index)
        """;

    public string Planned =>
        $"SELECT p.currency, count(*) AS charges, sum(p.amount_minor)::bigint AS amount_minor {From}{Noticed} AND method.usable IS NOT NULL GROUP BY p.currency";

    /// <summary>Goes with <see cref="Renewal.Due"/>; nothing where no notice is required.</summary>
    public string Noticed => _notice is null ? "" : $" AND {RenewalNotice.Given}";

    private string Select =>
        $"""
        SELECT s.id, s.user_id, s.ended_at, p.amount_minor, p.currency, method.usable IS NOT NULL AS has_method,
               EXISTS ({Attempts.OpenOf}) AS has_open_attempt{(_notice is null ? "" : $", NOT {RenewalNotice.Given} AS awaits_notice")}
        {From}
          AND (s.ended_at, s.id) > (@AfterEnd, @AfterId)
        ORDER BY s.ended_at, s.id
        LIMIT @Size
        """;

    public IAsyncEnumerable<DueSubscription> ReadAsync() => _notice is null ? AllAsync() : NoticedAsync();

    /// <summary>Those that await their notice are counted and left: charged later, not never.</summary>
    private async IAsyncEnumerable<DueSubscription> NoticedAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        await foreach (var subscription in AllAsync().WithCancellation(cancellation))
        {
            if (subscription.AwaitsNotice)
            {
                run.Count("awaiting_notice", subscription.Id, ("ended_at", subscription.EndedAt));
            }
            else
            {
                yield return subscription;
            }
        }
    }

    private IAsyncEnumerable<DueSubscription> AllAsync() =>
        Keyset.ReadAsync<DueSubscription, (DateTime End, long Id)>(
            run, db, Select, Keyset.Beginning, s => (s.EndedAt, s.Id),
            (after, size) => Parameters(after.End, after.Id, size));

    public object Parameters(DateTime? afterEnd = null, long afterId = 0, int size = 0) => new
    {
        run.Now,
        EndOfToday,
        NoticedBy,
        Zone = zone.Id,
        AfterEnd = afterEnd,
        AfterId = afterId,
        Size = size,
        run.Options.Only,
        run.Options.Shard.Count,
        run.Options.Shard.Index,
    };

    public DateTime EndOfToday => Renewal.EndOfToday(zone, run.Now);

    /// <summary>When a notice must have been sent at the latest; null where none is required.</summary>
    public DateTime? NoticedBy => run.Now - _notice;
}
