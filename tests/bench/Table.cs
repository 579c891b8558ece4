using System.Globalization;
using System.Text;

namespace Jobs.Bench;

/// <summary>The one table, the same on the terminal and in artifacts/bench/results.md.</summary>
internal static class Table
{
    private static readonly string[] Head = ["line", "what", "target", "measured", "of target", "", "of SQL", "of Python", "of Node"];

    public static string Of(IReadOnlyList<Result> results)
    {
        var rows = results.Select(r => new[]
        {
            r.Line, r.What, r.Target, r.Measured,
            Text(r.Ratio),
            r.Passes switch { true => "pass", false => "MISS", _ => "" },
            Text(r.Of.Sql), Text(r.Of.Python), Text(r.Of.Node),
        }).ToList();
        var widths = Head.Select((h, i) => rows.Select(r => r[i].Length).Append(Math.Max(3, h.Length)).Max()).ToArray();
        var text = new StringBuilder();
        Row(text, Head, widths);
        Row(text, [.. widths.Select(w => new string('-', w))], widths);
        rows.ForEach(r => Row(text, r, widths));
        return text.ToString();
    }

    private static string Text(double? ratio) => ratio?.ToString("0.00", CultureInfo.InvariantCulture) ?? "";

    private static void Row(StringBuilder text, IReadOnlyList<string> cells, IReadOnlyList<int> widths) =>
        text.Append("| ").AppendJoin(" | ", cells.Select((c, i) => c.PadRight(widths[i]))).Append(" |\n");
}
