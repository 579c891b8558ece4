using System.Globalization;
using Jobs.Runs;

namespace Jobs.Render;

/// <summary>
/// Alerts on what the jobs themselves tell, by textfile, Pushgateway or collector: as the Prometheus operator takes them, their `spec` a
/// rules file for Prometheus. Unlike Kubernetes they know of pauses, of failures that are repeated, and of the money.
/// </summary>
internal static class MetricAlerts
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    public static string Rules(IReadOnlyList<JobDefinition> jobs) => $$"""
        # Needs the jobs' metrics (METRICS_TEXTFILE_DIR, PUSHGATEWAY_URL or OTEL_EXPORTER_OTLP_ENDPOINT); where there are none, nothing comes of it.
        apiVersion: monitoring.coreos.com/v1
        kind: PrometheusRule
        metadata:
          name: jobs-metrics
          labels:
            app.kubernetes.io/part-of: jobs
        spec:
          groups:
            - name: jobs-metrics
              rules:
        {{string.Join('\n', jobs.Where(job => job.Schedule is not null).Select(Stale).Concat(Fixed)).Indent(8)}}

        """;

    private static string Stale(JobDefinition job) => Rule(
        "JobStale",
        $$"""
        time() - max by (job_name) (jobs_run_last_success_timestamp_seconds{job_name="{{job.Name}}"}) > {{Seconds(job.LateAfter!.Value)}}
        unless on (job_name) max by (job_name) (jobs_paused_since_timestamp_seconds)
        """,
        job.MovesMoney ? "critical" : "warning", "{{ $labels.job_name }} has not succeeded for {{ $value | humanizeDuration }}", "job-stale",
        ("job_name", job.Name));

    private static IEnumerable<string> Fixed =>
    [
        Rule("JobFailing", "max by (job_name, shard) (jobs_run_consecutive_failures) >= 3",
            "critical", "{{ $labels.job_name }} has failed {{ $value }} times in a row", "job-failing"),
        // Mostly the next run begins within minutes and succeeds.
        Rule("JobNeverEnded", "time() - max by (job_name, shard) (jobs_run_never_ended_timestamp_seconds) > 0",
            "warning", "{{ $labels.job_name }}: the run that began {{ $value | humanizeDuration }} ago never ended, and none has succeeded since", "job-never-ended", lasting: "15m"),
        Rule("JobPaused", $"time() - min by (job_name) (jobs_paused_since_timestamp_seconds) > {Seconds(Day)}",
            "warning", "{{ $labels.job_name }} has been paused for {{ $value | humanizeDuration }}", "job-paused"),
        // A charge is found, or found not to exist, within 25 h.
        Unknown("payment", "charge", TimeSpan.FromHours(26), "critical"),
        Unknown("terminal", "card payment at a terminal", TimeSpan.FromMinutes(15), "critical"),
        Unknown("mail", "mail", Day, "warning"),
        Rule("OutboxStuck", $$"""time() - min by (job_name) (jobs_backlog_oldest_timestamp_seconds{job_name="send-notifications"}) > {{Seconds(TimeSpan.FromMinutes(15))}}""",
            "critical", "Mails have been waiting for {{ $value | humanizeDuration }}", "outbox-stuck"),
        Rule("UnmatchedPaymentsOpen", $"time() - min(jobs_unmatched_payments_oldest_timestamp_seconds) > {Seconds(Day)}",
            "warning", "Money that could not be booked has waited for somebody for {{ $value | humanizeDuration }}", "unmatched-payments"),
        Rule("BackupNotVerified", $"time() - max(jobs_backup_last_verified_timestamp_seconds) > {Seconds(TimeSpan.FromHours(26))}",
            "critical", "No backup has been proven by restoring it for {{ $value | humanizeDuration }}", "backup-not-verified"),
    ];

    private static string Unknown(string kind, string what, TimeSpan most, string severity) => Rule(
        "ResultUnknown", $$"""time() - min by (kind) (jobs_unknown_results_oldest_timestamp_seconds{kind="{{kind}}"}) > {{Seconds(most)}}""",
        severity, $"Nobody has known for {{{{ $value | humanizeDuration }}}} what became of a {what}", "result-unknown", ("kind", kind));

    /// <param name="own">A label that the expression has as well: rules of one name are to differ in one.</param>
    /// <param name="lasting">Only when it has been so for this long.</param>
    private static string Rule(string alert, string expression, string severity, string summary, string runbook, (string Name, string Value)? own = null, string? lasting = null) => $"""
        - alert: {alert}
          expr: |-
        {expression.Indent(4)}{(lasting is null ? "" : $"\n  for: {lasting}")}
          labels:
            severity: {severity}{(own is { } label ? $"\n    {label.Name}: {label.Value}" : "")}
          annotations:
            summary: {Yaml.Quoted(summary)}
            runbook: docker/runbooks/{runbook}.md
        """;

    private static string Seconds(TimeSpan time) => ((long)time.TotalSeconds).ToString(CultureInfo.InvariantCulture);
}
