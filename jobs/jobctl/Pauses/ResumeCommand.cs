using Jobs.Acting;
using Jobs.Runs;

namespace Jobs.Pauses;

/// <summary>
/// Ends a pause. After a backup was restored, jobs that charge or mail stay paused until match-successful-payments has learned what
/// happened since: until then they would act on what is out of date.
/// </summary>
internal static class ResumeCommand
{
    private static readonly JobOption<bool> Anyway = new(
        "--anyway", "", "Although the restored database has not caught up.", OptionValue.Flag, false, "JOBS_RESUME_ANYWAY");

    public static readonly ToolCommand Command = new(
        "resume",
        "Ends the pause of a job.",
        [Act.Reason, Anyway, Act.Actor, Act.DryRun],
        RunAsync,
        new ToolArgument("job", "Which; all-charging: those that take money from cards.", PauseCommand.Names));

    private sealed class Paused
    {
        public string Job { get; init; } = "";
        public string Reason { get; init; } = "";
        public string Actor { get; init; } = "";
        public DateTime? Until { get; init; }

        /// <summary>After a restore: match-successful-payments has not been through since.</summary>
        public bool Behind { get; init; }
    }

    // Those that learn what happened must run before those that act on it.
    private const string Find =
        """
        SELECT p.job, p.reason, p.actor, p.until,
               p.reason ILIKE '%restored from%' AND p.job NOT LIKE 'match-%'
                 AND NOT EXISTS (SELECT FROM job_runs AS r
                                 WHERE r.job = 'match-successful-payments' AND r.status = 'succeeded' AND NOT r.partial AND r.started_at > p.created_at) AS behind
        FROM job_pauses AS p
        WHERE p.job = ANY (@jobs)
        ORDER BY p.job
        """;

    private const string Resume =
        """
        WITH resumed AS (
            DELETE FROM job_pauses WHERE job = @Job AND reason = @Reason AND until IS NOT DISTINCT FROM @Until RETURNING job, reason, actor
        )
        INSERT INTO audit_logs (actor, action, subject_type, data)
        SELECT @actor, 'job.resumed', 'job_pause', jsonb_build_object('job', job, 'paused_because', reason, 'paused_by', actor, 'reason', @why::text)
        FROM resumed
        """;

    private static async Task RunAsync(ToolRun run)
    {
        var name = run.Argument ?? throw new OperatorException($"say which job, or {PauseCommand.AllCharging}: jobctl resume JOB");
        var (actor, dryRun) = (Act.ActorOf(run), run.Get(Act.DryRun));
        var jobs = name == PauseCommand.AllCharging ? PauseCommand.Charging : [name];
        var resumed = await run.Database(dryRun).TransactionAsync(
            async tx =>
            {
                var paused = await tx.QueryAsync<Paused>(Find, new { jobs });
                if (paused.Find(p => p.Behind) is { } behind && !run.Get(Anyway))
                {
                    throw new OperatorException(
                        $"{behind.Job} is paused because: {behind.Reason}; match-successful-payments has not been through since, so who paid meanwhile is not known here."
                        + " Run it first (jobctl run match-successful-payments), or give --anyway");
                }

                var ended = new List<Paused>();
                foreach (var pause in paused)
                {
                    if (dryRun || await tx.ExecuteAsync(Resume, new { pause.Job, pause.Reason, pause.Until, actor, why = run.Get(Act.Reason) }) == 1)
                    {
                        ended.Add(pause);
                    }
                }

                return ended;
            },
            run.Stopping);
        await new Answer(
            resumed.Count > 0 ? "resumed" : "unchanged",
            resumed.Count == 0 ? $"{string.Join(" and ", jobs)}: not paused"
                : $"{string.Join(" and ", resumed.Select(p => p.Job))}: {(dryRun ? "would be resumed" : "resumed")} by {actor}")
        {
            Fields = [("jobs", string.Join(',', resumed.Select(p => p.Job))), ("actor", actor)],
            Notes =
            [
                .. resumed.Select(p => $"{p.Job} was paused by {(p.Actor.Length > 0 ? p.Actor : "nobody who said so")}: {p.Reason}"),
                .. resumed.Where(p => p.Behind).Select(p => $"{p.Job}: match-successful-payments has not been through since the backup was restored; who paid meanwhile is not known here"),
                .. resumed.Count > 0 ? ["Each runs at its next time; `jobctl run JOB` starts one now."] : Array.Empty<string>(),
            ],
        }.PrintAsync(run, "resume");
    }
}
