using System.Globalization;
using Jobs.Runs;

namespace Jobs.Render;

/// <summary>
/// Alerts on what kube-state-metrics tells of the jobs, as the Prometheus operator takes them; its `spec` is a rules file
/// for Prometheus itself. Kubernetes sees exit codes: a run that was skipped because its job is paused has succeeded to it.
/// </summary>
internal static class KubernetesAlerts
{
    public static string Rules(IReadOnlyList<JobDefinition> jobs)
    {
        var scheduled = jobs.Where(job => job.Schedule is not null).ToList();
        var names = string.Join('|', scheduled.Select(job => job.Name));
        return $$"""
            # Needs kube-state-metrics; the kind is the Prometheus operator's. `spec` alone is a rules file for Prometheus.
            apiVersion: monitoring.coreos.com/v1
            kind: PrometheusRule
            metadata:
              name: jobs
              labels:
                app.kubernetes.io/part-of: jobs
            spec:
              groups:
                - name: jobs
                  rules:
            {{string.Join('\n', scheduled.Select(Late)).Indent(8)}}
            {{Failed(names).Indent(8)}}
            {{OutOfMemory(string.Join('|', jobs.Select(job => job.Name))).Indent(8)}}
            {{Suspended(names).Indent(8)}}
            {{string.Join('\n', jobs.Where(job => job.Kind == JobKind.Schema).Select(MigrationFailed)).Indent(8)}}

            """;
    }

    // A CronJob that never succeeded is as old as itself.
    private static string Late(JobDefinition job) => string.Create(CultureInfo.InvariantCulture, $$$"""
        - alert: JobLate
          expr: |-
            time() - (
              kube_cronjob_status_last_successful_time{cronjob="{{{job.Name}}}"}
              or kube_cronjob_created{cronjob="{{{job.Name}}}"}
            ) > {{{(long)job.LateAfter!.Value.TotalSeconds}}}
        {{{Words(job.MovesMoney ? "critical" : "warning", "{{ $labels.cronjob }} has not succeeded for {{ $value | humanizeDuration }}", "job-late", job.Name)}}}
        """);

    // A failure that a later run has made good is none any more, though its Job is still kept.
    private static string Failed(string names) => $$$"""
        - alert: JobFailed
          expr: |-
            max by (namespace, cronjob) (
              label_replace(
                kube_job_status_start_time
                  * on (namespace, job_name) (kube_job_failed{condition="true"} == 1)
                  * on (namespace, job_name) group_left (owner_name) kube_job_owner{owner_kind="CronJob", owner_name=~"{{{names}}}"},
                "cronjob", "$1", "owner_name", "(.+)"
              )
            )
            > on (namespace, cronjob) (
              max by (namespace, cronjob) (kube_cronjob_status_last_successful_time)
              or max by (namespace, cronjob) (kube_cronjob_created)
            )
          for: 5m
        {{{Words("warning", "{{ $labels.cronjob }} failed, and no run of it has succeeded since", "job-failed")}}}
        """;

    private static string OutOfMemory(string names) => $$$"""
        - alert: JobOutOfMemory
          expr: max by (namespace, container) (kube_pod_container_status_terminated_reason{reason="OOMKilled", container=~"{{{names}}}"}) == 1
        {{{Words("warning", "{{ $labels.container }} was killed for using more memory than its limit", "job-out-of-memory")}}}
        """;

    private static string Suspended(string names) => $$$"""
        - alert: JobSuspended
          expr: kube_cronjob_spec_suspend{cronjob=~"{{{names}}}"} == 1
          for: 1d
        {{{Words("warning", "{{ $labels.cronjob }} has been suspended for a day", "job-suspended")}}}
        """;

    private static string MigrationFailed(JobDefinition job) => $$$"""
        - alert: MigrationFailed
          expr: max by (namespace, job_name) (kube_job_failed{condition="true", job_name=~"{{{job.Name}}}(-.+)?"}) == 1
        {{{Words("critical", "{{ $labels.job_name }} failed: the jobs of this release do not run on the older schema", "migration-failed")}}}
        """;

    private static string Words(string severity, string summary, string runbook, string? cronJob = null) => $"""
          labels:
            severity: {severity}{(cronJob is null ? "" : $"\n    cronjob: {cronJob}")}
          annotations:
            summary: {Yaml.Quoted(summary)}
            runbook: docker/runbooks/{runbook}.md
        """;
}
