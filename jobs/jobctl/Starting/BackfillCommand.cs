using System.Globalization;
using Jobs.Acting;
using Jobs.Billing;
using Jobs.Counter;
using Jobs.Database;
using Jobs.Runs;
using Spectre.Console;

namespace Jobs.Starting;

/// <summary>
/// Runs a job once for each day of a range, in order, as if it were that day. First every day is rehearsed, so that the plan says what
/// would be charged, expired or mailed; with --yes it is done. A day that fails ends it, and the next call goes on there.
/// </summary>
internal static class BackfillCommand
{
    private const int MostDays = 400;

    /// <summary>Days have a meaning for these.</summary>
    private static readonly string[] Names =
        ["daily-stats", "renewal-reminder", "expire-subscriptions", "expire-payments", "expire-stale-orders", "autopayment"];

    private static readonly JobOption<DateOnly?> From = new("--from", "date", "The first day, such as 2026-11-01.", Day, null, "JOBS_BACKFILL_FROM", required: true);

    private static readonly JobOption<DateOnly?> To = new("--to", "date", "The last day.", Day, null, "JOBS_BACKFILL_TO", required: true);

    private static readonly JobOption<bool> MissingOnly = new(
        "--missing-only", "", "Leave out days that the ledger, or daily_stats, has.", OptionValue.Flag, false, "JOBS_BACKFILL_MISSING_ONLY");

    private static readonly JobOption<bool> Yes = new("--yes", "", "Do it; without it the plan is all.", OptionValue.Flag, false, "JOBS_BACKFILL_YES");

    public static readonly ToolCommand Command = new(
        "backfill",
        "Plans the runs of missed days, with what they would charge, expire or mail, and does them.",
        [From, To, MissingOnly, Yes, Act.Actor],
        RunAsync,
        new ToolArgument("job", "Which.", Names));

    private static async Task RunAsync(ToolRun run)
    {
        var job = Catalogue.Find(run.Argument ?? throw new OperatorException("say which job: jobctl backfill JOB --from DAY --to DAY"));
        var zone = BusinessZone.From(run.Settings);
        if (run.Get(Yes) && job.MovesMoney && run.Settings.Production)
        {
            throw new OperatorException(
                $"{job.Name} is not run for another day in production: receipts are numbered in the order of time, and charges belong to today; its next run takes up all that is due. Without --yes the plan is shown");
        }

        var (first, last) = (run.Get(From)!.Value, run.Get(To)!.Value);
        Check(first, last);
        var days = await DaysAsync(run, job, zone, first, last);
        foreach (var day in days)
        {
            await day.RehearseAsync(run, job);
        }

        var text = run.Output == OutputFormat.Text;
        if (text)
        {
            PrintPlan(run, job, days, zone);
        }

        if (run.Get(Yes))
        {
            foreach (var day in days)
            {
                await day.RunAsync(run, job);
                if (text)
                {
                    await run.Context.Output.WriteLineAsync($"{Text(day.Date)}: {Words.Clean(day.Done!.Summary)}");
                }

                if (day.Done!.Status != "succeeded")
                {
                    throw new OperatorException(
                        $"{job.Name} {day.Done.Status} for {Text(day.Date)}: {day.Done.Error ?? "it did not say why"}; the days before are done. Go on with: jobctl backfill {job.Name} --from {Text(day.Date)} --to {Text(last)} --yes");
                }
            }
        }

        if (!text)
        {
            await PrintJsonAsync(run, job, days);
        }
        else if (!run.Get(Yes) && days.Count > 0)
        {
            await run.Context.Output.WriteLineAsync("Nothing was done; give --yes to do it. Each day is rehearsed by itself: what an earlier one would change, a later one does not know.");
        }
    }

    private static void Check(DateOnly first, DateOnly last)
    {
        if (first > last)
        {
            throw new OperatorException($"--from {Text(first)} is after --to {Text(last)}");
        }

        if (last.DayNumber - first.DayNumber >= MostDays)
        {
            throw new OperatorException($"--from and --to span more than {MostDays} days; go in parts");
        }
    }

    private const string HasFigures = "SELECT stat_date FROM daily_stats WHERE stat_date BETWEEN @first AND @last";

