using Jobs.Billing;
using Jobs.Counter;
using Jobs.Mail;
using Jobs.Runs;
using Spectre.Console;
using Words = Jobs.Counter.Words;

namespace Jobs.Ledger;

/// <summary>How every job stands, as a table that leaves out what a narrow terminal has no room for, and then in sentences.</summary>
internal sealed class StatusText(ToolRun run, StatusView view, BusinessZone zone)
{
    private const int Wide = 110;
    private const int Widest = 160;

    private readonly IAnsiConsole _console = Paper.Open(run);

    public void Print(IReadOnlyList<JobStatus> jobs, IReadOnlyList<Problem> problems, bool quiet)
    {
        if (!quiet)
        {
            _console.Write(new Text($"Jobs  {Words.Moment(view.Now, zone)} ({Words.Zone(view.Now, zone)})\n", new Style(decoration: Decoration.Bold)));
            Table(jobs).WriteTo(_console);
            PrintRunning(jobs);
        }

        foreach (var problem in problems)
        {
            _console.Write(new Text($"{(problem.Wrong ? "✗" : "!")} {Words.Clean(problem.What)}\n", Cell.StyleOf(problem.Wrong ? Tone.Bad : Tone.Warning)));
            _console.Write(new Text($"    {string.Join("   ", problem.Todo)}\n"));
        }

        if (problems.Count == 0 && !quiet)
        {
            _console.Write(new Text("✓ all is well\n", Cell.StyleOf(Tone.Good)));
        }
    }

    private Sheet Table(IReadOnlyList<JobStatus> jobs)
    {
        var (wide, widest) = (_console.Profile.Width >= Wide, _console.Profile.Width >= Widest);
        var sheet = widest ? new Sheet("", "=Job", "=State", "=Last run", ">Took", "=Trigger", "=Last success", "=Next", "Backlog", "Did last")
            : wide ? new Sheet("", "=Job", "=State", "=Last run", ">Took", "=Last success", "=Next", "Backlog", "Did last")
            : new Sheet("", "Job", "=State", "Last run", "Next", "Backlog");
        foreach (var job in jobs)
        {
            var row = job.Row;
            var ended = row.Id is not null;
            Cell state = new(Signs.Of(job.State), Signs.ToneOf(job.State));
            Cell last = new(ended ? $"{Signs.Short(row.Status)} {Words.When(row.StartedAt, view.Now, zone)}" : "never", ended ? Signs.ToneOf(row.Status) : Tone.Quiet);
            Cell next = job.NextDueAt is { } at ? Words.When(at, view.Now, zone) : "on demand";
            Cell backlog = string.Join(", ", job.Backlog.Select(b => b.ToString()).Concat(row.Parked > 0 ? [$"{row.Parked} parked"] : Array.Empty<string>()));
            Cell took = ended && row.FinishedAt is { } end ? Signs.Took(end - row.StartedAt) : "";
            Cell success = row.LastSuccessAt is { } since ? Words.When(since, view.Now, zone) : "";
            Cell did = Signs.Counters(row.Counters);
            sheet.Add(
                widest ? [job.Job.Name, state, last, took, ended ? OneLine.Of(row.Trigger, 30) : "", success, next, backlog, did]
                : wide ? [job.Job.Name, state, last, took, success, next, backlog, did]
                : [job.Job.Name, state, last, next, backlog]);
        }

        return sheet;
    }

    private void PrintRunning(IEnumerable<JobStatus> jobs)
    {
        foreach (var started in jobs.SelectMany(job => job.Running))
        {
            var lease = started.Holder is null ? "no lease" : started.Alive ? $"held by {Words.Holder(started.Holder)}" : "its lease has run out";
            _console.Write(new Text(
                Words.Clean($"▸ {started.Job}{(started.Shard is null ? "" : $" {started.Shard}")} runs since {Words.When(started.StartedAt, view.Now, zone)} ({Words.For(started.StartedAt, view.Now)}), {started.Id}, {lease}") + "\n",
                Cell.StyleOf(Tone.Active)));
        }
    }
}

/// <summary>States and figures of runs in few words, with a sign: colour is never all that tells.</summary>
internal static class Signs
{
    public static string Of(string state) => $"{Short(state)} {state.Replace('_', ' ')}";

    public static string Short(string state) => state switch
    {
        "ok" or "succeeded" => "✓",
        "running" => "▸",
        "skipped" or "never_ran" => "…",
        "paused" => "‖",
        _ => "✗",
    };

    public static Tone ToneOf(string state) => state switch
    {
        "ok" or "succeeded" => Tone.Good,
        "running" => Tone.Active,
        "skipped" or "never_ran" => Tone.Quiet,
        "paused" => Tone.Warning,
        _ => Tone.Bad,
    };

    /// <summary>Such as <c>85 ms</c>, <c>4.2 s</c>, <c>12 min</c>.</summary>
    public static string Took(TimeSpan span) => span switch
    {
        { TotalSeconds: < 1 } => FormattableString.Invariant($"{Math.Max(0, span.TotalMilliseconds):0} ms"),
        { TotalSeconds: < 100 } => FormattableString.Invariant($"{span.TotalSeconds:0.0} s"),
        { TotalMinutes: < 100 } => FormattableString.Invariant($"{span.TotalMinutes:0} min"),
        _ => FormattableString.Invariant($"{(int)span.TotalHours} h {span.Minutes:00}"),
    };

    /// <summary>What was counted, without what was not: <c>12 charged, 1 declined</c>.</summary>
    public static string Counters(string? json) => string.Join(", ", Counted(json).Where(c => c.Value != 0).Select(c => $"{Sheet.Number(c.Value)} {c.Name.Replace('_', ' ')}"));

    public static List<(string Name, long Value)> Counted(string? json)
    {
        if (json is null)
        {
            return [];
        }

        using var document = System.Text.Json.JsonDocument.Parse(json);
        return document.RootElement.ValueKind != System.Text.Json.JsonValueKind.Object ? []
            : [.. document.RootElement.EnumerateObject().Where(c => c.Value.ValueKind == System.Text.Json.JsonValueKind.Number)
                .Select(c => (OneLine.Of(c.Name, 60), c.Value.TryGetInt64(out var value) ? value : 0))];
    }
}
