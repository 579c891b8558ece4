using System.Globalization;
using System.Net;
using System.Text;
using Jobs.Billing;

namespace Jobs.Counter;

/// <summary>
/// The counter as one HTML file: no script, nothing loaded from elsewhere, light and dark, from 360 pixels to a wall screen, on paper.
/// Whatever came from the database is escaped.
/// </summary>
internal static class Page
{
    public static string Of(Sight sight, BusinessZone zone, TimeSpan? refresh, string? business)
    {
        var (view, now) = (sight.View, sight.At);
        var title = business is null ? "Counter" : $"Counter – {business}";
        var html = new StringBuilder(16_384);
        html.Append(CultureInfo.InvariantCulture, $"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="robots" content="noindex">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            {(refresh is { } every ? $"<meta http-equiv=\"refresh\" content=\"{Math.Max(1, (int)every.TotalSeconds)}\">" : "")}
            <title>{Text(title)}</title>
            <style>{PageStyle.Css}</style>
            </head>
            <body>
            <header>
            <h1>{Text(title)}</h1>
            <p class="made">As of <time datetime="{view.Now:yyyy-MM-dd'T'HH:mm:ss'Z'}">{Text(Words.Moment(view.Now, zone))}</time> <span class="zone">({Text(Words.Zone(view.Now, zone))})</span></p>
            </header>
            <main>

