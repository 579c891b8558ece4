using System.Globalization;
using System.Net;
using System.Text;

namespace Jobs.Demo;

/// <summary>artifacts/demo/report.html: one file, no scripts, light and dark.</summary>
internal sealed class StatusPage(Stage stage)
{
    private const string States = "SELECT status, count(*) FROM subscriptions GROUP BY 1";
    private const string Revenue =
        "SELECT currency, sum(amount_minor)::bigint FROM payments WHERE status = 'succeeded' AND succeeded_at >= $1 GROUP BY 1 ORDER BY 1";

    private readonly DateTime _began = DateTime.UtcNow;
    private IReadOnlyDictionary<string, long> _before = new Dictionary<string, long>(StringComparer.Ordinal);
    private IReadOnlyDictionary<string, long> _after = new Dictionary<string, long>(StringComparer.Ordinal);

    public async Task BeforeAsync() => _before = await stage.Database.NumbersAsync(States);

    public async Task AfterAsync() => _after = await stage.Database.NumbersAsync(States);

    /// <returns>Where it is.</returns>
    public async Task<string> WriteAsync(Checks checks)
    {
        var revenue = await stage.Database.NumbersAsync(Revenue, _began);
        var html = new StringBuilder(
            $$"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Jobs: one morning</title>
            <style>
            :root { color-scheme: light dark; --ink: #1d2433; --dim: #667085; --line: #dfe3ea; --back: #fff; --card: #f6f8fb; --good: #11734b; --bad: #b42318; --bar: #5b7cfa }
            @media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --dim: #98a2b3; --line: #2c3444; --back: #12161f; --card: #1a202c; --good: #4cc38a; --bad: #ff8b7d } }
            body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
            h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem } p { color: var(--dim); margin: .2rem 0 1rem }
            table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
            th { color: var(--dim); font-weight: 500 } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
            .cards { display: flex; gap: 1rem; flex-wrap: wrap } .card { background: var(--card); border-radius: .6rem; padding: .8rem 1.2rem; flex: 1 }
            .card b { display: block; font-size: 1.4rem } .good { color: var(--good) } .bad { color: var(--bad) }
            .bar { background: var(--bar); height: .6rem; border-radius: .3rem; min-width: 2px } .wide { width: 40% }
            </style></head><body>
            <h1>One morning</h1><p>{{_began:yyyy-MM-dd HH:mm}} UTC, invented data, {{Text(stage.Server.Description)}}</p>
            <p class="{{(checks.Failures.Count == 0 ? "good" : "bad")}}">{{(checks.Failures.Count == 0 ? "All checks hold: nobody was charged twice, no payment was lost, no receipt number is missing." : Text(string.Join("; ", checks.Failures)))}}</p>
            <h2>Booked this morning</h2><div class="cards">
            """);
        foreach (var (currency, minor) in revenue)
            html.Append(CultureInfo.InvariantCulture, $"<div class=\"card\"><b>{Reconciliation.Money(minor, currency)}</b></div>");
        html.Append("</div><h2>Subscriptions</h2><table><tr><th>State</th><th>Before</th><th>After</th><th class=\"wide\"></th></tr>");
        foreach (var state in _before.Keys.Union(_after.Keys).OrderByDescending(s => _after.GetValueOrDefault(s)))
        {
            var share = 100.0 * _after.GetValueOrDefault(state) / Math.Max(1, _after.Values.Sum());
            html.Append(CultureInfo.InvariantCulture,
                $"<tr><td>{Text(state)}</td><td class=\"n\">{_before.GetValueOrDefault(state):N0}</td><td class=\"n\">{_after.GetValueOrDefault(state):N0}</td><td><div class=\"bar\" style=\"width:{share:0.#}%\"></div></td></tr>");
        }

        html.Append("</table><h2>Runs</h2><table><tr><th>Job</th><th>Ended</th><th>Took</th><th>What it did</th></tr>");
        foreach (var run in stage.Runs)
        {
            var did = string.Join(", ", run.Counters.Where(c => c.Value > 0).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Value:N0} {c.Key.Replace('_', ' ')}")));
            html.Append(CultureInfo.InvariantCulture,
                $"<tr><td>{Text(run.Job)}</td><td class=\"{(run.ExitCode == 0 ? "good" : "bad")}\">{Text(run.Status)}</td><td class=\"n\">{run.DurationMs:N0} ms</td><td>{Text(did.Length > 0 ? did : "nothing to do")}{(run.Error is null ? "" : "<br><span class=\"bad\">" + Text(run.Error) + "</span>")}</td></tr>");
        }

        html.Append("</table><p>The runs that were killed left no result of their own; the runs after them closed their rows in the ledger.</p></body></html>\n");
        var path = Stage.RepositoryFile("artifacts/demo/report.html");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, html.ToString());
        return path;
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
