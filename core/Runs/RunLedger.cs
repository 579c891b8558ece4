using System.Diagnostics;
using Jobs.Database;

namespace Jobs.Runs;

/// <summary>What the ledger said when the run began; from <see cref="Acquired"/> on only if it asked for the lease.</summary>
internal sealed class RunStart
{
    public DateTime Now { get; init; }
    public bool Migrated { get; init; }
    public bool Paused { get; init; }
    public string? PauseReason { get; init; }
    public DateTime? PausedUntil { get; init; }
    public bool Acquired { get; init; }
    public string? Holder { get; init; }
    public DateTime? HeldUntil { get; init; }

    /// <summary>Of the run that holds it, where the ledger knows that run.</summary>
    public DateTime? HolderSince { get; init; }

    public string? HolderHost { get; init; }

    /// <summary>Another run holds the lease.</summary>
    public bool IsHeld => Migrated && !Paused && !Acquired;

    /// <summary>Who has the lease that this run asked for, as an operator reads it.</summary>
    public string Held()
    {
        if (Holder is null)
        {
            return "another run has just taken the lease";
        }

        var who = LeaseHolder.Run(Holder) is { } run ? $"run {run} on host {HolderHost ?? LeaseHolder.Host(Holder)}" : Holder;
        var since = HolderSince is { } began ? $", since {began:yyyy-MM-dd'T'HH:mm:ss'Z'}" : "";
        return $"another run holds the lease: {who}{since}, renewed until {HeldUntil:yyyy-MM-dd'T'HH:mm:ss'Z'}";
    }
}

/// <summary>
/// The run ledger (`job_runs`, `job_totals`) and the lease that keeps a second run of the same job and shard away. The
/// lease is a courtesy: what a lost lease could spoil is held by compare-and-set and unique indexes underneath.
/// </summary>
internal sealed class RunLedger(Db db, JobDefinition job, RunOptions options, Guid runId, Settings settings)
{
    /// <summary>The newest script this version needs; a test keeps it equal to the last file in migrations/scripts.</summary>
    public const string LatestScript = "0014_settled_by_hand.sql";

    /// <summary>How the row of a run is closed that was killed.</summary>
    public const string WithoutAWord = "ended without a word: killed, or its host was lost";

    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(1);

    private readonly string _holder = LeaseHolder.Current(runId);
    private readonly string _lease = options.Shard.IsAll ? job.Name : $"{job.Name} {options.Shard}";

    private const string Look =
        """
        SELECT clock_timestamp() AS now,
               EXISTS (SELECT FROM schemaversions WHERE scriptname = @LatestScript) AS migrated,
               pause.job IS NOT NULL AS paused, pause.reason AS pause_reason, pause.until AS paused_until
        FROM (SELECT 1) AS one
        LEFT JOIN job_pauses AS pause ON pause.job = @Job AND (pause.until IS NULL OR pause.until > clock_timestamp())
        """;

