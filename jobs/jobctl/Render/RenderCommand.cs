using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Render;

/// <summary>
/// Writes what schedules the jobs - crontab, systemd units, Kubernetes manifests, the Compose file - from the catalogue, in the zone of
/// JOBS_TIME_ZONE. It asks no database.
/// </summary>
internal static class RenderCommand
{
    private static readonly JobOption<bool> Check = new(
        "--check", "", "Write nothing; exit 1 when a file differs from what would be written.", OptionValue.Flag, false, "JOBS_RENDER_CHECK");

    private static readonly JobOption<string> To = new(
        "--to", "folder", "Where to write; default docker.", OptionValue.Text, "docker", "JOBS_RENDER_TO");

    public static readonly ToolCommand Command = new(
        "render",
        "Writes crontab, systemd units, Kubernetes manifests and the Compose file from the catalogue of jobs.",
        [Check, To],
        RunAsync,
        new ToolArgument("target", "What to write; all of them when left out.", [.. Target.All.Select(target => target.Name)]));

    private static async Task RunAsync(ToolRun run)
    {
        var folder = run.Get(To);
        if (!Directory.Exists(folder))
        {
            throw new OperatorException($"the folder '{folder}' does not exist; run this where the repository is, or give --to FOLDER");
        }

        var zone = BusinessZone.From(run.Settings).Id;
        var targets = Target.All.Where(target => run.Argument is null || target.Name == run.Argument).ToList();
        var changes = targets.SelectMany(target => target.Changes(folder, Catalogue.Jobs, zone)).ToList();
        if (run.Get(Check))
        {
            if (changes.Count > 0)
            {
                throw new OperatorException(
                    $"not as the catalogue says: {string.Join(", ", changes.Select(change => change.Path))}; run `make render`");
            }
        }
        else
        {
            changes.ForEach(change => change.Make());
        }

        foreach (var (path, text) in changes)
        {
            if (run.Output == OutputFormat.Text)
            {
                await run.Context.Output.WriteLineAsync($"{path} {(text is null ? "removed" : "written")}");
            }
        }

        await run.Context.Output.WriteLineAsync(run.Output == OutputFormat.Json
            ? JsonText.Of(("command", "render"), ("written", changes.Count(c => c.Text is not null)), ("removed", changes.Count(c => c.Text is null)))
            : $"{targets.Sum(target => target.Files(Catalogue.Jobs, zone).Count())} files are as the catalogue says");
    }
}
