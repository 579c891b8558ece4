using Jobs.Billing;
using Jobs.Counter;
using Jobs.Database;
using Jobs.Explain;
using Jobs.Mail;
using Jobs.Runs;
using Spectre.Console;
using Words = Jobs.Counter.Words;

namespace Jobs.Ledger;

/// <summary>One run: how it ended, what it counted, what it changed row by row, and what failed in it.</summary>
internal static class ShowCommand
{
    private static readonly JobOption<int?> Limit = new("--limit", "N", "At most so many changed rows; default 50.", OptionValue.Positive, 50, "JOBS_SHOW_LIMIT");

    public static readonly ToolCommand Command = new(
        "show", "Shows one run: how it ended, what it counted and what it changed.", [Limit], RunAsync,
        new ToolArgument("run", "The run's id or the beginning of it, as history lists it; or the word last, and a job.", []))
    {
        Then = new ToolArgument("job", "After last: whose last run.", [.. StatusCommand.Known.Select(job => job.Name)]),
    };

    private const string ById = $"SELECT {RunRow.Columns} FROM job_runs AS r WHERE r.id BETWEEN @First AND @Last ORDER BY r.id LIMIT 3";

    private const string LastOf = $"SELECT {RunRow.Columns} FROM job_runs AS r WHERE r.job BETWEEN @Job AND @Job ORDER BY r.job, r.started_at DESC LIMIT 1";

    // As they lie in the index, which is about the order in which they were written: a run may have changed a million rows.
    private const string Changes =
        """
        SELECT a.id, a.actor, a.action, a.subject_type, a.subject_id, a.data::text AS data, a.created_at
        FROM audit_logs AS a
        WHERE a.run_id = @Id
        LIMIT @Most
        """;

    private const string Troubles =
        """
        SELECT f.item, f.failures, f.last_error, f.last_failed_at, f.parked_at
        FROM job_item_failures AS f
        WHERE f.job = @Job AND (f.parked_at IS NOT NULL OR f.last_failed_at BETWEEN @StartedAt AND coalesce(@FinishedAt::timestamptz, 'infinity'))
        ORDER BY f.last_failed_at DESC, f.item
        LIMIT @Most
        """;

    private sealed record Found(DateTime Now, RunRow Row, List<AuditRow> Changes, List<TroubleRow> Troubles);

    private static async Task RunAsync(ToolRun run)
    {
        var zone = BusinessZone.From(run.Settings);
        var most = run.Get(Limit)!.Value;
        var found = await run.Database(readOnly: true).TransactionAsync(tx => FindAsync(tx, run, most), run.Stopping);
        var more = found.Changes.Count > most;
        found.Changes.Sort((a, b) => a.Id.CompareTo(b.Id));
        var changes = found.Changes.Take(most).GroupBy(c => (c.SubjectType, c.SubjectId)).ToList();
        if (run.Output == OutputFormat.Json)
        {
            await AnswerJson.WriteAsync(run, json =>
            {
                json.Members(("command", "show"), ("generated_at", found.Now));
                found.Row.WriteMembers(json);
                json.WriteBoolean("more", more);
                json.List("subjects", changes, subject =>
                {
                    json.Members(("subject_type", subject.Key.SubjectType), ("subject_id", subject.Key.SubjectId));
                    json.List("changes", subject, change =>
                    {
                        json.Members(("at", change.CreatedAt), ("action", change.Action), ("text", Saying.Of(change.Action, change.Data, found.Now, zone)));
                        json.Raw("data", change.Data);
                    });
                });
                json.List("items", found.Troubles, item => json.Members(
                    ("item", item.Item), ("failures", item.Failures), ("parked", item.ParkedAt is not null), ("last_failed_at", item.LastFailedAt), ("error", item.LastError)));
            });
            return;
        }

        Print(run, found, changes, more, zone);
    }

    private static async Task<Found> FindAsync(Tx tx, ToolRun run, int most)
    {
        var now = await StatusView.MomentAsync(tx);
        var row = await RowAsync(tx, run);
        var changes = await tx.QueryAsync<AuditRow>(Changes, new { row.Id, Most = most + 1 });
        return new Found(now, row, changes, await tx.QueryAsync<TroubleRow>(Troubles, new { row.Job, row.StartedAt, row.FinishedAt, Most = most }));
    }

