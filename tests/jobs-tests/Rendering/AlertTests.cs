using System.Globalization;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Rendering;

public sealed class AlertTests
{
    private static readonly string Rules = PostgresFixture.RepositoryFile("docker/kubernetes/alerts/rules.yaml");
    private static readonly string MetricRules = PostgresFixture.RepositoryFile("docker/kubernetes/alerts/metrics.yaml");

    private static readonly List<AlertingRule> Alerts = [.. Read(Rules), .. Read(MetricRules)];

    private static List<AlertingRule> Read(string rules) =>
        Assert.Single(Assert.IsType<PrometheusRule>(Assert.Single(KubernetesObject.Read(File.ReadAllText(rules)))).Spec.Groups).Rules;

    [Fact]
    public void Every_scheduled_job_is_late_after_its_longest_pause_and_its_longest_run()
    {
        var late = Alerts.Where(alert => alert.Alert == "JobLate").ToDictionary(alert => alert.Labels["cronjob"], StringComparer.Ordinal);
        Assert.Equal(Catalogue.Jobs.Where(job => job.Schedule is not null).Select(job => job.Name).ToHashSet(), late.Keys.ToHashSet());
        Assert.All(late, alert =>
        {
            var job = Catalogue.Find(alert.Key);
            var limit = long.Parse(alert.Value.Expr[(alert.Value.Expr.LastIndexOf('>') + 1)..], CultureInfo.InvariantCulture);
            Assert.InRange(limit, (job.ExpectedInterval!.Value + job.Timeout).TotalSeconds, (job.ExpectedInterval.Value + job.Timeout).TotalSeconds + 3720);
            Assert.Equal(job.MovesMoney ? "critical" : "warning", alert.Value.Labels["severity"]);
        });
    }

    [Fact]
    public void Every_alert_has_a_runbook_and_every_runbook_an_alert()
    {
        var runbooks = Directory.GetFiles(PostgresFixture.RepositoryFile("docker/runbooks")).Select(file => $"docker/runbooks/{Path.GetFileName(file)}");
        Assert.Equal(runbooks.Order(StringComparer.Ordinal), Alerts.Select(alert => alert.Annotations["runbook"]).Distinct().Order(StringComparer.Ordinal));
        Assert.All(Alerts, alert =>
        {
            var page = File.ReadAllText(PostgresFixture.RepositoryFile(alert.Annotations["runbook"]));
            Assert.StartsWith($"# {alert.Alert}\n", page, StringComparison.Ordinal);
            Assert.All(["## Look first", "## Do", "## Do not", "SELECT"], part => Assert.Contains(part, page, StringComparison.Ordinal));
        });
    }

    [Fact]
    [Trait("Category", "Proof")]
    public Task Prometheus_alerts_on_what_goes_wrong_and_on_nothing_else() => TryAsync(Rules, Cases);

    [Fact]
    [Trait("Category", "Proof")]
    public Task Prometheus_alerts_on_what_the_jobs_tell_of_themselves() => TryAsync(MetricRules, MetricCases);

    private static async Task TryAsync(string file, string examples)
    {
        var promtool = Shell.Find("promtool");
        Assert.SkipWhen(promtool is null, "promtool is not installed (Debian: prometheus): the rules are read strictly, but not tried");
        using var folder = new Folder();
        // A rules file is what stands under spec.
        var spec = File.ReadLines(file).SkipWhile(line => line != "spec:").Skip(1).Select(line => line.Length > 2 ? line[2..] : "");
        var rules = await Shell.RunAsync(promtool!, ["check", "rules", folder.Write("spec.yaml", string.Join('\n', spec))]);
        Assert.True(rules.ExitCode == 0 && !rules.ToString().Contains("lint", StringComparison.Ordinal), rules.ToString());
        var cases = await Shell.RunAsync(promtool!, ["test", "rules", folder.Write("cases.yaml", examples)]);
        Assert.True(cases.ExitCode == 0, cases.ToString());
    }

