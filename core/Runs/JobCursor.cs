using Jobs.Database;

namespace Jobs.Runs;

/// <summary>Up to when a job has read and handled everything: where its next run begins.</summary>
public sealed class JobCursor(Db db, JobRun run)
{
    private const string Read = "SELECT value::timestamptz FROM job_cursors WHERE job = @Job AND name = 'until'";

    /// <returns>Null before the first complete run.</returns>
    public Task<DateTime?> ReadAsync() =>
        db.TransactionAsync(tx => tx.SingleOrDefaultAsync<DateTime?>(Read, new { Job = run.Job.Name }), run.Aborting);

    // Never back, and never ahead of the clock: neither a run as of another day nor an older run may lose a stretch of time.
    private const string Move =
        """
        INSERT INTO job_cursors AS c (job, name, value)
        VALUES (@Job, 'until', to_char(least(@Now::timestamptz, clock_timestamp()) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        ON CONFLICT (job, name) DO UPDATE
        SET value = greatest(c.value, excluded.value), updated_at = clock_timestamp()
        """;

    /// <summary>To the run's now - unless something failed, was left out, or the run is stopping: then the next run reads it all again.</summary>
    public async Task MoveAsync()
    {
        if (!run.DryRun && !run.Options.Partial && run.Counters["failed"] == 0 && !run.Stopping.IsCancellationRequested)
        {
            await db.TransactionAsync(tx => tx.ExecuteAsync(Move, new { Job = run.Job.Name, run.Now }), run.Aborting);
        }
    }
}
