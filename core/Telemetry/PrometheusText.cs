using System.Globalization;
using System.Text;

namespace Jobs.Telemetry;

/// <summary>The text format of Prometheus, version 0.0.4.</summary>
public static class PrometheusText
{
    public const string MediaType = "text/plain";
    public const string Version = "0.0.4";

    /// <summary>A metric without samples is left out.</summary>
    public static string Of(IEnumerable<Metric> metrics)
    {
        var text = new StringBuilder();
        foreach (var metric in metrics.Where(metric => metric.Samples.Count > 0))
        {
            text.Append("# HELP ").Append(metric.Name).Append(' ').Append(Escaped(metric.Help, quotes: false)).Append('\n');
            text.Append("# TYPE ").Append(metric.Name).Append(' ').Append(metric.Kind == MetricKind.Counter ? "counter" : "gauge").Append('\n');
            foreach (var sample in metric.Samples)
            {
                text.Append(metric.Name);
                AddLabels(text, sample.Labels);
                text.Append(' ').Append(Number(sample.Value)).Append('\n');
            }
        }

        return text.ToString();
    }

    private static void AddLabels(StringBuilder text, IReadOnlyList<(string Name, string Value)> labels)
    {
        for (var i = 0; i < labels.Count; i++)
        {
            text.Append(i == 0 ? '{' : ',').Append(labels[i].Name).Append("=\"").Append(Escaped(labels[i].Value, quotes: true)).Append('"');
        }

        if (labels.Count > 0)
        {
            text.Append('}');
        }
    }

    private static string Escaped(string text, bool quotes)
    {
        text = text.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);
        return quotes ? text.Replace("\"", "\\\"", StringComparison.Ordinal) : text;
    }

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        // Whole numbers as such, however large: 1763751000 and not 1.763751E+09.
        _ when Math.Abs(value) < 1e15 && Math.Floor(value) == value => ((long)value).ToString(CultureInfo.InvariantCulture),
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