            """);
        if (sight.LostSince is { } since)
        {
            Banner(html, "bad", $"No connection to the database since {Words.At(since, now, zone)}", [Words.Clean(sight.Error), "What follows is as it was then."]);
        }

        if (view.Fallback is { } fallback)
        {
            Banner(html, "warning", "Fallback mode: cards wait", [Words.Clean(fallback.Reason), "Cash, checks and transfers go on. " + Sentence(Words.By(fallback, now, zone))]);
        }

        Totals(html, view);
        Terminals(html, view, now, zone);
        Queue(html, view, now);
        Payments(html, view, now, zone);
        if (view.Locks.Count > 0)
        {
            Locks(html, view, now);
        }

        return html.Append("</main>\n</body>\n</html>\n").ToString();
    }

    private static void Banner(StringBuilder html, string tone, string head, string[] lines)
    {
        html.Append(CultureInfo.InvariantCulture, $"<section class=\"banner {tone}\" aria-label=\"{Text(head)}\"><h2>{Text(head)}</h2>");
        foreach (var line in lines.Where(line => line.Length > 0))
        {
            html.Append(CultureInfo.InvariantCulture, $"<p>{Text(line)}</p>");
        }

        html.Append("</section>\n");
    }

    private static void Totals(StringBuilder html, CounterView view)
    {
        Begin(html, "totals", "Taken today", view.Totals.Sum(t => t.Count));
        if (view.Totals.Count == 0)
        {
            Nothing(html, "Nothing has been taken yet.");
        }
        else
        {
            foreach (var currency in view.Totals.GroupBy(t => t.Currency))
            {
                html.Append("<dl class=\"totals\">");
                html.Append(CultureInfo.InvariantCulture, $"<div class=\"sum\"><dt>{currency.Sum(t => t.Count)} in all</dt><dd>{Text(Words.Money(currency.Sum(t => t.AmountMinor), currency.Key))}</dd></div>");
                foreach (var total in currency)
                {
                    html.Append(CultureInfo.InvariantCulture, $"<div><dt>{total.Count} × {Text(Words.Method(total.Method))}</dt><dd>{Text(Words.Money(total.AmountMinor, total.Currency))}</dd></div>");
                }

                html.Append("</dl>\n");
            }
        }

        End(html);
    }

    private static void Terminals(StringBuilder html, CounterView view, DateTime now, BusinessZone zone) => List(
        html, "terminals", "Terminals", view.Terminals.Count, view.Terminals, "No terminal is set up.",
        ["Name", "Status", "Since", "Payment", "Last seen", "Last error"],
        t =>
        [
            Head(t.Name), Status(t.Status), Cell(Words.At(t.Since, now, zone)), Name(Words.OnTerminal(t)),
            Cell(t.LastSeenAt is { } seen ? $"{Words.For(seen, now)} ago" : "never"),
            Name((Words.Clean(t.LastError) + (t.RetryAt is { } retry ? $" (again at {Words.At(retry, now, zone)})" : "")).Trim()),
        ]);

    private static void Queue(StringBuilder html, CounterView view, DateTime now) => List(
        html, "queue", "Queue", view.QueueLength, view.Queue, "Nobody is waiting.",
        ["#Place", "Payer", "#Amount", "Purpose", "Status", "Waiting", "Reader", "Reason"],
        q =>
        [
            Number(q.Place.ToString(CultureInfo.InvariantCulture)), Head(q.Payer), Number(Words.Money(q.AmountMinor, q.Currency)), Cell(q.Purpose),
            Status(q.Status), Cell(Words.For(q.CreatedAt, now)), Name(q.Terminal), Name(q.Reason),
        ]);

    private static void Payments(StringBuilder html, CounterView view, DateTime now, BusinessZone zone) => List(
        html, "payments", "Payments at the counter today", view.PaymentCount, view.Payments, "No payment yet.",
        ["Time", "Payer", "#Amount", "Method", "Purpose", "Status", "Receipt"],
        p =>
        [
            Cell(Words.At(p.At, now, zone)), Head(p.Payer), Number(Words.Paid(p)), Cell(Words.Method(p.Method)), Cell(p.Purpose),
            Status(p.Status), p.ReceiptNumber is { } receipt ? Cell(receipt) : Name(p.FailureCode),
        ]);

    private static void Locks(StringBuilder html, CounterView view, DateTime now) => List(
        html, "locks", "Locked payers", view.Locks.Count, view.Locks, "",
        ["Payer", "Held by", "#Seconds left"],
        l => [Head(l.Payer ?? l.UserId), Name(Words.Holder(l.Holder)), Number(Words.SecondsLeft(l, now).ToString(CultureInfo.InvariantCulture))]);

    /// <param name="columns">A number's begins with #.</param>
    private static void List<T>(
        StringBuilder html, string id, string title, long count, IReadOnlyList<T> rows, string nothing, string[] columns, Func<T, CellText[]> cells)
    {
        Begin(html, id, title, count);
        if (rows.Count == 0)
        {
            Nothing(html, nothing);
            End(html);
            return;
        }

        // The roles stay when a narrow screen turns rows into blocks.
        html.Append(CultureInfo.InvariantCulture, $"<table role=\"table\" aria-labelledby=\"{id}\"><thead role=\"rowgroup\"><tr role=\"row\">");
        foreach (var column in columns)
        {
            html.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\" role=\"columnheader\"{(column[0] == '#' ? " class=\"n\"" : "")}>{column.TrimStart('#')}</th>");
        }

        html.Append("</tr></thead>\n<tbody role=\"rowgroup\">\n");
        foreach (var row in rows)
        {
            html.Append("<tr role=\"row\">");
            foreach (var (column, cell) in columns.Zip(cells(row)))
            {
                html.Append(CultureInfo.InvariantCulture, $"<{cell.Tag} data-label=\"{column.TrimStart('#')}\"{(cell.Html.Length == 0 ? " class=\"none\"" : cell.Class)}>{cell.Html}</{cell.Tag[..2]}>");
            }

            html.Append("</tr>\n");
        }

        html.Append("</tbody></table>\n");
        if (count > rows.Count)
        {
            html.Append(CultureInfo.InvariantCulture, $"<p class=\"quiet\">and {count - rows.Count} more</p>\n");
        }

        End(html);
    }

    private static void Begin(StringBuilder html, string id, string title, long count) =>
        html.Append(CultureInfo.InvariantCulture, $"<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title} <span class=\"count\">{count}</span></h2>\n");

    private static void End(StringBuilder html) => html.Append("</section>\n");

    private static void Nothing(StringBuilder html, string what) => html.Append(CultureInfo.InvariantCulture, $"<p class=\"quiet\">{what}</p>\n");

    private sealed record CellText(string Tag, string Class, string Html);

    /// <summary>What the row is about.</summary>
    private static CellText Head(string text) => new("th scope=\"row\" role=\"rowheader\"", "", $"<bdi>{Text(Words.Clean(text))}</bdi>");

    /// <summary>Short, in one line.</summary>
    private static CellText Cell(string text) => new("td role=\"cell\"", " class=\"s\"", Text(text));

    /// <summary>Of whatever script and direction.</summary>
    private static CellText Name(string? text) => new("td role=\"cell\"", " class=\"t\"", string.IsNullOrEmpty(text) ? "" : $"<bdi>{Text(Words.Clean(text))}</bdi>");

    private static CellText Number(string text) => new("td role=\"cell\"", " class=\"n\"", Text(text));

    private static CellText Status(string status) =>
        new("td role=\"cell\"", "", $"<span class=\"status {Words.ToneOf(status).ToString().ToLowerInvariant()}\">{Text(Words.Status(status))}</span>");

    private static string Sentence(string text) => text.Length == 0 ? "" : char.ToUpperInvariant(text[0]) + text[1..] + ".";

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
