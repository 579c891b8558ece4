using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>
/// healthchecks.io or one's own: /start, then the success or /fail, with the run's id so that runs at once are told apart. Only a run
/// after which nothing due is left is a success; one that was skipped, or restricted by --only or --limit, is written into the
/// check's log and leaves its state alone - a check of a job that is paused goes down, and says there why.
/// </summary>
/// <param name="url">https://hc-ping.com/ping-key, to which the job's name is added, or one with {job} in it. It is a secret.</param>
internal sealed class Healthchecks(string url)
{
    public const string Job = "{job}";
    private const int MostBytes = 10_000;

    public static bool Watches(JobDefinition job) => job.Kind == JobKind.Scheduled;

    public Task StartAsync(JobDefinition job, Shard shard, Guid run, CancellationToken cancellation) => PingAsync(job, shard, "/start", run, "", cancellation);

    public Task EndAsync(RunEnd end, CancellationToken cancellation) =>
        PingAsync(end.Job, end.Shard, end.IsWholeSuccess ? "" : end.ExitCode == 0 ? "/log" : "/fail", end.RunId, end.Line, cancellation);

    private Task PingAsync(JobDefinition job, Shard shard, string signal, Guid run, string body, CancellationToken cancellation)
    {
        var slug = shard.IsAll ? job.Name : $"{job.Name}-{shard.Index}-of-{shard.Count}";
        var target = new UriBuilder(url.Contains(Job, StringComparison.Ordinal) ? url.Replace(Job, slug, StringComparison.Ordinal) : url);
        target.Path = (url.Contains(Job, StringComparison.Ordinal) ? target.Path.TrimEnd('/') : $"{target.Path.TrimEnd('/')}/{slug}") + signal;
        target.Query = $"{target.Query.TrimStart('?')}{(target.Query.Length > 1 ? "&" : "")}rid={run:D}";
        return Http.SendAsync(HttpMethod.Post, target.Uri, Utf8.Cut(body, MostBytes), "text/plain; charset=utf-8", cancellation);
    }
}
