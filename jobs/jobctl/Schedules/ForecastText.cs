using System.Globalization;
using Jobs.Billing;
using Jobs.Counter;
using Jobs.Runs;
using Spectre.Console;

namespace Jobs.Schedules;

/// <summary>The forecast as a table, and a warning for each odd time.</summary>
internal static class ForecastText
{
    public static void Print(ToolRun run, Forecast forecast, BusinessZone zone)
    {
        var console = Paper.Open(run);
        console.Write(new Text($"From {Words.Moment(forecast.From, zone)} ({Words.Zone(forecast.From, zone)})\n"));
        var table = new Table { Border = TableBorder.Rounded };
        foreach (var column in new[] { "Job", "Schedule", "Local time", "UTC", "In", "Time limit" })
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Dim))).NoWrap());
        }

        foreach (var (job, at) in forecast.Runs)
        {
            table.AddRow(
                new Text(job.Name), new Text(job.Schedule!), new Text(Text($"{zone.OnTheWall(at):ddd yyyy-MM-dd HH:mm zzz}")),
                new Text(Text($"{at:yyyy-MM-dd HH:mm}")), new Text(Words.For(forecast.From, at)), new Text(Duration.Format(job.Timeout)));
        }

        console.Write(table);
        foreach (var odd in forecast.OddTimes)
        {
            console.Write(new Text($"! {Warning(odd)}\n", new Style(Color.Yellow)));
        }
    }

    private static string Warning(OddTime odd)
    {
        var (change, jobs) = (odd.Change, string.Join(", ", odd.Jobs));
        return change.Forward
            ? Text($"On {change.Before:dddd d MMMM yyyy} clocks go from {change.Before:HH:mm} to {change.After:HH:mm}: there is no {odd.Local:HH:mm} ({jobs}). ")
                + "Kubernetes and systemd leave that run out, Debian's cron makes up for it at once. Nothing is lost: the next run does all that is due."
            : Text($"On {change.After:dddd d MMMM yyyy} clocks go back from {change.Before:HH:mm} to {change.After:HH:mm}: {odd.Local:HH:mm} comes twice ({jobs}). ")
                + "Kubernetes runs both times, systemd and Debian's cron the first. Nothing is done twice: the second finds it done.";
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
