using System.Globalization;
using Jobs.Billing;
using Jobs.Counter;
using Jobs.Mail;
using Jobs.Runs;
using Words = Jobs.Counter.Words;

namespace Jobs.Ledger;

/// <summary>Something that is wrong, or that waits for somebody.</summary>
/// <param name="Wrong">A job is late or failing: the exit code says so. Else it is only to be known.</param>
/// <param name="Job">Which job it is about.</param>
/// <param name="What">A sentence.</param>
/// <param name="Todo">Commands and pages that help, most useful first.</param>
internal sealed record Problem(bool Wrong, string Job, string What, string[] Todo)
{
    private const string LatePage = "docker/runbooks/job-late.md";
    private const string FailedPage = "docker/runbooks/job-failed.md";
    private const string NeverEndedPage = "docker/runbooks/job-never-ended.md";

    /// <summary>Of all jobs, the worst first.</summary>
    public static List<Problem> Of(IReadOnlyList<JobStatus> jobs, StatusView view, BusinessZone zone)
    {
        var problems = jobs.SelectMany(job => Of(job, view, zone)).ToList();
        if (jobs.Any(job => job.Job.Name == "process-payment-queue") && Fallback.Read(view.FallbackMode, view.Now) is { } fallback)
        {
            problems.Add(new(
                false, "process-payment-queue", $"cards wait at the counter, fallback mode: {OneLine.Of(fallback.Reason)} ({Words.By(fallback, view.Now, zone)})",
                ["jobctl dashboard", "fallback-mode --deactivate --actor NAME"]));
        }

        return [.. problems.OrderByDescending(p => p.Wrong)];
    }

    private static IEnumerable<Problem> Of(JobStatus status, StatusView view, BusinessZone zone)
    {
        var (job, row, now) = (status.Job, status.Row, view.Now);
        var name = job.Name;
        if (status.Failing)
        {
            yield return new(
                true, name,
                $"{name} {(row.Status == "interrupted" ? "was interrupted" : "failed")}{Times(status)}, last at {Words.When(row.StartedAt, now, zone)}: {OneLine.Of(row.Error ?? "no reason given")}",
                [$"jobctl show {row.Id}", FailedPage]);
        }

        if (status.Late)
        {
            var limit = Duration.Format(job.ExpectedInterval!.Value);
            yield return new(
                true, name,
                row.LastSuccessAt is { } success
                    ? $"{name} is late: its last success was {Words.For(success, now)} ago, expected every {limit}{Skipped(row, now, zone)}"
                    : $"{name} is late: it has never succeeded, expected every {limit}{Skipped(row, now, zone)}",
                row.LastSuccessAt is null && row.Id is null
                    ? [LatePage, $"jobctl pause {name} --reason TEXT where it is not wanted"]
                    : [$"jobctl history {name}", LatePage]);
        }

        foreach (var problem in status.Running.SelectMany(r => OfRun(status, r, now)))
        {
            yield return problem;
        }

        // One that nobody has closed yet is among those that run.
        if (status.Lost is { } lost && (lost.ClosedAt is not null || lost.Skipped > 0))
        {
            yield return new(
                false, name,
                $"{name}: the run {lost.Id} of {Words.When(lost.StartedAt, now, zone)}{(lost.Host.Length > 0 ? $" on {OneLine.Of(lost.Host)}" : "")} never ended, "
                + $"and no run has succeeded since{(lost.Skipped > 0 ? $"; {Count(lost.Skipped, "run")} after it {(lost.Skipped == 1 ? "was" : "were")} skipped{Skipped(row, now, zone)}" : "")}",
                [$"jobctl show {lost.Id}", NeverEndedPage]);
        }

        if (status.Pause is { } pause)
        {
            yield return new(false, name, $"{name} is paused {Words.Until(pause, now, zone)}, by {By(pause.Actor)} since {Words.When(pause.CreatedAt, now, zone)}: {OneLine.Of(pause.Reason)}", [$"jobctl resume {name}"]);
        }

        if (row.Parked > 0)
        {
            yield return new(false, name, $"{name} leaves {Count(row.Parked, "item")} alone after repeated failure", ["jobctl resolve list"]);
        }

        foreach (var backlog in status.Backlog)
        {
            if (OfBacklog(backlog, now) is { } problem)
            {
                yield return problem;
            }
        }
    }

    private static IEnumerable<Problem> OfRun(JobStatus status, RunningRow run, DateTime now)
    {
        var (name, since) = (status.Job.Name, Words.For(run.StartedAt, now));
        if (status.Job.Kind == JobKind.Scheduled && (!run.Alive || (run.Holder is { } holder && LeaseHolder.IsGone(holder))))
        {
            yield return new(
                false, name, $"{name}: the run {run.Id} is on record as running for {since}, and its process is gone: the next run closes it and goes on",
                [$"jobctl run {name}", "jobctl doctor"]);
        }
        else if (now - run.StartedAt > status.Job.Deadline)
        {
            yield return new(false, name, $"{name} has been running for {since}, longer than its time limit of {Duration.Format(status.Job.Timeout)} unless it was given more", [$"jobctl show {run.Id}", LatePage]);
        }
    }

    private static Problem? OfBacklog(BacklogRow backlog, DateTime now)
    {
        var count = $"{Sheet.Number(backlog.Count)}{(backlog.OrMore ? " or more" : "")}";
        var oldest = backlog.OldestAt is { } at ? $", the oldest for {Words.For(at, now)}" : "";
        return (backlog.Job, backlog.Name) switch
        {
            ("match-successful-payments", "unmatched") => new(false, backlog.Job, $"{count} payments arrived that fit nothing, and wait for somebody{oldest}", ["jobctl resolve list"]),
            ("expire-stale-orders", "refund_due") => new(false, backlog.Job, $"{count} orders were paid after they had expired, and the money is to go back{oldest}", ["jobctl resolve list"]),
            ("send-notifications", "unknown") => new(false, backlog.Job, $"of {count} mails nobody knows whether they were delivered{oldest}", ["jobctl resolve list"]),
            ("process-payment-queue", "unknown") when now - backlog.OldestAt > TimeSpan.FromMinutes(15) =>
                new(false, backlog.Job, $"of {count} payments at a card terminal nobody knows whether the card was charged{oldest}", ["jobctl dashboard", "jobctl resolve list"]),
            _ => null,
        };
    }

    private static string Times(JobStatus status) => status.Row.FailuresInARow switch
    {
        <= 1 => "",
        >= StatusView.Most => $" {Sheet.Number(StatusView.Most)} times or more in a row",
        var times => $" {Sheet.Number(times)} times in a row",
    };

    private static string Skipped(JobRow row, DateTime now, BusinessZone zone) =>
        row.SkippedAt is { } at ? $"; the run of {Words.When(at, now, zone)} was skipped{(row.SkippedBecause is { Length: > 0 } why ? $": {OneLine.Of(why)}" : "")}" : "";

    private static string By(string actor) => actor.Length == 0 ? "somebody" : OneLine.Of(actor);

    private static string Count(long number, string what) => string.Create(CultureInfo.InvariantCulture, $"{number:N0} {what}{(number == 1 ? "" : "s")}");
}
