using Jobs.Billing;
using Jobs.Counter;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// What happens at the counter: card terminals, their queue, today's payments by hand, who is locked, the fallback mode. Once; or live
/// on a terminal; or as a line for each change where a program reads; or as a page. It only looks.
/// </summary>
internal static class Dashboard
{
    private static readonly JobOption<bool> Watch = new(
        "--watch", "", "Stay, and show each change at once: live on a terminal, a line per change otherwise.", OptionValue.Flag, false);

    private static readonly JobOption<string?> Html = new(
        "--html", "file", "Write a page that needs nothing else; with --watch, again at each change.", OptionValue.Text, null);

    private static readonly JobOption<TimeSpan?> Refresh = new(
        "--refresh", "duration", "With --html: the browser loads the page again after this long, such as 5s.", OptionValue.Duration, null);

    public static readonly ToolCommand Command = new(
        "dashboard", "Shows the card terminals, their queue and what was paid at the counter today.", [Watch, Html, Refresh], RunAsync);

    private static async Task RunAsync(ToolRun run)
    {
        var zone = BusinessZone.From(run.Settings);
        var page = run.Get(Html) is { } path ? new PageFile(path, zone, run.Get(Refresh), run.Settings.Optional("BUSINESS_NAME")) : null;
        if (page is null && run.Get(Refresh) is not null)
        {
            throw new OperatorException("--refresh is about the page; give --html FILE as well, or leave it out");
        }

        var first = await run.Database(readOnly: true).TransactionAsync(tx => CounterView.ReadAsync(tx, zone), run.Stopping);
        page?.Write(new Sight(first));
        if (run.Get(Watch))
        {
            await WatchAsync(run, zone, first, page);
        }
        else if (run.Output == OutputFormat.Json)
        {
            await using var stdout = run.Context.OpenOutput();
            await stdout.WriteAsync(CounterJson.Line(first, first.Now));
        }
        else if (page is not null)
        {
            await run.Context.Output.WriteLineAsync($"{page.Path} written");
        }
        else
        {
            new Screen(run, zone).Print(first);
        }
    }

    private static async Task WatchAsync(ToolRun run, BusinessZone zone, CounterView first, PageFile? page)
    {
        var screen = new Screen(run, zone);
        var sights = new Updates(run, zone).SightsAsync(first, run.Stopping);
        if (page is not null)
        {
            sights = page.FollowAsync(sights, run);
        }

        if (run.Output == OutputFormat.Text && screen.IsLive)
        {
            await screen.FollowAsync(sights);
        }
        else
        {
            using var lines = new ChangeLines(zone, run.Output);
            await lines.FollowAsync(sights);
        }
    }
}
