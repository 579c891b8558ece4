using Jobs.Billing;
using Jobs.Runs;

namespace Jobs.Ledger;

/// <summary>How a job stands.</summary>
internal sealed class JobStatus
{
    private JobStatus(JobDefinition job, JobRow row) => (Job, Row) = (job, row);

    public JobDefinition Job { get; }

    /// <summary>Its last run that ended.</summary>
    public JobRow Row { get; }

    public PauseRow? Pause { get; private init; }
    public required IReadOnlyList<RunningRow> Running { get; init; }

    /// <summary>The last run that never ended, of all shards, unless a success followed; null: none.</summary>
    public LostRow? Lost { get; private init; }

    public required IReadOnlyList<BacklogRow> Backlog { get; init; }

    /// <summary>By the catalogue and the business zone; null: not scheduled.</summary>
    public DateTime? NextDueAt { get; private init; }

    /// <summary>
    /// No whole success for longer than the schedule, the time-out and a clock put back explain. One that never ran is late only when the
    /// ledger is old enough to know; one that is paused is not.
    /// </summary>
    public bool Late { get; private init; }

    /// <summary>Its last run failed or was interrupted, and it is one that nobody starts by hand.</summary>
    public bool Failing { get; private init; }

    /// <summary>paused, failing, late, running, never_ran or ok: the first that fits.</summary>
    public string State =>
        Pause is not null ? "paused" : Failing ? "failing" : Late ? "late" : Running.Count > 0 ? "running" : Row.Id is null ? "never_ran" : "ok";

    public static JobStatus Of(JobDefinition job, StatusView view, BusinessZone zone)
    {
        var row = view.Jobs.First(j => j.Job == job.Name);
        var paused = view.Pauses.FirstOrDefault(p => p.Job == job.Name);
        var pause = paused is not null && !(paused.Until <= view.Now) ? paused : null;
        var running = view.Running.Where(r => r.Job == job.Name).ToList();
        return new JobStatus(job, row)
        {
            Pause = pause,
            Running = running,
            Lost = view.Lost.Where(l => l.Job == job.Name).MaxBy(l => l.StartedAt),
            Backlog = [.. view.Backlog.Where(b => b.Job == job.Name)],
            NextDueAt = job.Schedule is null ? null : zone.Instants(new CronSchedule(job.Schedule), view.Now).First(),
            Late = pause is null && IsLate(job, row.LastSuccessAt, view, paused?.Until),
            Failing = pause is null && job.Kind is JobKind.Scheduled or JobKind.Schema && row.Status is "failed" or "interrupted",
        };
    }

    private static bool IsLate(JobDefinition job, DateTime? success, StatusView view, DateTime? pauseEnded)
    {
        if (job.LateAfter is not { } limit || (success ?? view.LedgerSince) is not { } since)
        {
            return false;
        }

        // What did not run while it was paused is not missing.
        since = pauseEnded > since ? pauseEnded.Value : since;
        return view.Now - since > limit;
    }
}
