using Jobs.Billing;
using Jobs.Counter;
using Jobs.Ledger;
using Jobs.Mail;
using Jobs.Runs;
using Spectre.Console;
using Words = Jobs.Counter.Words;

namespace Jobs.Explain;

/// <summary>
/// Everything that touched a payment, a subscription, an order, a person or a membership, oldest first; how it stands; and what happens next, and when.
/// </summary>
internal static class ExplainCommand
{
    private static readonly JobOption<int?> Limit = new("--limit", "N", "At most the newest so many events; default 100.", OptionValue.Positive, 100, "JOBS_EXPLAIN_LIMIT");

    public static readonly ToolCommand Command = new(
        "explain", "Tells all that happened to a payment, subscription, order, user or membership, and what happens next and when.", [Limit, RenewalNotice.Required], RunAsync,
        new ToolArgument("what", $"{string.Join(", ", Subject.Kinds)}; or at once pi_..., sub_..., cus_..., a receipt's number, an address.", []))
    {
        Then = new ToolArgument("id", "Its id; or the provider's, a receipt's number, a reference, an address.", []),
    };

    private sealed record Told(Evidence Evidence, List<Happening> Timeline, List<Ahead> Next);

    private static async Task RunAsync(ToolRun run)
    {
        var zone = BusinessZone.From(run.Settings);
        var policy = RenewalPolicy.From(run.Settings);
        var told = await run.Database(readOnly: true).TransactionAsync(
            async tx =>
            {
                var now = await StatusView.MomentAsync(tx);
                var evidence = await Evidence.GatherAsync(tx, await Subject.FindAsync(tx, run.Argument, run.SecondArgument), now);
                var runs = new NextRuns(zone, now, evidence.Pauses);
                return new Told(evidence, new Timeline(evidence, zone).Read(), await new Forecast(evidence, zone, runs, policy, run.Get(RenewalNotice.Required)).ReadAsync(tx));
            },
            run.Stopping);
        var most = run.Get(Limit)!.Value;
        var earlier = Math.Max(0, told.Timeline.Count - most);
        var timeline = told.Timeline.Skip(earlier).ToList();
        var truncated = earlier > 0 || told.Evidence.Truncated;
        if (run.Output == OutputFormat.Json)
        {
            await WriteJsonAsync(run, told, timeline, truncated, zone);
        }
        else
        {
            Print(run, told, timeline, truncated, zone);
        }
    }

    private static Task WriteJsonAsync(ToolRun run, Told told, List<Happening> timeline, bool truncated, BusinessZone zone) => AnswerJson.WriteAsync(run, json =>
    {
        var evidence = told.Evidence;
        json.Members(
            ("command", "explain"), ("generated_at", evidence.Now), ("time_zone", zone.Id), ("subject_type", evidence.Subject.Kind), ("subject_id", evidence.Subject.Id));
        json.WriteStartObject("state");
        json.Members(State.Of(evidence));
        json.WriteEndObject();
        json.WriteBoolean("truncated", truncated);
        json.List("timeline", timeline, h => json.Members(
            ("at", h.At), ("kind", h.Kind), ("subject", h.Subject), ("text", h.Text), ("actor", h.Actor), ("run_id", h.Run)));
        json.List("runs", evidence.Runs, run => run.WriteMembers(json));
        json.List("next", told.Next, a => json.Members(("at", a.At), ("subject", a.Subject), ("what", a.What), ("job", a.Job), ("todo", a.Todo)));
    });

    private static void Print(ToolRun run, Told told, List<Happening> timeline, bool truncated, BusinessZone zone)
    {
        var (evidence, now) = (told.Evidence, told.Evidence.Now);
        var console = Paper.Open(run);
        var wide = console.Profile.Width >= 100;
        Line(console, $"{evidence.Subject}  {Words.Moment(now, zone)} ({Words.Zone(now, zone)})", new Style(decoration: Decoration.Bold));
        var sheet = wide ? new Sheet("What happened", "=Time", "Row", "What", "By") : new Sheet("What happened", "Time", "What");
        foreach (var h in timeline)
        {
            var at = Words.When(h.At, now, zone);
            if (wide)
            {
                sheet.Add(at, h.Subject, h.Text, By(h, evidence));
            }
            else
            {
                sheet.Add(at, $"{h.Subject}: {h.Text}");
            }
        }

        if (truncated)
        {
            sheet.More("only the newest; --limit N for more");
        }

        if (sheet.Count > 0)
        {
            sheet.WriteTo(console);
        }

        Line(console, $"Now: {State.Line(evidence, zone)}", Style.Plain);
        Line(console, told.Next.Count == 0 ? "Next: nothing by itself" : "Next:", new Style(decoration: Decoration.Bold));
        foreach (var a in told.Next)
        {
            Line(console, $"  {(a.At is { } at ? Words.When(at, now, zone) : "…")}  {a.Subject} {a.What}{(a.Job is { } job && a.At is not null ? $" ({job})" : "")}", a.Todo is null ? Style.Plain : Cell.StyleOf(Tone.Warning));
            if (a.Todo is { } todo)
            {
                Line(console, $"      {todo}", Style.Plain);
            }
        }
    }

    private static string By(Happening h, Evidence evidence)
    {
        var run = evidence.Runs.FirstOrDefault(r => r.Id == h.Run);
        var actor = h.Actor.Length > 0 ? OneLine.Of(h.Actor, 60) : run?.Job ?? "";
        return h.Run is { } id ? $"{actor} {id.ToString()[..18]}" : actor;
    }

    private static void Line(IAnsiConsole console, string text, Style style) => console.Write(new Text(Words.Clean(text) + "\n", style));
}
