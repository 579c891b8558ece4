using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Ledger;

/// <summary>What the database says of all jobs at one moment: all of it from one snapshot, and never more than a few rows of anything.</summary>
internal sealed class StatusView
{
    /// <summary>Counting ends here: what waits is "1,000 or more" then.</summary>
    public const int Most = 1000;

    public required DateTime Now { get; init; }

    /// <summary>Of the oldest run on record; null: none ever.</summary>
    public required DateTime? LedgerSince { get; init; }

    public required IReadOnlyList<JobRow> Jobs { get; init; }
    public required IReadOnlyList<RunningRow> Running { get; init; }
    public required IReadOnlyList<LostRow> Lost { get; init; }
    public required IReadOnlyList<PauseRow> Pauses { get; init; }
    public required IReadOnlyList<BacklogRow> Backlog { get; init; }
    public required string? FallbackMode { get; init; }

    // Compiling a statement takes longer than any of these lasts.
    private const string Begin =
        """
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        SET LOCAL jit = off;
        SELECT clock_timestamp() AS now, EXISTS (SELECT FROM schemaversions WHERE scriptname = @LatestScript) AS migrated
        """;

    // A success of a shard counts when every shard has one; one for the past is no success of today. "job BETWEEN x AND x ORDER BY job" leaves
    // the planner no way but the index that begins with the job: by age alone it would read years of the others' runs to the last of this one.
    private const string PerJob =
        """
        SELECT j.name AS job, ended.*, success.since AS last_success_at, failures.in_a_row AS failures_in_a_row, skipped.started_at AS skipped_at,
               skipped.error AS skipped_because, (SELECT count(*) FROM job_item_failures AS f WHERE f.job = j.name AND f.parked_at IS NOT NULL) AS parked
        FROM unnest(@Jobs) WITH ORDINALITY AS j (name, place)
        LEFT JOIN LATERAL (
            SELECT r.id, r.trigger, r.shard, r.as_of, r.partial, r.status, r.started_at, r.finished_at, r.counters::text AS counters, r.error, r.host, r.version
            FROM ((SELECT * FROM job_runs AS s WHERE s.job BETWEEN j.name AND j.name AND s.status = 'succeeded' ORDER BY s.job, s.started_at DESC LIMIT 1)
                  UNION ALL
                  (SELECT * FROM job_runs AS f WHERE f.job BETWEEN j.name AND j.name AND f.status IN ('failed', 'interrupted') ORDER BY f.job, f.started_at DESC LIMIT 1)) AS r
            ORDER BY r.started_at DESC LIMIT 1
        ) AS ended ON true
        LEFT JOIN LATERAL (
            SELECT max(complete.since) FILTER (WHERE complete.is_whole) AS since, max(complete.of_shard) AS of_shard
            FROM (
                SELECT min(shard.latest) AS since, max(shard.any_success) FILTER (WHERE shard.name = coalesce(ended.shard, '0/1')) AS of_shard,
                       count(*) FILTER (WHERE shard.latest IS NOT NULL) = split_part(min(shard.name), '/', 2)::int AS is_whole
                FROM (
                    SELECT coalesce(s.shard, '0/1') AS name, max(s.started_at) AS any_success,
                           max(least(coalesce(s.as_of, s.started_at), s.started_at)) FILTER (WHERE NOT s.partial) AS latest
                    FROM (SELECT shard, as_of, partial, started_at FROM job_runs AS k
                          WHERE k.job BETWEEN j.name AND j.name AND k.status = 'succeeded' ORDER BY k.job, k.started_at DESC LIMIT 100) AS s
                    GROUP BY 1
                ) AS shard
                GROUP BY split_part(shard.name, '/', 2)
            ) AS complete
        ) AS success ON true
        LEFT JOIN LATERAL (
            SELECT count(*)::int AS in_a_row
            FROM (SELECT FROM job_runs AS f
                  WHERE f.job BETWEEN j.name AND j.name AND f.status IN ('failed', 'interrupted') AND f.started_at > coalesce(success.of_shard, '-infinity')
                  ORDER BY f.job, f.started_at DESC LIMIT @Most) AS f
        ) AS failures ON true
        LEFT JOIN LATERAL (
            SELECT k.started_at, k.error
            FROM (SELECT started_at, status, error FROM job_runs AS l WHERE l.job BETWEEN j.name AND j.name ORDER BY l.job, l.started_at DESC LIMIT 1) AS k
            WHERE k.status = 'skipped'
        ) AS skipped ON true
        ORDER BY j.place
        """;

