namespace Jobs.Telemetry;

/// <summary>
/// What one run, and who looks at the ledger, tells of a job's last run; by job and, where there are some, by shard. The label is
/// `job_name`: `job` is Prometheus's own.
/// </summary>
internal sealed class RunMetrics
{
    private readonly Metric _start = new("jobs_run_last_start_timestamp_seconds", "When the last run that was not skipped began.");
    private readonly Metric _completion = new("jobs_run_last_completion_timestamp_seconds", "When the last run ended, however it ended.");
    private readonly Metric _success = new("jobs_run_last_success_timestamp_seconds", "When the last run ended well that was not restricted by --only or --limit.");
    private readonly Metric _duration = new("jobs_run_last_duration_seconds", "How long the last run took.");
    private readonly Metric _exitCode = new("jobs_run_last_exit_code", "Exit code of the last run: 0, or 1.");

    public IReadOnlyList<Metric> All => [_start, _completion, _success, _duration, _exitCode];

    public bool KnowsSuccess => _success.Samples.Count > 0;

    public void Add(string job, string? shard, DateTime start, DateTime? completion, DateTime? success, TimeSpan? duration, int? exitCode)
    {
        var labels = Labels(job, shard);
        _start.Add(start, labels);
        _completion.Add(completion, labels);
        _success.Add(success, labels);
        _duration.Add(duration?.TotalSeconds, labels);
        _exitCode.Add((double?)exitCode, labels);
    }

    /// <param name="lastSuccess">As the ledger has it, this run's included; null: none, or nobody knows.</param>
    public static RunMetrics Of(RunEnd end, DateTime? lastSuccess)
    {
        var success = end.IsWholeSuccess ? lastSuccess ?? end.StartedAt + end.Duration : lastSuccess;
        var metrics = new RunMetrics();
        metrics.Add(
            end.Job.Name, end.Shard.IsAll ? null : end.Shard.ToString(), end.StartedAt,
            end.IsWholeSuccess ? success : end.StartedAt + end.Duration, success, end.Duration, end.ExitCode);
        return metrics;
    }

    public static (string, string)[] Labels(string job, string? shard) =>
        shard is null ? [("job_name", job)] : [("job_name", job), ("shard", shard)];
}
