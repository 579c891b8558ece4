using Jobs.Billing;
using Jobs.Runs;

namespace Jobs.Ledger;

/// <summary>How every job stands, what is wrong, and what to do about it. Exit code 1 when a job is late or failing.</summary>
internal static class StatusCommand
{
    private static readonly JobOption<string?> Job = new(
        "--job", "name", "Only this job.", OptionValue.OneOf([.. Known.Select(job => job.Name)]), null, "JOBS_STATUS_JOB");

    private static readonly JobOption<bool> Quiet = new("--quiet", "", "Print only what is wrong, nothing when all is well.", OptionValue.Flag, false, "JOBS_STATUS_QUIET");

    public static readonly ToolCommand Command = new(
        "status", "Shows how every job stands, what is wrong and what to do; exit code 1 when one is late or failing.", [Job, Quiet], RunAsync)
    {
        Exit1 = "a job is late or failing",
    };

    /// <summary>All that leave runs behind.</summary>
    public static IEnumerable<JobDefinition> Known => Catalogue.Jobs.Where(job => job.Kind != JobKind.Tool);

    private static async Task RunAsync(ToolRun run)
    {
        var zone = BusinessZone.From(run.Settings);
        var policy = RenewalPolicy.From(run.Settings);
        var wanted = Known.Where(job => run.Get(Job) is not { } name || job.Name == name).ToList();
        var view = await run.Database(readOnly: true).TransactionAsync(
            tx => StatusView.ReadAsync(tx, zone, policy, [.. wanted.Select(job => job.Name)]), run.Stopping);
        var jobs = wanted.Select(job => JobStatus.Of(job, view, zone)).ToList();
        var problems = Problem.Of(jobs, view, zone);
        if (run.Output == OutputFormat.Json)
        {
            await StatusJson.WriteAsync(run, view, jobs, problems, zone);
        }
        else
        {
            new StatusText(run, view, zone).Print(jobs, problems, run.Get(Quiet));
        }

        run.ExitCode = problems.Any(p => p.Wrong) ? 1 : 0;
    }
}