    // One minute a step, from the epoch. autopayment: late after 24 h + 1 h + 4 h 2 min = 1742 min.
    private const string Cases = """
        rule_files: [spec.yaml]
        evaluation_interval: 1m
        tests:
          - name: succeeded a minute ago, every time
            interval: 1m
            input_series:
              - series: kube_cronjob_status_last_successful_time{namespace="jobs", cronjob="autopayment"}
                values: 0+60x2000
              - series: kube_cronjob_created{namespace="jobs", cronjob="autopayment"}
                values: 0x2000
            alert_rule_test:
              - {eval_time: 1999m, alertname: JobLate, exp_alerts: []}
          - name: succeeded once, and then no more
            interval: 1m
            input_series:
              - series: kube_cronjob_status_last_successful_time{namespace="jobs", cronjob="autopayment"}
                values: 60x2000
              - series: kube_cronjob_created{namespace="jobs", cronjob="autopayment"}
                values: 0x2000
            alert_rule_test:
              - {eval_time: 1743m, alertname: JobLate, exp_alerts: []}
              - eval_time: 1744m
                alertname: JobLate
                exp_alerts:
                  - exp_labels: {namespace: jobs, cronjob: autopayment, severity: critical}
                    exp_annotations: {summary: autopayment has not succeeded for 1d 5h 3m 0s, runbook: docker/runbooks/job-late.md}
          - name: never succeeded
            interval: 1m
            input_series:
              - series: kube_cronjob_created{namespace="jobs", cronjob="autopayment"}
                values: 0x2000
            alert_rule_test:
              - eval_time: 1743m
                alertname: JobLate
                exp_alerts:
                  - exp_labels: {namespace: jobs, cronjob: autopayment, severity: critical}
                    exp_annotations: {summary: autopayment has not succeeded for 1d 5h 3m 0s, runbook: docker/runbooks/job-late.md}
          - name: failed, and a later run succeeded; another failed since
            interval: 1m
            input_series:
              - series: kube_job_status_start_time{namespace="jobs", job_name="cleanup-1"}
                values: 100x60
              - series: kube_job_failed{namespace="jobs", job_name="cleanup-1", condition="true"}
                values: 1x60
              - series: kube_job_owner{namespace="jobs", job_name="cleanup-1", owner_kind="CronJob", owner_name="cleanup"}
                values: 1x60
              - series: kube_cronjob_status_last_successful_time{namespace="jobs", cronjob="cleanup"}
                values: 200x60
              - series: kube_job_status_start_time{namespace="jobs", job_name="autopayment-1"}
                values: 300x60
              - series: kube_job_failed{namespace="jobs", job_name="autopayment-1", condition="true"}
                values: 1x60
              - series: kube_job_owner{namespace="jobs", job_name="autopayment-1", owner_kind="CronJob", owner_name="autopayment"}
                values: 1x60
              - series: kube_cronjob_status_last_successful_time{namespace="jobs", cronjob="autopayment"}
                values: 200x60
              - series: kube_job_status_start_time{namespace="jobs", job_name="daily-stats-1"}
                values: 300x60
              - series: kube_job_failed{namespace="jobs", job_name="daily-stats-1", condition="true"}
                values: 1x60
              - series: kube_job_owner{namespace="jobs", job_name="daily-stats-1", owner_kind="CronJob", owner_name="daily-stats"}
                values: 1x60
              - series: kube_cronjob_created{namespace="jobs", cronjob="daily-stats"}
                values: 50x60
            alert_rule_test:
              - eval_time: 30m
                alertname: JobFailed
                exp_alerts:
                  - exp_labels: {namespace: jobs, cronjob: autopayment, severity: warning}
                    exp_annotations: {summary: "autopayment failed, and no run of it has succeeded since", runbook: docker/runbooks/job-failed.md}
                  - exp_labels: {namespace: jobs, cronjob: daily-stats, severity: warning}
                    exp_annotations: {summary: "daily-stats failed, and no run of it has succeeded since", runbook: docker/runbooks/job-failed.md}
          - name: killed for its memory, suspended, not migrated
            interval: 1m
            input_series:
              - series: kube_pod_container_status_terminated_reason{namespace="jobs", pod="cleanup-1-a", container="cleanup", reason="OOMKilled"}
                values: 1x2000
              - series: kube_pod_container_status_terminated_reason{namespace="jobs", pod="cleanup-2-a", container="cleanup", reason="Completed"}
                values: 1x2000
              - series: kube_cronjob_spec_suspend{namespace="jobs", cronjob="cleanup"}
                values: 1x2000
              - series: kube_cronjob_spec_suspend{namespace="jobs", cronjob="record-payment"}
                values: 1x2000
              - series: kube_job_failed{namespace="jobs", job_name="migrate-0.1.0", condition="true"}
                values: 1x2000
            alert_rule_test:
              - eval_time: 1500m
                alertname: JobOutOfMemory
                exp_alerts:
                  - exp_labels: {namespace: jobs, container: cleanup, severity: warning}
                    exp_annotations: {summary: cleanup was killed for using more memory than its limit, runbook: docker/runbooks/job-out-of-memory.md}
              - eval_time: 1500m
                alertname: JobSuspended
                exp_alerts:
                  - exp_labels: {namespace: jobs, cronjob: cleanup, severity: warning}
                    exp_annotations: {summary: cleanup has been suspended for a day, runbook: docker/runbooks/job-suspended.md}
              - eval_time: 1500m
                alertname: MigrationFailed
                exp_alerts:
                  - exp_labels: {namespace: jobs, job_name: migrate-0.1.0, severity: critical}
                    exp_annotations: {summary: "migrate-0.1.0 failed: the jobs of this release do not run on the older schema", runbook: docker/runbooks/migration-failed.md}
        """;

