using Jobs.Telemetry;
using Jobs.Tests.Rendering;
using Xunit;

namespace Jobs.Tests.Telemetry;

public sealed class PrometheusTextTests
{
    [Fact]
    public void Each_metric_says_once_what_it_is_and_then_its_samples() => Assert.Equal(
        """
        # HELP jobs_items_total What was done.
        # TYPE jobs_items_total counter
        jobs_items_total{job_name="autopayment",outcome="charged"} 12
        jobs_items_total{job_name="autopayment",outcome="declined"} 0
        # HELP jobs_run_last_duration_seconds How long.
        # TYPE jobs_run_last_duration_seconds gauge
        jobs_run_last_duration_seconds 0.125

        """,
        PrometheusText.Of(
        [
            new Metric("jobs_items_total", "What was done.", MetricKind.Counter)
                .Add(12, ("job_name", "autopayment"), ("outcome", "charged")).Add(0, ("job_name", "autopayment"), ("outcome", "declined")),
            new Metric("jobs_unknown", "Nothing is known of it.").Add((double?)null),
            new Metric("jobs_run_last_duration_seconds", "How long.").Add(0.125),
        ]));

    [Theory]
    [InlineData("a \"quoted\" word", @"a \""quoted\"" word")]
    [InlineData(@"C:\jobs", @"C:\\jobs")]
    [InlineData("two\nlines", @"two\nlines")]
    [InlineData(@"\n", @"\\n")]
    [InlineData("é, {braces}, comma", "é, {braces}, comma")]
    public void A_label_is_what_it_was(string value, string written)
    {
        var text = PrometheusText.Of([new Metric("m", "h").Add(1, ("l", value))]);
        Assert.Contains($"m{{l=\"{written}\"}} 1\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_keeps_its_quotes_and_stays_on_its_line() =>
        Assert.StartsWith("# HELP m a \"b\" \\\\ c\\nd\n", PrometheusText.Of([new Metric("m", "a \"b\" \\ c\nd").Add(1)]), StringComparison.Ordinal);

    [Theory]
    [InlineData(0, "0")]
    [InlineData(-3, "-3")]
    [InlineData(1763751000, "1763751000")]
    [InlineData(1763751000.25, "1763751000.25")]
    [InlineData(0.1, "0.1")]
    [InlineData(1e-9, "1E-09")]
    [InlineData(123456789012, "123456789012")]
    [InlineData(1e300, "1E+300")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    public void A_number_is_written_as_Prometheus_reads_it(double value, string written) =>
        Assert.EndsWith($"\nm {written}\n", PrometheusText.Of([new Metric("m", "h").Add(value)]), StringComparison.Ordinal);

    [Fact]
    public async Task Promtool_reads_even_the_oddest_of_them()
    {
        var metric = new Metric("jobs_odd", "Odd \\ \"things\"\nand more.");
        foreach (var value in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e-9, 1e300, -0.5, 0 })
        {
            metric.Add(value, ("l", $"\\ \" \n {{}},= é {value}"));
        }

        await Promtool.CheckAsync(PrometheusText.Of([metric]));
    }
}

/// <summary>The judge of what is written for Prometheus.</summary>
internal static class Promtool
{
    public static async Task CheckAsync(string metrics)
    {
        var promtool = Shell.Find("promtool");
        Assert.SkipWhen(promtool is null, "promtool is not installed (Debian: prometheus): the text is compared, but nobody else has read it");
        using var folder = new Folder();
        var checkedText = await Shell.RunAsync("sh", ["-c", $"'{promtool}' check metrics < '{folder.Write("metrics.prom", metrics)}'"]);
        Assert.True(checkedText is { ExitCode: 0, Stdout: "", Stderr: "" }, $"{checkedText}\n{metrics}");
    }
}
