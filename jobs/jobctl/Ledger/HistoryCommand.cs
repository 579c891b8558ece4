using Jobs.Billing;
using Jobs.Mail;
using Jobs.Runs;
using Spectre.Console;
using Words = Jobs.Counter.Words;

namespace Jobs.Ledger;

/// <summary>The last runs of a job, or of all, newest first.</summary>
internal static class HistoryCommand
{
    private static readonly JobOption<int?> Limit = new("--limit", "N", "At most so many runs; default 20.", OptionValue.Positive, 20, "JOBS_HISTORY_LIMIT");
    private static readonly JobOption<bool> Failed = new("--failed", "", "Only those that failed or were interrupted.", OptionValue.Flag, false, "JOBS_HISTORY_FAILED");
    private static readonly JobOption<DateTime?> Since = new("--since", "instant", "Only those begun since then.", OptionValue.Instant, null, "JOBS_HISTORY_SINCE");

    public static readonly ToolCommand Command = new(
        "history", "Lists the last runs, newest first.", [Limit, Failed, Since], RunAsync,
        new ToolArgument("job", "One job; all when left out.", [.. StatusCommand.Known.Select(job => job.Name)]));

    // By the index that begins with the job, see StatusView.
    private const string OfJob =
        $"""
        SELECT {RunRow.Columns} FROM job_runs AS r
        WHERE r.job BETWEEN @Job AND @Job AND r.started_at >= @Since
        ORDER BY r.job, r.started_at DESC LIMIT @Most
        """;

    private const string OfAll =
        $"""
        SELECT {RunRow.Columns} FROM job_runs AS r
        WHERE r.started_at >= @Since
        ORDER BY r.started_at DESC LIMIT @Most
        """;

    private const string FailedOnly =
        $"""
        SELECT {RunRow.Columns}
        FROM unnest(@Jobs) AS j (name)
        JOIN LATERAL (
            SELECT * FROM job_runs AS f
            WHERE f.job BETWEEN j.name AND j.name AND f.status IN ('failed', 'interrupted') AND f.started_at >= @Since
            ORDER BY f.job, f.started_at DESC LIMIT @Most
        ) AS r ON true
        ORDER BY r.started_at DESC LIMIT @Most
        """;

    private static async Task RunAsync(ToolRun run)
    {
        var zone = BusinessZone.From(run.Settings);
        var most = run.Get(Limit)!.Value;
        var (now, runs) = await run.Database(readOnly: true).TransactionAsync(
            async tx =>
            {
                var now = await StatusView.MomentAsync(tx);
                var sql = run.Get(Failed) ? FailedOnly : run.Argument is null ? OfAll : OfJob;
                return (now, Rows: await tx.QueryAsync<RunRow>(sql, new
                {
                    Job = run.Argument,
                    Jobs = run.Argument is { } one ? [one] : StatusCommand.Known.Select(job => job.Name).ToArray(),
                    Since = run.Get(Since) ?? DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc),
                    Most = most + 1,
                }));
            },
            run.Stopping);
        var (listed, more) = (runs.Take(most).ToList(), runs.Count > most);
        if (run.Output == OutputFormat.Json)
        {
            await AnswerJson.WriteAsync(run, json =>
            {
                json.Members(("command", "history"), ("generated_at", now), ("job", run.Argument), ("more", more));
                json.List("runs", listed, row => row.WriteMembers(json));
            });
            return;
        }

        Print(run, listed, more, now, zone);
    }

    private static void Print(ToolRun run, List<RunRow> runs, bool more, DateTime now, BusinessZone zone)
    {
        var console = Paper.Open(run);
        var sheet = console.Profile.Width >= 100
            ? new Sheet("", "=Run", "Job", "=Status", "=Started", ">Took", "Trigger", "What it did")
            : new Sheet("", "=Run", "Job", "=Started", "What it did");
        foreach (var row in runs)
        {
            var job = row.Job + (row.Shard is null ? "" : $" {row.Shard}") + (row.AsOf is { } asOf ? $" as of {Words.When(asOf, now, zone)}" : "") + (row.Partial ? " (partial)" : "");
            var started = Words.When(row.StartedAt, now, zone);
            var did = string.Join("; ", new[] { OneLine.Of(row.Error), Signs.Counters(row.Counters) }.Where(part => part.Length > 0));
            if (console.Profile.Width >= 100)
            {
                sheet.Add(
                    row.ShortId, job, new Cell(Signs.Of(row.Status), Signs.ToneOf(row.Status)), started,
                    row.FinishedAt is { } end ? Signs.Took(end - row.StartedAt) : "", OneLine.Of(row.Trigger, 30), did);
            }
            else
            {
                sheet.Add(row.ShortId, job, new Cell($"{Signs.Short(row.Status)} {started}", Signs.ToneOf(row.Status)), did);
            }
        }

        if (sheet.Count == 0)
        {
            console.Write(new Text("no run is on record\n"));
            return;
        }

        if (more)
        {
            sheet.More("there are older ones: --limit N, --since T");
        }

        sheet.WriteTo(console);
    }
}