    private const string HasRuns =
        """
        SELECT DISTINCT (coalesce(as_of, started_at) AT TIME ZONE @Zone)::date
        FROM job_runs
        WHERE job = @Job AND started_at >= @since AND status = 'succeeded' AND NOT partial AND shard IS NULL
        """;

    private static async Task<List<BackfillDay>> DaysAsync(ToolRun run, JobDefinition job, BusinessZone zone, DateOnly first, DateOnly last)
    {
        var stats = job.Name == "daily-stats";
        var (now, done) = await run.Database(readOnly: true).TransactionAsync(
            async tx => (
                await tx.SingleAsync<DateTime>("SELECT clock_timestamp()"),
                run.Get(MissingOnly)
                    ? await tx.QueryAsync<DateOnly>(stats ? HasFigures : HasRuns, new { first, last, Zone = zone.Id, Job = job.Name, since = zone.StartOfDay(first) })
                    : []),
            run.Stopping);
        var days = Enumerable.Range(0, last.DayNumber - first.DayNumber + 1).Select(first.AddDays).Except(done)
            .Select(date => new BackfillDay(date, stats ? null : Moment(job, zone, date))).ToList();
        var over = stats ? zone.Date(now) : DateOnly.MaxValue;
        return days.Find(day => day.Date >= over || day.AsOf > now) is { } ahead
            ? throw new OperatorException($"{Text(ahead.Date)} is not over for {job.Name}; give an earlier --to")
            : days;
    }

    /// <summary>When it would have run; at the end of the day when it runs many times.</summary>
    private static DateTime Moment(JobDefinition job, BusinessZone zone, DateOnly date)
    {
        var schedule = new CronSchedule(job.Schedule!);
        var (start, end) = (zone.StartOfDay(date), zone.StartOfDay(date.AddDays(1)));
        var scheduled = zone.Instants(schedule, start).First();
        return schedule.EveryHour || scheduled >= end ? end.AddSeconds(-1) : scheduled;
    }

    private static void PrintPlan(ToolRun run, JobDefinition job, List<BackfillDay> days, BusinessZone zone)
    {
        var console = Paper.Open(run);
        if (days.Count == 0)
        {
            console.Write(new Text("No day is missing.\n"));
            return;
        }

        var table = new Table { Border = TableBorder.Rounded };
        foreach (var column in new[] { "Day", "As of", $"{job.Name} would", "Amounts" })
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Dim))));
        }

        foreach (var day in days)
        {
            table.AddRow(
                new Text(Text(day.Date)), new Text(day.AsOf is { } at ? zone.OnTheWall(at).ToString("HH:mm:ss zzz", CultureInfo.InvariantCulture) : "the whole day"),
                new Text(Words.Clean(day.Plan!.Summary)), new Text(day.Plan.AmountsText));
        }

        table.AddRow(
            new Text("all"), new Text(""), new Text(""),
            new Text(new DayResult { Amounts = Total(days) }.AmountsText, new Style(decoration: Decoration.Bold)));
        console.Write(table);
    }

    private static Dictionary<string, long> Total(List<BackfillDay> days) =>
        days.SelectMany(day => day.Plan!.Amounts).GroupBy(amount => amount.Key).ToDictionary(group => group.Key, group => group.Sum(amount => amount.Value));

    private static Task PrintJsonAsync(ToolRun run, JobDefinition job, List<BackfillDay> days) => Answer.WriteAsync(run, json =>
    {
        JsonText.Write(json, "command", "backfill");
        JsonText.Write(json, "job", job.Name);
        JsonText.Write(json, "status", run.Get(Yes) ? "done" : "planned");
        json.WriteStartArray("days");
        foreach (var day in days)
        {
            json.WriteStartObject();
            JsonText.Write(json, "date", day.Date);
            JsonText.Write(json, "as_of", day.AsOf);
            day.Plan!.Write(json, "plan");
            day.Done?.Write(json, "result");
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private static string Text(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static DateOnly? Day(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) && date.Year is >= 2000 and < 2200
            ? date
            : throw new FormatException("a day such as 2026-11-20");
}
