using System.Buffers;
using System.Text.Json;
using Jobs.Runs;
using Jobs.Telemetry;

namespace Jobs.Metrics;

/// <summary>What textfile, Pushgateway and OTLP are told, of every job at once and as of now: in Prometheus's text format, or as JSON.</summary>
internal static class MetricsCommand
{
    public static readonly ToolCommand Command = new(
        "metrics",
        "Shows the metrics of all jobs: last runs, totals, what waits, payments of the last day.",
        [],
        RunAsync);

    private static async Task RunAsync(ToolRun run)
    {
        var metrics = await run.Database(readOnly: true).TransactionAsync(tx => AllMetrics.ReadAsync(tx, run.Settings), run.Stopping);
        if (run.Output == OutputFormat.Json)
        {
            await using var stdout = run.Context.OpenOutput();
            await stdout.WriteAsync(Json(metrics));
        }
        else
        {
            await run.Context.Output.WriteAsync(PrometheusText.Of(metrics));
        }
    }

    private static ReadOnlyMemory<byte> Json(IEnumerable<Metric> metrics)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, PlainJson.Writing))
        {
            json.WriteStartObject();
            json.WriteString("command", "metrics");
            json.WriteStartArray("metrics");
            foreach (var metric in metrics)
            {
                Write(json, metric);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter json, Metric metric)
    {
        json.WriteStartObject();
        json.WriteString("name", metric.Name);
        json.WriteString("help", metric.Help);
        json.WriteString("type", metric.Kind == MetricKind.Counter ? "counter" : "gauge");
        json.WriteStartArray("samples");
        foreach (var (value, labels) in metric.Samples)
        {
            json.WriteStartObject();
            json.WriteStartObject("labels");
            foreach (var (name, label) in labels)
            {
                json.WriteString(name, label);
            }

            json.WriteEndObject();
            json.WriteNumber("value", value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
