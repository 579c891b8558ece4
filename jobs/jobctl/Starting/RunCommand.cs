using System.ComponentModel;
using System.Diagnostics;
using Jobs.Acting;
using Jobs.Runs;
using Jobs.Schedules;

namespace Jobs.Starting;

/// <summary>
/// Runs a job now, beside its schedule, under the name of who asked: its row in the ledger says `manual` and the actor. What it prints,
/// its exit code and the signals are its own.
/// </summary>
internal static class RunCommand
{
    public static readonly ToolCommand Command = new(
        "run",
        "Runs a job now; the ledger says who asked for it.",
        [Act.Actor, Act.DryRun],
        RunAsync,
        new ToolArgument("job", "Which.", [.. Catalogue.Jobs.Where(job => job.Kind != JobKind.Tool).Select(job => job.Name)]))
    {
        Words = new("[-- options]", "Options of the job itself.", Rest: true),
    };

    private static async Task RunAsync(ToolRun run)
    {
        if (run.Words.Count > 0)
        {
            throw new OperatorException($"'{run.Words[0]}' is too much; options of the job follow --");
        }

        var job = run.Argument ?? throw new OperatorException("say which job: jobctl run JOB [-- options]");
        using var process = Start(run, job, run.Rest, run.Get(Act.DryRun), run.Output, capture: false);
        run.ExitCode = await EndAsync(run, process);
    }

    /// <param name="capture">Stdout and stderr are read by the caller.</param>
    public static Process Start(ToolRun run, string job, IEnumerable<string> options, bool dryRun, OutputFormat output, bool capture)
    {
        var path = SchedulerCommand.Executable(job);
        var start = new ProcessStartInfo(path) { UseShellExecute = false, RedirectStandardOutput = capture, RedirectStandardError = capture };
        start.Environment.Clear();
        foreach (var (name, value) in run.Context.Variables)
        {
            start.Environment[name] = value;
        }

        start.Environment["JOBS_TRIGGER"] = "manual";
        start.Environment["JOBS_ACTOR"] = Act.ActorOf(run);
        start.Environment["JOBS_OUTPUT"] = output == OutputFormat.Json ? "json" : "text";
        if (dryRun)
        {
            start.Environment["JOBS_DRY_RUN"] = "true";
        }

        foreach (var option in options)
        {
            start.ArgumentList.Add(option);
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new OperatorException($"{path} cannot be started ({e.Message}): jobs run from where all of them lie together, as in the image `scheduler` or the folder of `make publish`", e);
        }
    }

    /// <summary>Told to stop, it is told too; its end is waited for in any case.</summary>
    public static async Task<int> EndAsync(ToolRun run, Process process)
    {
        // Ctrl-C on a terminal goes to both by itself, and a second one means: at once.
        await using var stop = run.Stopping.Register(() =>
        {
            if (run.StoppedBy != "SIGINT" || Console.IsInputRedirected)
            {
                _ = SchedulerCommand.Kill(process.Id, SchedulerCommand.Terminate);
            }
        });
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }
}