    private const string RunningNow =
        """
        SELECT r.id, r.job, r.shard, r.started_at, r.trigger, r.host, l.holder, l.expires_at, coalesce(l.expires_at > clock_timestamp(), false) AS alive
        FROM job_runs AS r
        LEFT JOIN leases AS l ON l.name = r.job || coalesce(' ' || r.shard, '') AND right(l.holder, 32) = replace(r.id::text, '-', '')
        WHERE r.status = 'running'
        ORDER BY r.started_at
        LIMIT 100
        """;

    private const string Paused = "SELECT job, reason, until, actor, created_at FROM job_pauses ORDER BY job";

    // Each counts a few rows of a partial index, by the very condition of the job that works it off.
    private const string Waiting =
        $"""
        SELECT 'autopayment' AS job, 'due' AS name, count(*) AS count, min(at) AS oldest_at
        FROM (SELECT s.ended_at AS at FROM subscriptions AS s JOIN plans AS p ON p.id = s.plan_id WHERE {Renewal.Due} ORDER BY s.ended_at, s.id LIMIT @Most) AS w
        UNION ALL
        SELECT 'expire-subscriptions', 'lapsed', count(*), min(at)
        FROM (SELECT s.ended_at AS at FROM subscriptions AS s WHERE {Lapse.IsLapsed} ORDER BY s.ended_at, s.id LIMIT @Most) AS w
        UNION ALL
        SELECT 'match-pending-payments', 'to_check', count(*), min(at)
        FROM (SELECT p.created_at AS at FROM payments AS p WHERE {UnresolvedPayment.IsAskedAboutNow} ORDER BY p.created_at, p.id LIMIT @Most) AS w
        UNION ALL
        SELECT 'expire-payments', 'pending_too_long', count(*), min(at)
        FROM (SELECT p.created_at AS at FROM payments AS p WHERE {UnresolvedPayment.MayBeGivenUp} AND p.created_at < @GivenUpBefore ORDER BY p.created_at, p.id LIMIT @Most) AS w
        UNION ALL
        SELECT 'expire-stale-orders', 'past_their_time', count(*), min(at)
        FROM (SELECT o.expires_at AS at FROM orders AS o WHERE {StaleOrder.IsPastItsTime} ORDER BY o.expires_at, o.id LIMIT @Most) AS w
        UNION ALL
        SELECT 'send-notifications', 'waiting', count(*), min(at)
        FROM (SELECT n.created_at AS at FROM notifications AS n WHERE n.status = 'pending' ORDER BY n.id LIMIT @Most) AS w
        UNION ALL
        SELECT 'send-notifications', 'unknown', count(*), min(at)
        FROM (SELECT n.created_at AS at FROM notifications AS n WHERE n.status = 'unknown' ORDER BY n.id LIMIT @Most) AS w
        UNION ALL
        SELECT 'process-payment-queue', CASE q.status WHEN 'processing' THEN 'on_a_reader' ELSE q.status END, count(*), min(q.created_at)
        FROM (SELECT q.status, q.created_at FROM payment_queue AS q WHERE q.status IN ('waiting', 'processing', 'unknown') ORDER BY q.position LIMIT @Most) AS q
        GROUP BY 2
        UNION ALL
        SELECT 'match-successful-payments', 'unmatched', count(*), min(at)
        FROM (SELECT u.created_at AS at FROM unmatched_payments AS u WHERE u.resolved_at IS NULL ORDER BY u.id LIMIT @Most) AS w
        UNION ALL
        SELECT 'expire-stale-orders', 'refund_due', count(*), min(at)
        FROM (SELECT o.updated_at AS at FROM orders AS o WHERE o.status = 'refund_due' ORDER BY o.id LIMIT @Most) AS w
        """;

