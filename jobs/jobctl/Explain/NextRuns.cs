using Jobs.Billing;
using Jobs.Ledger;
using Jobs.Mail;
using Jobs.Runs;
using Words = Jobs.Counter.Words;

namespace Jobs.Explain;

/// <summary>Something that will happen.</summary>
/// <param name="At">When; null: nobody knows, or not by itself.</param>
/// <param name="Subject">Which row.</param>
/// <param name="What">A sentence.</param>
/// <param name="Job">Which job does it.</param>
/// <param name="Todo">What somebody can do about it.</param>
internal sealed record Ahead(DateTime? At, string Subject, string What, string? Job = null, string? Todo = null);

/// <summary>When the jobs run next, by the catalogue, the business zone and what is paused.</summary>
internal sealed class NextRuns(BusinessZone zone, DateTime now, IReadOnlyList<PauseRow> pauses)
{
    public DateTime Now => now;

    /// <summary>The first run of a job from then on, paused or not.</summary>
    public DateTime First(string job, DateTime from) =>
        zone.Instants(new CronSchedule(Catalogue.Find(job).Schedule!), from > now ? from : now).First();

    /// <summary>What the first run of a job from then on will do, or why there is none.</summary>
    public Ahead By(string job, DateTime from, string subject, string what)
    {
        if (pauses.FirstOrDefault(p => p.Job == job) is not { } pause)
        {
            return new(First(job, from), subject, what, job);
        }

        var because = $"{job} is paused by {OneLine.Of(pause.Actor.Length > 0 ? pause.Actor : "somebody", 60)}, {Words.Until(pause, now, zone)}: {OneLine.Of(pause.Reason)}";
        return new(pause.Until is { } until ? First(job, until > from ? until : from) : null, subject, $"{what} - held: {because}", job, $"jobctl resume {job}");
    }
}
