using Jobs.Billing;
using Jobs.Runs;

namespace Jobs.Schedules;

/// <param name="At">The instant.</param>
internal sealed record NextRun(JobDefinition Job, DateTime At);

/// <summary>A local time at which jobs are scheduled and which a change of the clock skips, or lets come twice.</summary>
internal sealed record OddTime(ClockChange Change, DateTime Local, IReadOnlyList<string> Jobs);

/// <summary>What is ahead.</summary>
/// <param name="From">From then on.</param>
/// <param name="Runs">In order.</param>
/// <param name="OddTimes">Of the twelve months ahead. Jobs of every hour have none: they miss nothing and repeat nothing.</param>
internal sealed record Forecast(DateTime From, IReadOnlyList<NextRun> Runs, IReadOnlyList<OddTime> OddTimes)
{
    public static Forecast Of(IEnumerable<JobDefinition> jobs, BusinessZone zone, DateTime from, int count)
    {
        var schedules = jobs.Select(job => (Job: job, Schedule: new CronSchedule(job.Schedule!))).ToList();
        var runs = schedules.SelectMany(s => zone.Instants(s.Schedule, from).Take(count).Select(at => new NextRun(s.Job, at)));
        var oddTimes = zone.ClockChanges(from, from.AddYears(1)).SelectMany(change => schedules
            .Where(s => !s.Schedule.EveryHour)
            .SelectMany(s => change.Hit(s.Schedule).Select(local => (Local: local, s.Job.Name)))
            .GroupBy(hit => hit.Local, hit => hit.Name)
            .OrderBy(hits => hits.Key)
            .Select(hits => new OddTime(change, hits.Key, [.. hits])));
        return new Forecast(from, [.. runs.OrderBy(run => run.At)], [.. oddTimes]);
    }
}