    private static async Task<RunRow> RowAsync(Tx tx, ToolRun run)
    {
        if (run.Argument is not { } wanted)
        {
            throw new OperatorException("say which run: its id or the beginning of it, as jobctl history lists it, or last and a job");
        }

        if (wanted == "last")
        {
            return run.SecondArgument is not { } job
                ? throw new OperatorException("say whose last run: jobctl show last JOB")
                : await tx.SingleOrDefaultAsync<RunRow>(LastOf, new { Job = job }) ?? throw new OperatorException($"{job} has never run");
        }

        // A uuid sorts as it is written: a beginning is a range.
        var digits = wanted.Replace("-", "", StringComparison.Ordinal);
        if (run.SecondArgument is not null || digits.Length is 0 or > 32 || !digits.All(char.IsAsciiHexDigit))
        {
            throw new OperatorException($"'{OneLine.Of(wanted, 40)}' is no id of a run; jobctl history lists them");
        }

        var rows = await tx.QueryAsync<RunRow>(ById, new { First = Guid.Parse(digits.PadRight(32, '0')), Last = Guid.Parse(digits.PadRight(32, 'f')) });
        return rows switch
        {
            [var only] => only,
            [] => throw new OperatorException($"no run's id begins with {wanted}; jobctl history lists them"),
            _ => throw new OperatorException($"several runs' ids begin with {wanted}, such as {rows[0].Id} and {rows[1].Id}; say more of it"),
        };
    }

    private static void Print(ToolRun run, Found found, List<IGrouping<(string Type, long? Id), AuditRow>> changes, bool more, BusinessZone zone)
    {
        var (row, now) = (found.Row, found.Now);
        var console = Paper.Open(run);
        Line(console, $"{row.Job}{(row.Shard is null ? "" : $", shard {row.Shard}")}  {row.Id}", new Style(decoration: Decoration.Bold));
        Line(
            console,
            $"{Signs.Of(row.Status)}, began {Words.When(row.StartedAt, now, zone)}, "
                + (row.FinishedAt is { } end ? $"took {Signs.Took(end - row.StartedAt)}" : $"runs for {Words.For(row.StartedAt, now)}")
                + $", {row.Trigger}{(row.Host.Length > 0 ? $", on {row.Host}" : "")}{(row.Version.Length > 0 ? $", version {row.Version}" : "")}"
                + (row.AsOf is { } asOf ? $", as of {Words.Moment(asOf, zone)}" : "") + (row.Partial ? ", restricted by --only or --limit" : ""),
            Cell.StyleOf(Signs.ToneOf(row.Status)));
        if (row.Error is { Length: > 0 } error)
        {
            Line(console, OneLine.Of(error, 2000), Cell.StyleOf(Tone.Bad));
        }

        var counted = Signs.Counted(row.Counters);
        Line(console, counted.Count == 0 ? "counted nothing" : string.Join(", ", counted.Select(c => $"{Sheet.Number(c.Value)} {c.Name.Replace('_', ' ')}")), Style.Plain);
        PrintChanges(console, changes, more, now, zone);
        if (found.Troubles.Count > 0)
        {
            var sheet = new Sheet("Items that failed", "Item", ">Times", "Last", "Why", "Next");
            foreach (var item in found.Troubles)
            {
                sheet.Add(
                    OneLine.Of(item.Item), Sheet.Number(item.Failures), Words.When(item.LastFailedAt, now, zone), OneLine.Of(item.LastError),
                    item.ParkedAt is null ? "tried again by the next run" : $"left alone: jobctl resolve item {row.Job} {OneLine.Of(item.Item)} --as retry");
            }

            sheet.WriteTo(console);
        }
    }

    private static void PrintChanges(IAnsiConsole console, List<IGrouping<(string Type, long? Id), AuditRow>> changes, bool more, DateTime now, BusinessZone zone)
    {
        var sheet = new Sheet("What it changed", "=Time", "=Row", "How");
        foreach (var subject in changes)
        {
            var first = true;
            foreach (var change in subject)
            {
                sheet.Add(Words.When(change.CreatedAt, now, zone), first ? $"{subject.Key.Type} {subject.Key.Id}" : "", Saying.Of(change.Action, change.Data, now, zone));
                first = false;
            }
        }

        if (sheet.Count == 0)
        {
            Line(console, "changed no business row, or so long ago that its traces are in the archive", Style.Plain);
            return;
        }

        if (more)
        {
            sheet.More("and more: --limit N");
        }

        sheet.WriteTo(console);
    }

    private static void Line(IAnsiConsole console, string text, Style style) => console.Write(new Text(Words.Clean(text) + "\n", style));
}

internal sealed class AuditRow
{
    public long Id { get; init; }
    public string Actor { get; init; } = "";
    public string Action { get; init; } = "";
    public string SubjectType { get; init; } = "";
    public long? SubjectId { get; init; }
    public Guid? RunId { get; init; }
    public string? Data { get; init; }
    public DateTime CreatedAt { get; init; }
}

internal sealed class TroubleRow
{
    public string Job { get; init; } = "";
    public string Item { get; init; } = "";
    public int Failures { get; init; }
    public string LastError { get; init; } = "";
    public DateTime LastFailedAt { get; init; }
    public DateTime? ParkedAt { get; init; }
}
