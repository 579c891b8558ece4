using System.Globalization;
using System.Net;
using System.Text;
using Jobs.Billing;
using Jobs.Counter;
using Jobs.Ledger;
using Jobs.Mail;
using Words = Jobs.Counter.Words;

namespace Jobs.Report;

/// <summary>
/// How the jobs do as one HTML file: no script, nothing loaded from elsewhere, light and dark, narrow and wide, on paper. What is wrong stands
/// on top. Whatever came from the database is escaped.
/// </summary>
internal sealed class StatusPage(StatusView view, IReadOnlyList<JobStatus> jobs, IReadOnlyList<Problem> problems, ReportView report, BusinessZone zone, int days)
{
    private const double StripHeight = 26;
    private const double StripStep = 5;

    private readonly StringBuilder _html = new(65_536);

    public string Of(string? business)
    {
        var title = business is null ? "Jobs" : $"Jobs – {business}";
        Write($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="robots" content="noindex">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>{Text(title)}</title>
            <style>{PageStyle.Css}{ReportStyle.Css}</style>
            </head>
            <body>
            <header>
            <h1>{Text(title)}</h1>
            <p class="made">As of <time datetime="{view.Now:yyyy-MM-dd'T'HH:mm:ss'Z'}">{Text(Words.Moment(view.Now, zone))}</time> <span class="zone">({Text(Words.Zone(view.Now, zone))})</span></p>
            </header>
            <main>

            """);
        Problems();
        Jobs();
        Charts();
        Backlog();
        return _html.Append("</main>\n</body>\n</html>\n").ToString();
    }

    private void Problems()
    {
        Group("bad", problems.Where(p => p.Wrong).ToList(), n => n == 1 ? "One thing is wrong" : $"{n} things are wrong");
        Group("warning", problems.Where(p => !p.Wrong).ToList(), n => n == 1 ? "One thing to know" : $"{n} things to know");
        if (problems.Count == 0)
        {
            Write($"<section class=\"banner fine\" aria-label=\"All is well\"><h2>✓ All is well</h2><p>No job is late or failing, and nothing waits for anybody.</p></section>\n");
        }
    }

    private void Group(string tone, List<Problem> group, Func<int, string> head)
    {
        if (group.Count == 0)
        {
            return;
        }

        Write($"<section class=\"banner {tone}\" aria-label=\"{Text(head(group.Count))}\"><h2>{Text(head(group.Count))}</h2><ul>");
        foreach (var problem in group)
        {
            Write($"<li><bdi>{Text(Words.Clean(problem.What))}</bdi><br>{string.Join(" ", problem.Todo.Select(todo => $"<code>{Text(Words.Clean(todo))}</code>"))}</li>");
        }

        Write($"</ul></section>\n");
    }

    private void Jobs()
    {
        string[] columns = ["Job", "State", $"Last {ReportView.Runs} runs", "Last run", "Took", "Last success", "Next", "Did last"];
        Write($"<section aria-labelledby=\"jobs\"><h2 id=\"jobs\">Every job <span class=\"count\">{jobs.Count}</span></h2>");
        // The roles stay when a narrow screen turns rows into blocks.
        Write($"<table role=\"table\" aria-labelledby=\"jobs\"><thead role=\"rowgroup\"><tr role=\"row\">");
        foreach (var column in columns)
        {
            Write($"<th scope=\"col\" role=\"columnheader\"{(column == "Took" ? " class=\"n\"" : "")}>{column}</th>");
        }

        Write($"</tr></thead>\n<tbody role=\"rowgroup\">\n");
        foreach (var job in jobs)
        {
            var row = job.Row;
            var ended = row.Id is not null;
            var labels = new Queue<string>(columns);
            Write($"<tr role=\"row\"><th scope=\"row\" role=\"rowheader\" data-label=\"{labels.Dequeue()}\"><span>{Text(job.Job.Name)}</span></th>");
            Write($"<td role=\"cell\" data-label=\"{labels.Dequeue()}\">{State(job.State)}</td>");
            Write($"<td role=\"cell\" data-label=\"{labels.Dequeue()}\">{Strip(job, [.. report.Strips[job.Job.Name]])}</td>");
            Cell(labels.Dequeue(), "s", ended ? Words.When(row.StartedAt, view.Now, zone) : "never");
            Cell(labels.Dequeue(), "n", ended && row.FinishedAt is { } end ? Signs.Took(end - row.StartedAt) : "");
            Cell(labels.Dequeue(), "s", row.LastSuccessAt is { } success ? Words.When(success, view.Now, zone) : "");
            Cell(labels.Dequeue(), "s", job.NextDueAt is { } next ? Words.When(next, view.Now, zone) : "on demand");
            Cell(labels.Dequeue(), "t", Signs.Counters(row.Counters));
            Write($"</tr>\n");
        }

        Write($"</tbody></table></section>\n");
    }

    private void Cell(string label, string style, string text) =>
        Write($"<td role=\"cell\" data-label=\"{label}\" class=\"{(text.Length == 0 ? "none" : style)}\"><bdi>{Text(Words.Clean(text))}</bdi></td>");

    private static string State(string state) =>
        $"<span class=\"status {Signs.ToneOf(state).ToString().ToLowerInvariant()}\">{Text(Signs.Of(state))}</span>";

    /// <summary>A bar a run, oldest first: as high as it took long, beside the longest of them.</summary>
    private string Strip(JobStatus job, StripRow[] runs)
    {
        if (runs.Length == 0)
        {
            return "<span class=\"quiet\">none</span>";
        }

        var took = runs.Select(r => ((r.FinishedAt ?? view.Now) - r.StartedAt).TotalMilliseconds).ToArray();
        var longest = Math.Max(1, took.Max());
        var failed = runs.Count(r => r.Status is "failed" or "interrupted");
        var says = $"{job.Job.Name}: {runs.Length} runs, {failed} failed, the longest took {Signs.Took(TimeSpan.FromMilliseconds(longest))}";
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg class=\"strip\" viewBox=\"0 0 {ReportView.Runs * StripStep:0} {StripHeight:0}\" preserveAspectRatio=\"xMinYMid\" role=\"img\" aria-label=\"{Text(says)}\">");
        for (var i = 0; i < runs.Length; i++)
        {
            var height = 4 + ((StripHeight - 4) * Math.Sqrt(took[i] / longest));
            var about = $"{Words.When(runs[i].StartedAt, view.Now, zone)}: {runs[i].Status}, {Signs.Took(TimeSpan.FromMilliseconds(took[i]))}{(runs[i].Error is { } error ? $", {OneLine.Of(error, 120)}" : "")}";
            svg.Append(
                CultureInfo.InvariantCulture,
                $"<rect class=\"{Tint(runs[i].Status)}-fill\" x=\"{i * StripStep:0.#}\" y=\"{StripHeight - height:0.#}\" width=\"{StripStep - 1.5:0.#}\" height=\"{height:0.#}\"><title>{Text(about)}</title></rect>");
        }

        return svg.Append("</svg>").ToString();
    }

    private void Charts()
    {
        var today = zone.Date(view.Now);
        var span = Enumerable.Range(0, days).Select(back => today.AddDays(back - days + 1)).ToList();
        var counts = report.Days.ToLookup(d => d.Day);
        Write($"<div class=\"charts\">\n");
        Chart.Columns(
            _html, "runs", $"Runs a day, {days} days",
            [.. span.Select(day => new Column(
                Day(day), ("good", Count(day, "succeeded")), ("active", Count(day, "running")), ("quiet", Count(day, "skipped")), ("bad", Count(day, "failed") + Count(day, "interrupted"))))],
            Sheet.Number, ("good", "succeeded"), ("active", "running"), ("quiet", "skipped"), ("bad", "failed"));
        Chart.Columns(
            _html, "failures", "Failed or interrupted runs a day",
            [.. span.Select(day => new Column(Day(day), ("bad", Count(day, "failed") + Count(day, "interrupted"))))], Sheet.Number);
        var drawn = 0;
        foreach (var (currency, amounts) in report.Revenue)
        {
            Chart.Columns(
                _html, $"revenue-{++drawn}", $"Revenue a day, {currency.ToUpperInvariant()}",
                [.. span.Select(day => new Column(Day(day), (amounts.GetValueOrDefault(day) < 0 ? "bad" : "active", amounts.GetValueOrDefault(day))))],
                minor => Words.Money(minor, currency));
        }

        if (drawn == 0)
        {
            Write($"<section aria-labelledby=\"revenue\"><h2 id=\"revenue\">Revenue a day</h2><p class=\"quiet\">daily-stats has written no figures of these days.</p></section>\n");
        }

        Write($"</div>\n");

        long Count(DateOnly day, string status) => counts[day].Where(d => d.Status == status).Sum(d => d.Count);
    }

    private void Backlog()
    {
        var waiting = jobs.SelectMany(j => j.Backlog).ToList();
        Write($"<section aria-labelledby=\"backlog\"><h2 id=\"backlog\">What waits</h2>");
        if (waiting.Count == 0)
        {
            Write($"<p class=\"quiet\">Nothing is due.</p></section>\n");
            return;
        }

        var most = waiting.Max(w => w.Count);
        Write($"<table role=\"table\" class=\"backlog\" aria-labelledby=\"backlog\"><thead role=\"rowgroup\"><tr role=\"row\"><th scope=\"col\" role=\"columnheader\">Job</th><th scope=\"col\" role=\"columnheader\">What</th><th scope=\"col\" role=\"columnheader\">Beside the most</th><th scope=\"col\" role=\"columnheader\">Oldest</th></tr></thead><tbody role=\"rowgroup\">");
        foreach (var backlog in waiting)
        {
            var share = 100.0 * backlog.Count / most;
            Write($"<tr role=\"row\"><th scope=\"row\" role=\"rowheader\" data-label=\"Job\"><span>{Text(backlog.Job)}</span></th>");
            Cell("What", "s", backlog.ToString());
            Write($"<td role=\"cell\" data-label=\"Beside the most\" class=\"share\"><svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{share:0} % of the longest line\"><rect class=\"active-fill\" width=\"{Math.Max(1, share):0.#}\" height=\"10\"/></svg></td>");
            Cell("Oldest", "s", backlog.OldestAt is { } at ? Words.For(at, view.Now) : "");
            Write($"</tr>");
        }

        Write($"</tbody></table></section>\n");
    }

    private static string Day(DateOnly day) => day.ToString("d MMM", CultureInfo.InvariantCulture);

    private static string Tint(string status) => status switch
    {
        "succeeded" => "good",
        "running" => "active",
        "skipped" => "quiet",
        _ => "bad",
    };

    private void Write(FormattableString html) => _html.Append(html.ToString(CultureInfo.InvariantCulture));

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
