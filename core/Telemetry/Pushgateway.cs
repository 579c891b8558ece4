using System.Text;
using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>
/// Prometheus's Pushgateway. What a run tells is the group {job="jobs", job_name, shard}, what all have in common is {job="jobs"}; each
/// push replaces its group.
/// </summary>
internal sealed class Pushgateway(Uri address)
{
    private const string MediaType = $"{PrometheusText.MediaType}; version={PrometheusText.Version}; charset=utf-8";

    /// <param name="metrics">Without a last success, when nobody knows of one: then the one that was pushed before stays.</param>
    public Task PushAsync(JobDefinition job, Shard shard, RunMetrics metrics, CancellationToken cancellation) =>
        SendAsync(metrics.KnowsSuccess ? HttpMethod.Put : HttpMethod.Post, Group(job, shard), metrics.All, cancellation);

    public Task PushAsync(IEnumerable<Metric> ofAll, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Put, "metrics/job/jobs", ofAll, cancellation);

    // A slash within a value would be the end of it: hence base64.
    private static string Group(JobDefinition job, Shard shard) =>
        $"metrics/job/jobs/job_name/{job.Name}" + (shard.IsAll ? "" : $"/shard@base64/{Convert.ToBase64String(Encoding.UTF8.GetBytes(shard.ToString())).TrimEnd('=').Replace('+', '-').Replace('/', '_')}");

    private Task SendAsync(HttpMethod method, string group, IEnumerable<Metric> metrics, CancellationToken cancellation)
    {
        var target = new UriBuilder(address) { Query = "", Fragment = "" };
        target.Path = $"{target.Path.TrimEnd('/')}/{group}";
        return Http.SendAsync(method, target.Uri, PrometheusText.Of(metrics), MediaType, cancellation);
    }
}
