using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Doctor;

/// <summary>What runs leave behind that ended without a word, and what waits for people.</summary>
internal sealed class RunChecks(Db db, Repairs? repairs)
{
    public IEnumerable<Check> All() => [new("leases", LeasesAsync), new("runs", RunsAsync), new("pauses", PausesAsync), new("open matters", OpenAsync)];

    internal sealed class Lease
    {
        public string Name { get; init; } = "";
        public string Holder { get; init; } = "";
        public DateTime ExpiresAt { get; init; }
        public bool Lapsed { get; init; }
    }

    // A run that ends takes its lease along; one that ran out long ago is of a run that did not.
    private const string Leases = "SELECT name, holder, expires_at, expires_at < clock_timestamp() - interval '10 minutes' AS lapsed FROM leases ORDER BY name LIMIT 5000";

    private async Task<Finding> LeasesAsync(CancellationToken cancellation)
    {
        var leases = await db.TransactionAsync(tx => tx.QueryAsync<Lease>(Leases), cancellation);
        var orphans = leases.Where(lease => lease.Lapsed || LeaseHolder.IsGone(lease.Holder)).ToList();
        if (orphans.Count == 0)
        {
            return Finding.Ok("leases", $"{leases.Count} are held, none of them by the dead");
        }

        var says = $"held by processes that are gone: {Ranges.Listed(orphans, lease => lease.Name)}";
        return repairs is null
            ? Finding.Warning("leases", says, "the next run takes each over by itself; doctor --fix releases them now")
            : new("leases", Health.Fixed, $"{says}; {await repairs.ReleaseAsync(orphans)} released");
    }

    internal sealed class Running
    {
        public Guid Id { get; init; }
        public string Job { get; init; } = "";
        public DateTime StartedAt { get; init; }
        public string? Holder { get; init; }
        public bool Alive { get; init; }
        public bool LongAgo { get; init; }
        public bool DaysAgo { get; init; }
    }

    private const string RunningRows =
        """
        SELECT r.id, r.job, r.started_at, l.holder, coalesce(l.expires_at > clock_timestamp(), false) AS alive,
               r.started_at < clock_timestamp() - interval '2 minutes' AS long_ago, r.started_at < clock_timestamp() - interval '1 day' AS days_ago
        FROM job_runs AS r
        LEFT JOIN leases AS l ON right(l.holder, 32) = replace(r.id::text, '-', '')
        WHERE r.status = 'running'
        ORDER BY r.started_at
        LIMIT 5000
        """;

    private async Task<Finding> RunsAsync(CancellationToken cancellation)
    {
        var running = await db.TransactionAsync(tx => tx.QueryAsync<Running>(RunningRows), cancellation);
        var dead = running.Where(IsDead).ToList();
        if (dead.Count == 0)
        {
            return Finding.Ok("runs", $"{running.Count} are running, each with its lease");
        }

        var says = $"in the ledger as running, and dead: {Ranges.Listed(dead, r => $"{r.Job} since {r.StartedAt:u}")}";
        return repairs is null
            ? Finding.Warning("runs", says, "the job's next run closes them; doctor --fix does it now")
            : new("runs", Health.Fixed, $"{says}; {await repairs.CloseAsync(dead)} closed as failed");
    }

    // On demand there is no lease: only time tells.
    private static bool IsDead(Running r) =>
        Catalogue.Jobs.Any(job => job.Name == r.Job && job.Kind == JobKind.Scheduled)
            ? r.Holder is { } holder && LeaseHolder.IsGone(holder) || (!r.Alive && r.LongAgo)
            : r.DaysAgo;

    private sealed class Paused
    {
        public string Job { get; init; } = "";
        public string Reason { get; init; } = "";
        public DateTime? Until { get; init; }
    }

    private async Task<Finding> PausesAsync(CancellationToken cancellation)
    {
        var paused = await db.TransactionAsync(
            tx => tx.QueryAsync<Paused>("SELECT job, reason, until FROM job_pauses WHERE until IS NULL OR until > clock_timestamp() ORDER BY job"), cancellation);
        return paused.Count == 0 ? Finding.Ok("pauses", "no job is paused")
            : Finding.Warning("pauses", string.Join("; ", paused.Select(p => $"{p.Job}{(p.Until is { } until ? $" until {until:u}" : "")}: {p.Reason}")), "jobctl resume JOB, when the reason is gone");
    }

    private sealed class Open
    {
        public long Unmatched { get; init; }
        public long RefundDue { get; init; }
        public long Terminals { get; init; }
        public long Mails { get; init; }
        public long Items { get; init; }
    }

    private const string CountOpen =
        """
        SELECT (SELECT count(*) FROM unmatched_payments WHERE resolved_at IS NULL) AS unmatched,
               (SELECT count(*) FROM orders WHERE status = 'refund_due') AS refund_due,
               (SELECT count(*) FROM payment_queue WHERE status = 'unknown') AS terminals,
               (SELECT count(*) FROM notifications WHERE status IN ('failed', 'unknown') AND resolved_at IS NULL) AS mails,
               (SELECT count(*) FROM job_item_failures WHERE parked_at IS NOT NULL AND dropped_at IS NULL) AS items
        """;

    private async Task<Finding> OpenAsync(CancellationToken cancellation)
    {
        var open = await db.TransactionAsync(tx => tx.SingleAsync<Open>(CountOpen), cancellation);
        string[] parts =
        [
            .. open.Unmatched > 0 ? [$"{open.Unmatched} unmatched payments"] : Array.Empty<string>(),
            .. open.RefundDue > 0 ? [$"{open.RefundDue} orders to be refunded"] : Array.Empty<string>(),
            .. open.Terminals > 0 ? [$"{open.Terminals} unknown results of card terminals"] : Array.Empty<string>(),
            .. open.Mails > 0 ? [$"{open.Mails} mails failed or unknown"] : Array.Empty<string>(),
            .. open.Items > 0 ? [$"{open.Items} parked items"] : Array.Empty<string>(),
        ];
        return parts.Length == 0 ? Finding.Ok("open matters", "nothing waits for people to decide")
            : Finding.Warning("open matters", string.Join(", ", parts), "jobctl resolve list");
    }
}
