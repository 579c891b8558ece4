using System.Globalization;
using System.Net;
using System.Text;

namespace Jobs.Report;

/// <summary>One column of a chart, its parts from the ground up.</summary>
/// <param name="Label">Such as a day.</param>
internal sealed record Column(string Label, params IReadOnlyList<(string Tone, long Value)> Parts)
{
    public long Sum => Parts.Sum(p => p.Value);
}

/// <summary>
/// A chart of columns as inline SVG that stretches with the page; its words are HTML, so that they stay as large as other words. The same
/// figures follow as a table for whoever sees no picture.
/// </summary>
internal static class Chart
{
    private const double Width = 600;
    private const double Height = 100;

    /// <param name="value">A figure as a person reads it.</param>
    /// <param name="legend">What a tone stands for; none where there is one only.</param>
    public static void Columns(StringBuilder html, string id, string title, IReadOnlyList<Column> columns, Func<long, string> value, params ReadOnlySpan<(string Tone, string Name)> legend)
    {
        long most = Math.Max(0, columns.Max(c => c.Sum)), least = Math.Min(0, columns.Min(c => c.Sum)), sum = columns.Sum(c => c.Sum);
        var peak = columns.MaxBy(c => c.Sum)!;
        var says = sum == 0 && most == 0 && least == 0 ? "none" : $"{value(sum)} in all, most on {peak.Label}: {value(peak.Sum)}";
        html.Append(CultureInfo.InvariantCulture, $"<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{Text(title)}</h2><p class=\"quiet\">{Text(says)}</p>");
        if (legend.Length > 0)
        {
            html.Append("<p class=\"legend\">");
            foreach (var (tone, name) in legend)
            {
                html.Append(CultureInfo.InvariantCulture, $"<span><svg class=\"key\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"{tone}-fill\" width=\"10\" height=\"10\" rx=\"2\"/></svg>{Text(name)}</span> ");
            }

            html.Append("</p>");
        }

        html.Append(CultureInfo.InvariantCulture, $"<div class=\"chart\"><span class=\"top\">{Text(value(most))}</span><svg viewBox=\"0 0 {Width:0} {Height:0}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{Text($"{title}: {says}")}\">");
        Draw(html, columns, value, most, least);
        html.Append(CultureInfo.InvariantCulture, $"</svg><span class=\"days\"><span>{Text(columns[0].Label)}</span><span>{Text(columns[columns.Count / 2].Label)}</span><span>{Text(columns[^1].Label)}</span></span></div>");
        Table(html, title, columns, value, legend);
        html.Append("</section>\n");
    }

    private static void Draw(StringBuilder html, IReadOnlyList<Column> columns, Func<long, string> value, long most, long least)
    {
        double scale = Height / Math.Max(1, most - least), ground = most * scale, step = Width / columns.Count;
        foreach (var line in new[] { 0, Height / 2 })
        {
            html.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"0\" x2=\"{Width:0}\" y1=\"{line + 0.5:0.##}\" y2=\"{line + 0.5:0.##}\"/>");
        }

        for (var i = 0; i < columns.Count; i++)
        {
            html.Append(CultureInfo.InvariantCulture, $"<g><title>{Text($"{columns[i].Label}: {value(columns[i].Sum)}")}</title>");
            var at = ground;
            foreach (var (tone, part) in columns[i].Parts.Where(p => p.Value != 0))
            {
                // What is there is seen, however small.
                var height = Math.Max(1, Math.Abs(part) * scale);
                at -= part > 0 ? height : 0;
                html.Append(CultureInfo.InvariantCulture, $"<rect class=\"{tone}-fill\" x=\"{i * step + step * .12:0.##}\" y=\"{Math.Max(0, at):0.##}\" width=\"{step * .76:0.##}\" height=\"{height:0.##}\"/>");
            }

            html.Append("</g>");
        }

        html.Append(CultureInfo.InvariantCulture, $"<line class=\"ground\" x1=\"0\" x2=\"{Width:0}\" y1=\"{Math.Min(Height - 0.5, ground):0.##}\" y2=\"{Math.Min(Height - 0.5, ground):0.##}\"/>");
    }

    private static void Table(StringBuilder html, string title, IReadOnlyList<Column> columns, Func<long, string> value, ReadOnlySpan<(string Tone, string Name)> legend)
    {
        html.Append(CultureInfo.InvariantCulture, $"<details><summary>As a table</summary><table class=\"plain\"><caption>{Text(title)}</caption><thead><tr><th scope=\"col\">Day</th>");
        string[] names = legend.Length == 0 ? [title] : [.. legend.ToArray().Select(l => l.Name)];
        foreach (var name in names)
        {
            html.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\" class=\"n\">{Text(name)}</th>");
        }

        html.Append("</tr></thead><tbody>");
        foreach (var column in columns.Where(c => c.Parts.Any(p => p.Value != 0)))
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{Text(column.Label)}</th>");
            foreach (var (_, part) in column.Parts)
            {
                html.Append(CultureInfo.InvariantCulture, $"<td class=\"n\">{Text(value(part))}</td>");
            }

            html.Append("</tr>");
        }

        html.Append("</tbody></table></details>");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
