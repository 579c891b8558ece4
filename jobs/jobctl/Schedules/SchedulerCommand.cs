using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Jobs.Billing;
using Jobs.Runs;

namespace Jobs.Schedules;

/// <summary>
/// Starts each job when it is due and waits for the next: for a machine that has neither cron nor systemd nor Kubernetes, such as one with
/// Compose alone. The executables lie beside this one. It keeps no state: what fell due while it was not there is not made up for,
/// and two of it do no harm, for a job holds its lease in the database.
/// </summary>
internal static class SchedulerCommand
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(30);

    public static readonly ToolCommand Command = new(
        "scheduler",
        "Starts each job when it is due, until it is stopped.",
        [],
        RunAsync,
        new ToolArgument("job", "One job; all that are scheduled when left out.", [.. NextCommand.Scheduled.Select(job => job.Name)]));

    private static async Task RunAsync(ToolRun run)
    {
        var zone = BusinessZone.From(run.Settings);
        var jobs = NextCommand.Scheduled.Where(job => run.Argument is null || job.Name == run.Argument)
            .Select(job => (job.Name, Schedule: new CronSchedule(job.Schedule!))).ToList();
        if (jobs.Select(job => Executable(job.Name)).FirstOrDefault(path => !File.Exists(path)) is { } missing)
        {
            throw new OperatorException($"{missing} is not there: the scheduler runs where all jobs lie together, as in the image `scheduler` or the folder of `make publish`");
        }

        var running = new Dictionary<string, Started>(StringComparer.Ordinal);
        await run.WarnAsync($"{jobs.Count} jobs by the time of {zone.Id}");
        for (var seen = DateTime.UtcNow; !run.Stopping.IsCancellationRequested;)
        {
            var now = DateTime.UtcNow;
            // Whatever fell due since the last look, once: after a sleep of the machine too. Where its clock is put back, times that come again
            // count again, which harms nobody.
            foreach (var (name, _) in jobs.Where(job => zone.Instants(job.Schedule, Min(seen, now).AddTicks(1)).First() <= now))
            {
                if (running.TryGetValue(name, out var earlier) && !earlier.Ended.IsCompleted)
                {
                    await run.WarnAsync($"{name} is due and still running; it is left to it");
                    continue;
                }

                try
                {
                    running[name] = Start(run, name);
                }
                catch (Win32Exception e)
                {
                    // No memory, no process: the others, and its next time, are no worse for it.
                    await run.WarnAsync($"{name} could not be started: {e.Message}");
                }
            }

            seen = now;
            var pause = jobs.Min(job => zone.Instants(job.Schedule, now.AddTicks(1)).First()) - now;
            await Task.Delay(pause < Look ? pause : Look, run.Stopping).ContinueWith(_ => { }, TaskScheduler.Default);
        }

        // Each finishes or rolls back what it has in hand.
        foreach (var started in running.Values.Where(started => !started.Ended.IsCompleted))
        {
            _ = Kill(started.Id, Terminate);
        }

        await Task.WhenAll(running.Values.Select(started => started.Ended));
    }

    private sealed record Started(int Id, Task Ended);

    private static Started Start(ToolRun run, string name)
    {
        var process = Process.Start(new ProcessStartInfo(Executable(name)) { UseShellExecute = false, Environment = { ["JOBS_TRIGGER"] = "schedule" } })!;
        return new(process.Id, EndAsync(run, name, process));
    }

    private static async Task EndAsync(ToolRun run, string name, Process process)
    {
        using (process)
        {
            await process.WaitForExitAsync(CancellationToken.None);
            if (process.ExitCode != 0)
            {
                await run.WarnAsync($"{name} ended with exit code {process.ExitCode}");
            }
        }
    }

    /// <summary>The jobs lie beside this one.</summary>
    internal static string Executable(string name) => Path.Combine(AppContext.BaseDirectory, name);

    private static DateTime Min(DateTime one, DateTime other) => one < other ? one : other;

    internal const int Terminate = 15;

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int Kill(int process, int signal);
}
