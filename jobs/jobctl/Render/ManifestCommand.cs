using System.Globalization;
using Jobs.Acting;
using Jobs.Runs;

namespace Jobs.Render;

/// <summary>How a Job that runs once differs from the scheduled one.</summary>
/// <param name="Args">Of the container.</param>
internal sealed record Asked(IReadOnlyList<string> Args, string Actor, string Image);

/// <summary>
/// Prints a Kubernetes Job that runs one job once, made as the scheduled ones are: the same pod, limits and secrets. Its name has the
/// time in it, so that each is a Job of its own. It asks no database and no cluster.
/// </summary>
internal static class ManifestCommand
{
    private static readonly JobOption<DateTime?> AsOf = new(
        "--as-of", "instant", "The run's \"now\". Default: the time when it runs.", OptionValue.Instant, null, "JOBS_MANIFEST_AS_OF");

    private static readonly JobOption<int?> Shards = new(
        "--shards", "N", "In so many slices at once, each with a lease of its own.", OptionValue.Positive, null, "JOBS_MANIFEST_SHARDS");

    private static readonly JobOption<string?> Image = new(
        "--image", "name", "With registry and tag. Default: jobs/JOB.", OptionValue.Text, null, "JOBS_MANIFEST_IMAGE");

    public static readonly ToolCommand Command = new(
        "manifest",
        "Prints a Kubernetes Job that runs a job once: | kubectl create -n jobs -f -",
        [AsOf, Shards, Image, Act.Actor],
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

        var job = Catalogue.Find(run.Argument ?? throw new OperatorException("say which job: jobctl manifest JOB"));
        var (asOf, shards) = (run.Get(AsOf), run.Get(Shards));
        if (asOf is not null && job.MovesMoney && run.Settings.Production && !run.Rest.Contains("--dry-run"))
        {
            throw new OperatorException(
                "--as-of is refused in production: receipts are numbered in the order of time, and charges belong to today; add -- --dry-run to look at another day");
        }

        if (shards is not null && job.Kind != JobKind.Scheduled)
        {
            throw new OperatorException($"{job.Name} does one thing at a time; --shards is for the scheduled jobs");
        }

        string[] args = [.. asOf is { } at ? ["--as-of", at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)] : Array.Empty<string>(), .. run.Rest];
        var asked = new Asked(args, Act.ActorOf(run), run.Get(Image) ?? $"jobs/{job.Name}");
        if (args.Append(asked.Actor).Append(asked.Image).FirstOrDefault(text => text.Any(char.IsControl)) is not null)
        {
            throw new OperatorException("control characters cannot be passed on; leave them out");
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"{job.Name}-{DateTime.UtcNow:yyyyMMdd-HHmmss}");
        if (run.Output == OutputFormat.Json)
        {
            await Answer.WriteAsync(run, json =>
            {
                json.WriteString("command", "manifest");
                json.WriteString("name", name);
                json.WriteString("manifest", Kubernetes.OneOff(job, name, shards, asked));
            });
            return;
        }

        await run.Context.Output.WriteAsync($"# kubectl create -n jobs -f this; kubectl logs -n jobs -f job/{name}\n{Kubernetes.OneOff(job, name, shards, asked)}");
    }
}