    // A pause leaves a `skipped` row; another's lease leaves nothing yet, for the run waits. The holder that is replaced, if any,
    // ended without a word: its row is closed here. Without a lease only time tells that a run is gone.
    private const string Begin =
        $"""
        WITH look AS ({Look}),
        lease AS (
            INSERT INTO leases AS held (name, holder, expires_at)
            SELECT @Lease, @Holder, look.now + @LeaseLength
            FROM look
            WHERE NOT look.paused AND look.migrated AND @TakesLease
            ON CONFLICT (name) DO UPDATE
            SET holder = excluded.holder, expires_at = excluded.expires_at
            WHERE held.expires_at < clock_timestamp() OR held.holder = @Holder OR held.holder = @Gone
            RETURNING name
        ),
        died AS (
            UPDATE job_runs
            SET status = 'failed', finished_at = clock_timestamp(),
                error = '{WithoutAWord}'
            WHERE job = @Job AND status = 'running' AND id <> @RunId
              AND CASE WHEN @TakesLease THEN shard IS NOT DISTINCT FROM @Shard AND EXISTS (SELECT FROM lease)
                  ELSE started_at < clock_timestamp() - interval '1 day' END
        ),
        begun AS (
            INSERT INTO job_runs (id, job, trigger, actor, as_of, shard, partial, status, started_at, finished_at, error, host, version)
            SELECT @RunId, @Job, @Trigger, @Actor, @AsOf::timestamptz, @Shard, @Partial,
                   CASE WHEN go.on THEN 'running' ELSE 'skipped' END, look.now,
                   CASE WHEN go.on THEN NULL ELSE look.now END,
                   CASE WHEN go.on THEN NULL ELSE 'paused' END,
                   @Host, @Version
            FROM look, LATERAL (SELECT EXISTS (SELECT FROM lease) OR NOT @TakesLease AS on) AS go
            WHERE look.migrated AND (go.on OR look.paused)
            ON CONFLICT (id) DO UPDATE SET status = excluded.status, finished_at = excluded.finished_at, error = excluded.error
        )
        SELECT look.*, EXISTS (SELECT FROM lease) OR NOT @TakesLease AS acquired, held.holder, held.expires_at AS held_until,
               holder.started_at AS holder_since, holder.host AS holder_host
        FROM look
        LEFT JOIN leases AS held ON held.name = @Lease
        LEFT JOIN job_runs AS holder ON holder.id = CASE WHEN length(held.holder) > 32 AND right(held.holder, 32) ~ '^[0-9a-f]+$' THEN right(held.holder, 32)::uuid END
        """;

    private const string Renew =
        "UPDATE leases SET expires_at = clock_timestamp() + @LeaseLength WHERE name = @Lease AND holder = @Holder";

    private const string Finished =
        """
        WITH finished AS (
            UPDATE job_runs
            SET status = @Status, finished_at = clock_timestamp(), counters = @Counters::jsonb, error = @Error
            WHERE id = @RunId AND status = 'running'
            RETURNING id, job, shard, partial
        ),
        totals AS (
            INSERT INTO job_totals AS total (job, counter, value)
            SELECT finished.job, counter.key, counter.value::bigint
            FROM finished, jsonb_each_text(@Counters::jsonb) AS counter
            WHERE counter.value <> '0'
            ON CONFLICT (job, counter) DO UPDATE SET value = total.value + excluded.value
        )
        """;

    private const string Release =
        """

        DELETE FROM leases WHERE name = @Lease AND holder = @Holder
        """;

    private const string Finish = $"{Finished}{Release}";

    private const string FinishAndTell = $"{Finished},\n{JobAlarm.TellFailing}{Release}";

    public RunStart Start { get; private set; } = new();

    public LeaseLife Life { get; } = job.Kind == JobKind.Scheduled && !options.DryRun ? LeaseLife.From(settings) : LeaseLife.Default;

    /// <summary>Nobody renewed the lease that another run holds for as long as this one waited: a wrong clock, or a hand, set its end.</summary>
    public bool IsStale { get; private set; }

    /// <summary>
    /// Takes the lease and opens the run's row, or says in <see cref="Start"/> why not. A lease that another run holds is waited for:
    /// until it is free or has run out, for then its holder is done or dead and this run goes on; or until it was renewed or has passed to
    /// a third run, for then one is at work. Nothing is written while it waits. A dry run only looks.
    /// </summary>
    /// <param name="waits">Told once, when the wait begins.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task BeginAsync(Action waits, CancellationToken cancellation)
    {
        if (options.DryRun)
        {
            await TryAsync(Look, null, cancellation);
            return;
        }

        RunStart? first = null;
        string? gone = null;
        var waited = Stopwatch.StartNew();
        while (true)
        {
            await TryAsync(Begin, gone, cancellation);
            if (!Start.IsHeld)
            {
                return;
            }

            if (Start.Holder is { } holder && holder != gone && LeaseHolder.IsGone(holder))
            {
                gone = holder;
                continue;
            }

            var renewed = first is not null && Start.Holder is not null && IsRenewed(first);
            if (renewed || waited.Elapsed > Life.LongestWait)
            {
                IsStale = !renewed;
                return;
            }

            if (first is null && Start.Holder is not null)
            {
                first = Start;
                waits();
            }

            await Task.Delay(LookAgainAfter, cancellation);
        }
    }

