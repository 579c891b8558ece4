using System.Diagnostics;
using System.Diagnostics.Metrics;
using Jobs.Runs;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Jobs.Telemetry;

/// <summary>
/// Traces and metrics to an OpenTelemetry collector, by HTTP and protobuf. The only place that knows OpenTelemetry's libraries: without
/// it none of them is loaded.
/// </summary>
internal sealed class OtlpExport
{
    private readonly TelemetrySettings _settings;
    private readonly ResourceBuilder _resource;
    private readonly TracerProvider _traces;
    private readonly List<string> _troubles = [];

    public OtlpExport(TelemetrySettings settings, JobDefinition job, Guid run)
    {
        _settings = settings;
        // What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes last and counts.
        _resource = ResourceBuilder.CreateEmpty()
            .AddService(job.Name, serviceVersion: JobProgram.Version, serviceInstanceId: run.ToString())
            .AddTelemetrySdk()
            .AddEnvironmentVariableDetector();
        var exporter = new OtlpTraceExporter(Options("v1/traces"));
        _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(_resource).AddSource(Spans.Name)
            .AddProcessor(new BatchActivityExportProcessor(exporter)).Build();
    }

    /// <summary>What is left of the traces, and the metrics. It blocks, for so long at most.</summary>
    /// <returns>Why not all of it arrived; null: it did.</returns>
    public string? Flush(IEnumerable<Metric> metrics, TimeSpan within)
    {
        var (clock, most) = (Stopwatch.StartNew(), (int)within.TotalMilliseconds);
        var metricsFlushed = Task.Run(() => Flush(metrics, most));
        var tracesFlushed = _traces.ForceFlush(most);
        var inTime = metricsFlushed.Wait(Math.Max(1, most - (int)clock.ElapsedMilliseconds)) && metricsFlushed.Result && tracesFlushed;
        lock (_troubles)
        {
            return _troubles.Count > 0 ? _troubles[0] : inTime ? null : RunTelemetry.NoAnswer;
        }
    }

    private bool Flush(IEnumerable<Metric> metrics, int most)
    {
        using var meter = new Meter(Spans.Name, JobProgram.Version);
        foreach (var metric in metrics)
        {
            var values = metric.Samples
                .Select(sample => new Measurement<double>(sample.Value, sample.Labels.Select(label => KeyValuePair.Create<string, object?>(label.Name, label.Value))))
                .ToList();
            if (metric.Kind == MetricKind.Counter)
            {
                meter.CreateObservableCounter(metric.Name, () => values, description: metric.Help);
            }
            else
            {
                meter.CreateObservableGauge(metric.Name, () => values, description: metric.Help);
            }
        }

        var reader = new PeriodicExportingMetricReader(new OtlpMetricExporter(Options("v1/metrics")), int.MaxValue, most);
        using var provider = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(_resource).AddMeter(Spans.Name).AddReader(reader).Build();
        // Sends them once; a flush would be followed by the disposal's own.
        return provider.Shutdown(most);
    }

    private OtlpExporterOptions Options(string signal)
    {
        var address = new UriBuilder(_settings.Collector!);
        address.Path = $"{address.Path.TrimEnd('/')}/{signal}";
        var options = new OtlpExporterOptions
        {
            Protocol = OtlpExportProtocol.HttpProtobuf,
            Endpoint = address.Uri,
            TimeoutMilliseconds = (int)RunTelemetry.MostTime.TotalMilliseconds,
            HttpClientFactory = () => new HttpClient(new Listener(this), disposeHandler: true) { Timeout = RunTelemetry.MostTime },
        };
        if (_settings.CollectorHeaders is { } headers)
        {
            options.Headers = headers;
        }

        return options;
    }

    private void Note(string trouble)
    {
        lock (_troubles)
        {
            _troubles.Add(trouble);
        }
    }

    /// <summary>The exporter keeps to itself what becomes of what it sends.</summary>
    private sealed class Listener(OtlpExport export)
        : DelegatingHandler(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ActivityHeadersPropagator = null })
    {
        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                return Heard(base.Send(request, cancellationToken));
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
            {
                export.Note(RunTelemetry.Reason(e));
                throw;
            }
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                return Heard(await base.SendAsync(request, cancellationToken));
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
            {
                export.Note(RunTelemetry.Reason(e));
                throw;
            }
        }

        private HttpResponseMessage Heard(HttpResponseMessage response)
        {
            if (!response.IsSuccessStatusCode)
            {
                export.Note($"it answered {(int)response.StatusCode}");
            }

            return response;
        }
    }
}