    /// <exception cref="OperatorException">The database is older than this version.</exception>
    public static async Task<StatusView> ReadAsync(Tx tx, BusinessZone zone, RenewalPolicy policy, IReadOnlyCollection<string> jobs)
    {
        var now = await MomentAsync(tx);
        await using var answers = await tx.QueryMultipleAsync(
            $"SELECT min(started_at) FROM job_runs;\n{PerJob};\n{RunningNow};\n{LostRun.Last};\n{Paused};\n{Waiting};\nSELECT value::text FROM settings WHERE key = 'payment_fallback_mode'",
            new
            {
                Jobs = jobs.ToArray(),
                Leased = LostRun.Leased.Intersect(jobs).ToArray(),
                Most,
                Now = now,
                EndOfToday = Renewal.EndOfToday(zone, now),
                Zone = zone.Id,
                Before = now - policy.Grace,
                GivenUpBefore = now - UnresolvedPayment.GivenUpAfter,
            });
        return new()
        {
            Now = now,
            LedgerSince = await answers.ReadSingleAsync<DateTime?>(),
            Jobs = [.. await answers.ReadAsync<JobRow>()],
            Running = [.. await answers.ReadAsync<RunningRow>()],
            Lost = [.. await answers.ReadAsync<LostRow>()],
            Pauses = [.. await answers.ReadAsync<PauseRow>()],
            Backlog = [.. (await answers.ReadAsync<BacklogRow>()).Where(b => b.Count > 0)],
            FallbackMode = await answers.ReadSingleOrDefaultAsync<string?>(),
        };
    }

    private sealed class Moment
    {
        public DateTime Now { get; init; }
        public bool Migrated { get; init; }
    }

    /// <summary>The database's now; from here on the transaction sees one snapshot.</summary>
    /// <exception cref="OperatorException">The database is older than this version.</exception>
    public static async Task<DateTime> MomentAsync(Tx tx)
    {
        var moment = await tx.SingleAsync<Moment>(Begin, new { RunLedger.LatestScript });
        return moment.Migrated ? moment.Now : throw new OperatorException("the database lacks migrations of this version; run the job `migrate` first");
    }
}

/// <summary>A job, and its last run that came to an end; Id is null when there is none.</summary>
internal sealed class JobRow
{
    public string Job { get; init; } = "";
    public Guid? Id { get; init; }
    public string Trigger { get; init; } = "";
    public string? Shard { get; init; }
    public DateTime? AsOf { get; init; }
    public bool Partial { get; init; }

    /// <summary>succeeded, failed or interrupted.</summary>
    public string Status { get; init; } = "";

    public DateTime StartedAt { get; init; }
    public DateTime? FinishedAt { get; init; }
    public string? Counters { get; init; }
    public string? Error { get; init; }
    public string Host { get; init; } = "";
    public string Version { get; init; } = "";

    /// <summary>Of the last whole success.</summary>
    public DateTime? LastSuccessAt { get; init; }

    /// <summary>Since the last success of the same shard.</summary>
    public int FailuresInARow { get; init; }

    /// <summary>When the very last run was skipped.</summary>
    public DateTime? SkippedAt { get; init; }

    public string? SkippedBecause { get; init; }

    /// <summary>Items left alone after repeated failure.</summary>
    public long Parked { get; init; }
}

internal sealed class RunningRow
{
    public Guid Id { get; init; }
    public string Job { get; init; } = "";
    public string? Shard { get; init; }
    public DateTime StartedAt { get; init; }
    public string Trigger { get; init; } = "";
    public string Host { get; init; } = "";
    public string? Holder { get; init; }
    public DateTime? ExpiresAt { get; init; }

    /// <summary>Its lease has not run out.</summary>
    public bool Alive { get; init; }
}

/// <summary>The last run of a job, or of a shard, that never ended and that no success has followed.</summary>
internal sealed class LostRow
{
    public string Job { get; init; } = "";
    public string? Shard { get; init; }
    public Guid Id { get; init; }
    public string Host { get; init; } = "";
    public DateTime StartedAt { get; init; }

    /// <summary>When its row was closed by whoever came next; null: it is still on record as running.</summary>
    public DateTime? ClosedAt { get; init; }

    /// <summary>Runs that were skipped since it began.</summary>
    public int Skipped { get; init; }
}

internal sealed class PauseRow
{
    public string Job { get; init; } = "";
    public string Reason { get; init; } = "";
    public DateTime? Until { get; init; }
    public string Actor { get; init; } = "";
    public DateTime CreatedAt { get; init; }
}

internal sealed class BacklogRow
{
    public string Job { get; init; } = "";
    public string Name { get; init; } = "";
    public long Count { get; init; }
    public DateTime? OldestAt { get; init; }

    public bool OrMore => Count >= StatusView.Most;

    public override string ToString() => $"{Sheet.Number(Count)}{(OrMore ? " or more" : "")} {Name.Replace('_', ' ')}";
}
