namespace Jobs.Telemetry;

public enum MetricKind
{
    /// <summary>Only grows; its name ends in _total.</summary>
    Counter,
    Gauge,
}

/// <summary>One metric and its samples, whichever way they leave: textfile, Pushgateway, OTLP or `jobctl metrics`.</summary>
/// <param name="name">In base units: seconds, bytes, timestamps in seconds since 1970. Money is in minor units, as in the database.</param>
/// <param name="help">One sentence.</param>
public sealed class Metric(string name, string help, MetricKind kind = MetricKind.Gauge)
{
    private readonly List<Sample> _samples = [];

    public string Name => name;
    public string Help => help;
    public MetricKind Kind => kind;
    public IReadOnlyList<Sample> Samples => _samples;

    public Metric Add(double value, params (string Name, string Value)[] labels)
    {
        _samples.Add(new Sample(value, labels));
        return this;
    }

    /// <summary>What is not known is not there: a 0 would be a statement.</summary>
    public Metric Add(double? value, params (string Name, string Value)[] labels) => value is { } known ? Add(known, labels) : this;

    /// <inheritdoc cref="Add(double?, ValueTuple{string, string}[])"/>
    public Metric Add(DateTime? instant, params (string Name, string Value)[] labels) =>
        instant is { } known ? Add(Math.Round((known - DateTime.UnixEpoch).TotalSeconds, 3), labels) : this;
}

public sealed record Sample(double Value, IReadOnlyList<(string Name, string Value)> Labels);