    // By the holder, or for a third run. It may end earlier than before: where the database's clock was put back meanwhile.
    private bool IsRenewed(RunStart first) => Start.Holder != first.Holder || Start.HeldUntil != first.HeldUntil;

    private async Task TryAsync(string sql, string? gone, CancellationToken cancellation) =>
        Start = await db.TransactionAsync(
            tx => tx.SingleAndCommitAsync<RunStart>(
                sql,
                new
                {
                    LatestScript,
                    Job = job.Name,
                    Lease = _lease,
                    Holder = _holder,
                    Gone = gone,
                    LeaseLength = Life.Length,
                    TakesLease,
                    RunId = runId,
                    Trigger,
                    Actor,
                    options.AsOf,
                    Shard = options.Shard.IsAll ? null : options.Shard.ToString(),
                    options.Partial,
                    Host = Environment.MachineName,
                    JobProgram.Version,
                }),
            cancellation);

    /// <returns>False when the lease has passed to another run.</returns>
    public Task<bool> RenewAsync(CancellationToken cancellation) =>
        db.TransactionAsync(
            async tx => await tx.ExecuteAndCommitAsync(Renew, new { Lease = _lease, Holder = _holder, LeaseLength = Life.Length }) == 1, cancellation);

    public Task FinishAsync(RunStatus status, Counters counters, string? error, CancellationToken cancellation)
    {
        var staff = status == RunStatus.Failed && job.Kind == JobKind.Scheduled ? Staff() : null;
        return db.TransactionAsync(
            tx => tx.ExecuteAndCommitAsync(
                staff is null ? Finish : FinishAndTell,
                new
                {
                    RunId = runId,
                    Status = RunResult.Text(status),
                    Counters = Json(counters),
                    Error = error,
                    Lease = _lease,
                    Holder = _holder,
                    StaffEmail = staff,
                }),
            cancellation);
    }

    private string? Staff()
    {
        try
        {
            return settings.Optional("STAFF_EMAIL");
        }
        catch (OperatorException)
        {
            // Said by whoever else needs it; the end of the run is recorded in any case.
            return null;
        }
    }

    // A run that was stopped while it asked for the lease may have had it, without hearing the answer.
    private const string Record =
        $"""
        WITH recorded AS (
            INSERT INTO job_runs AS run (id, job, trigger, actor, as_of, shard, partial, status, started_at, finished_at, counters, error, host, version)
            VALUES (@RunId, @Job, @Trigger, @Actor, @AsOf::timestamptz, @Shard, @Partial, @Status, clock_timestamp() - make_interval(secs => @Seconds),
                    clock_timestamp(), @Counters::jsonb, @Error, @Host, @Version)
            ON CONFLICT (id) DO UPDATE SET status = excluded.status, finished_at = excluded.finished_at, error = excluded.error WHERE run.status = 'running'
        ){Release}
        """;

    /// <summary>The whole run at once: of the job that makes the ledger's tables, and of one that waited for the lease in vain.</summary>
    public Task RecordAsync(RunStatus status, Counters counters, string? error, TimeSpan duration, CancellationToken cancellation) =>
        db.TransactionAsync(
            tx => tx.ExecuteAsync(
                Record,
                new
                {
                    RunId = runId,
                    Job = job.Name,
                    Lease = _lease,
                    Holder = _holder,
                    Trigger,
                    Actor,
                    options.AsOf,
                    Shard = options.Shard.IsAll ? null : options.Shard.ToString(),
                    options.Partial,
                    Status = RunResult.Text(status),
                    Seconds = duration.TotalSeconds,
                    Counters = Json(counters),
                    Error = error,
                    Host = Environment.MachineName,
                    JobProgram.Version,
                }),
            cancellation);

    private string Trigger => settings.Optional("JOBS_TRIGGER") ?? "manual";

    /// <summary>The person who started it through the tool; empty: nobody in particular.</summary>
    private string Actor => settings.Optional("JOBS_ACTOR") ?? "";

    public bool TakesLease => job.Kind == JobKind.Scheduled && !options.DryRun;

    private static string Json(Counters counters) =>
        JsonText.Of([.. counters.Snapshot().Select(c => (c.Key, (object?)c.Value))]);
}
