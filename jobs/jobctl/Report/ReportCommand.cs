using Jobs.Billing;
using Jobs.Ledger;
using Jobs.Runs;

namespace Jobs.Report;

/// <summary>A status page: what is wrong, how every job stands, its last runs, and the last days. It needs no server.</summary>
internal static class ReportCommand
{
    private static readonly JobOption<string?> Html = new("--html", "file", "Where to write the page.", OptionValue.Text, null, "JOBS_REPORT_HTML", required: true);
    private static readonly JobOption<int?> Days = new("--days", "N", "How many days the charts show; default 30.", OptionValue.Positive, 30, "JOBS_REPORT_DAYS");

    public static readonly ToolCommand Command = new(
        "report", "Writes a status page: what is wrong, every job's last runs, failures, revenue and backlog, as one HTML file.", [Html, Days], RunAsync);

    private static async Task RunAsync(ToolRun run)
    {
        var path = HtmlFile.PathOf(run.Get(Html)!);
        var days = Math.Min(366, run.Get(Days)!.Value);
        var zone = BusinessZone.From(run.Settings);
        var policy = RenewalPolicy.From(run.Settings);
        string[] names = [.. StatusCommand.Known.Select(job => job.Name)];
        // A year of runs every minute takes a while to count.
        var (view, report) = await run.Database(readOnly: true).TransactionAsync(
            async tx =>
            {
                var view = await StatusView.ReadAsync(tx, zone, policy, names);
                return (view, await ReportView.ReadAsync(tx, zone, zone.Date(view.Now).AddDays(1 - days), names));
            },
            TimeSpan.FromMinutes(2), run.Stopping);
        var jobs = StatusCommand.Known.Select(job => JobStatus.Of(job, view, zone)).ToList();
        var problems = Problem.Of(jobs, view, zone);
        HtmlFile.Write(path, new StatusPage(view, jobs, problems, report, zone, days).Of(run.Settings.Optional("BUSINESS_NAME")));
        if (run.Output == OutputFormat.Json)
        {
            await AnswerJson.WriteAsync(run, json => json.Members(
                ("command", "report"), ("generated_at", view.Now), ("path", path), ("ok", !problems.Any(p => p.Wrong)), ("problems", problems.Count)));
        }
        else
        {
            await run.Context.Output.WriteLineAsync($"{path} written");
        }
    }
}
