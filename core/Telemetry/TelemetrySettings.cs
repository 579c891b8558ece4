using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>Where a run reports to. A mistake in it is one warning: it is no reason not to charge.</summary>
internal sealed class TelemetrySettings
{
    private static readonly string[] Names = ["METRICS_TEXTFILE_DIR", "PUSHGATEWAY_URL", "HEALTHCHECKS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"];

    private readonly List<string> _mistakes = [];

    private TelemetrySettings(Settings settings)
    {
        TextfileFolder = Read("METRICS_TEXTFILE_DIR");
        Pushgateway = Web("PUSHGATEWAY_URL", Read("PUSHGATEWAY_URL"));
        Healthchecks = Read("HEALTHCHECKS_URL");
        if (Web("HEALTHCHECKS_URL", Healthchecks?.Replace(Telemetry.Healthchecks.Job, "job", StringComparison.Ordinal)) is null)
        {
            Healthchecks = null;
        }

        Collector = Web("OTEL_EXPORTER_OTLP_ENDPOINT", Read("OTEL_EXPORTER_OTLP_ENDPOINT"));
        CollectorHeaders = Read("OTEL_EXPORTER_OTLP_HEADERS");
        if (Read("OTEL_EXPORTER_OTLP_PROTOCOL") is { } protocol && protocol != "http/protobuf")
        {
            _mistakes.Add($"OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, not '{protocol}'; nothing is sent to the collector");
            Collector = null;
        }

        string? Read(string name)
        {
            try
            {
                return settings.Optional(name);
            }
            catch (OperatorException e)
            {
                _mistakes.Add(e.Message);
                return null;
            }
        }
    }

    /// <returns>Null where none of the variables is set: then nothing else of this folder is ever touched.</returns>
    public static TelemetrySettings? From(Settings settings) => Array.Exists(Names, settings.IsSet) ? new TelemetrySettings(settings) : null;

    public string? TextfileFolder { get; }
    public Uri? Pushgateway { get; }
    public string? Healthchecks { get; }
    public Uri? Collector { get; }

    /// <summary>As OTEL_EXPORTER_OTLP_HEADERS has it: name=value,name=value.</summary>
    public string? CollectorHeaders { get; }

    public IReadOnlyList<string> Mistakes => _mistakes;

    // Not the value itself: it may be a secret.
    private Uri? Web(string name, string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
        {
            return uri;
        }

        _mistakes.Add($"{name} is no http or https URL; it is not used");
        return null;
    }
}