    // One hour a step, from the epoch. autopayment: stale after 29 h 2 min; a backup after 26 h.
    private const string MetricCases = """
        rule_files: [spec.yaml]
        evaluation_interval: 1h
        tests:
          - name: all is well
            interval: 1h
            input_series:
              - series: jobs_run_last_success_timestamp_seconds{job_name="autopayment"}
                values: 0+3600x40
              - series: jobs_run_consecutive_failures{job_name="autopayment"}
                values: 2x40
              - series: jobs_unknown_results{kind="payment"}
                values: 1x40
              - series: jobs_unknown_results_oldest_timestamp_seconds{kind="payment"}
                values: 0+3600x40
              - series: jobs_backlog_oldest_timestamp_seconds{job_name="send-notifications"}
                values: 0+3600x40
              - series: jobs_backup_last_verified_timestamp_seconds
                values: 0+3600x40
            alert_rule_test:
              - {eval_time: 40h, alertname: JobStale, exp_alerts: []}
              - {eval_time: 40h, alertname: JobFailing, exp_alerts: []}
              - {eval_time: 40h, alertname: JobPaused, exp_alerts: []}
              - {eval_time: 40h, alertname: JobNeverEnded, exp_alerts: []}
              - {eval_time: 40h, alertname: ResultUnknown, exp_alerts: []}
              - {eval_time: 40h, alertname: OutboxStuck, exp_alerts: []}
              - {eval_time: 40h, alertname: UnmatchedPaymentsOpen, exp_alerts: []}
              - {eval_time: 40h, alertname: BackupNotVerified, exp_alerts: []}
          - name: one host's runs stopped, another's went on for 40 hours
            interval: 1h
            input_series:
              - series: jobs_run_last_success_timestamp_seconds{job_name="autopayment", instance="a"}
                values: 3600x80
              - series: jobs_run_last_success_timestamp_seconds{job_name="autopayment", instance="b"}
                values: 0+3600x40 144000x40
            alert_rule_test:
              - {eval_time: 69h, alertname: JobStale, exp_alerts: []}
              - eval_time: 70h
                alertname: JobStale
                exp_alerts:
                  - exp_labels: {job_name: autopayment, severity: critical}
                    exp_annotations: {summary: autopayment has not succeeded for 1d 6h 0m 0s, runbook: docker/runbooks/job-stale.md}
          - name: paused after 10 hours, which is not stale, and forgotten
            interval: 1h
            input_series:
              - series: jobs_run_last_success_timestamp_seconds{job_name="autopayment"}
                values: 0x40
              - series: jobs_paused_since_timestamp_seconds{job_name="autopayment"}
                values: 36000x40
            alert_rule_test:
              - {eval_time: 35h, alertname: JobStale, exp_alerts: []}
              - {eval_time: 34h, alertname: JobPaused, exp_alerts: []}
              - eval_time: 35h
                alertname: JobPaused
                exp_alerts:
                  - exp_labels: {job_name: autopayment, severity: warning}
                    exp_annotations: {summary: autopayment has been paused for 1d 1h 0m 0s, runbook: docker/runbooks/job-paused.md}
          - name: killed, and nothing succeeded for three hours
            interval: 1h
            input_series:
              - series: jobs_run_never_ended_timestamp_seconds{job_name="autopayment", instance="a"}
                values: _ 3600x4 _x20
              - series: jobs_run_never_ended_timestamp_seconds{job_name="cleanup", shard="0/2", instance="a"}
                values: _ 3600 _x20
            alert_rule_test:
              - {eval_time: 2h, alertname: JobNeverEnded, exp_alerts: []}
              - eval_time: 3h
                alertname: JobNeverEnded
                exp_alerts:
                  - exp_labels: {job_name: autopayment, severity: warning}
                    exp_annotations: {summary: "autopayment: the run that began 2h 0m 0s ago never ended, and none has succeeded since", runbook: docker/runbooks/job-never-ended.md}
              - {eval_time: 6h, alertname: JobNeverEnded, exp_alerts: []}
          - name: everything else goes wrong
            interval: 1h
            input_series:
              - series: jobs_run_consecutive_failures{job_name="cleanup", shard="0/2"}
                values: 3x40
              - series: jobs_unknown_results_oldest_timestamp_seconds{kind="payment"}
                values: 0x40
              # 15 minutes old after an hour.
              - series: jobs_unknown_results_oldest_timestamp_seconds{kind="terminal"}
                values: 2700x40
              - series: jobs_unknown_results_oldest_timestamp_seconds{kind="mail"}
                values: 0x40
              - series: jobs_backlog_oldest_timestamp_seconds{job_name="send-notifications"}
                values: 2700x40
              - series: jobs_backlog_oldest_timestamp_seconds{job_name="autopayment"}
                values: 0x40
              - series: jobs_unmatched_payments_oldest_timestamp_seconds
                values: 0x40
              - series: jobs_backup_last_verified_timestamp_seconds
                values: 0x40
            alert_rule_test:
              - eval_time: 1h
                alertname: JobFailing
                exp_alerts:
                  - exp_labels: {job_name: cleanup, shard: 0/2, severity: critical}
                    exp_annotations: {summary: cleanup has failed 3 times in a row, runbook: docker/runbooks/job-failing.md}
              - {eval_time: 1h, alertname: ResultUnknown, exp_alerts: []}
              - eval_time: 24h
                alertname: ResultUnknown
                exp_alerts:
                  - exp_labels: {kind: terminal, severity: critical}
                    exp_annotations: {summary: Nobody has known for 23h 15m 0s what became of a card payment at a terminal, runbook: docker/runbooks/result-unknown.md}
              - eval_time: 26h
                alertname: ResultUnknown
                exp_alerts:
                  - exp_labels: {kind: terminal, severity: critical}
                    exp_annotations: {summary: Nobody has known for 1d 1h 15m 0s what became of a card payment at a terminal, runbook: docker/runbooks/result-unknown.md}
                  - exp_labels: {kind: mail, severity: warning}
                    exp_annotations: {summary: Nobody has known for 1d 2h 0m 0s what became of a mail, runbook: docker/runbooks/result-unknown.md}
              - eval_time: 27h
                alertname: ResultUnknown
                exp_alerts:
                  - exp_labels: {kind: terminal, severity: critical}
                    exp_annotations: {summary: Nobody has known for 1d 2h 15m 0s what became of a card payment at a terminal, runbook: docker/runbooks/result-unknown.md}
                  - exp_labels: {kind: mail, severity: warning}
                    exp_annotations: {summary: Nobody has known for 1d 3h 0m 0s what became of a mail, runbook: docker/runbooks/result-unknown.md}
                  - exp_labels: {kind: payment, severity: critical}
                    exp_annotations: {summary: Nobody has known for 1d 3h 0m 0s what became of a charge, runbook: docker/runbooks/result-unknown.md}
              - {eval_time: 1h, alertname: OutboxStuck, exp_alerts: []}
              - eval_time: 2h
                alertname: OutboxStuck
                exp_alerts:
                  - exp_labels: {job_name: send-notifications, severity: critical}
                    exp_annotations: {summary: Mails have been waiting for 1h 15m 0s, runbook: docker/runbooks/outbox-stuck.md}
              - {eval_time: 24h, alertname: UnmatchedPaymentsOpen, exp_alerts: []}
              - eval_time: 25h
                alertname: UnmatchedPaymentsOpen
                exp_alerts:
                  - exp_labels: {severity: warning}
                    exp_annotations: {summary: Money that could not be booked has waited for somebody for 1d 1h 0m 0s, runbook: docker/runbooks/unmatched-payments.md}
              - {eval_time: 26h, alertname: BackupNotVerified, exp_alerts: []}
              - eval_time: 27h
                alertname: BackupNotVerified
                exp_alerts:
                  - exp_labels: {severity: critical}
                    exp_annotations: {summary: No backup has been proven by restoring it for 1d 3h 0m 0s, runbook: docker/runbooks/backup-not-verified.md}
        """;
}
