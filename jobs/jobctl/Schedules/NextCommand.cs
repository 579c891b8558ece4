using Jobs.Billing;
using Jobs.Runs;

namespace Jobs.Schedules;

/// <summary>
/// When each job runs next, by the catalogue and the business zone, and what the next changes of the clock do to it. It asks no database:
/// its now is this machine's, and whether a job is paused or a scheduler is there at all it cannot know.
/// </summary>
internal static class NextCommand
{
    private static readonly JobOption<int?> Count = new(
        "--count", "N", "How many runs of each job; default 1, of a single job 5.", OptionValue.Positive, null, "JOBS_NEXT_COUNT");

    private static readonly JobOption<DateTime?> From = new(
        "--from", "instant", "From then on instead of now, such as 2027-03-27T12:00:00Z.", OptionValue.Instant, null, "JOBS_NEXT_FROM");

    public static readonly ToolCommand Command = new(
        "next",
        "Shows when the jobs run next, and what the next changes of the clock do to them.",
        [Count, From],
        RunAsync,
        new ToolArgument("job", "One job; all that are scheduled when left out.", [.. Scheduled.Select(job => job.Name)]));

    public static IEnumerable<JobDefinition> Scheduled => Catalogue.Jobs.Where(job => job.Schedule is not null);

    private static async Task RunAsync(ToolRun run)
    {
        var zone = BusinessZone.From(run.Settings);
        var forecast = Forecast.Of(
            Scheduled.Where(job => run.Argument is null || job.Name == run.Argument),
            zone,
            run.Get(From) ?? DateTime.UtcNow,
            run.Get(Count) ?? (run.Argument is null ? 1 : 5));
        if (run.Output == OutputFormat.Json)
        {
            await using var stdout = run.Context.OpenOutput();
            await stdout.WriteAsync(ForecastJson.Line(forecast, zone));
        }
        else
        {
            ForecastText.Print(run, forecast, zone);
        }
    }
}
