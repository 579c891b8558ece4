using System.Globalization;
using Jobs.Runs;

namespace Jobs.Render;

/// <summary>
/// docker/kubernetes: a base that Kustomize overlays build on, alerts, and an example of a job in shards. A scheduled job is a
/// CronJob; one on demand is a CronJob that is suspended for ever, from which `kubectl create job` makes the Job that runs.
/// </summary>
internal static class Kubernetes
{
    /// <summary>Later than this a missed run is left out: mails are not for the night, and the next run is near.</summary>
    private static readonly TimeSpan LatestStart = TimeSpan.FromHours(6);

    public const string Place = "kubernetes";

    public static IEnumerable<RenderedFile> Files(IReadOnlyList<JobDefinition> jobs, string zone)
    {
        foreach (var job in jobs)
        {
            yield return File($"base/{job.Name}.yaml", job.Kind == JobKind.Schema ? Once(job) : CronJob(job, zone));
        }

        yield return File("base/kustomization.yaml", Kustomization(jobs, zone));
        yield return File("examples/sharded.yaml", Sharded(jobs.First(job => job is { Kind: JobKind.Scheduled, Needs: [] })));
        yield return File("alerts/rules.yaml", KubernetesAlerts.Rules(jobs));
        yield return File("alerts/metrics.yaml", MetricAlerts.Rules(jobs));
    }

    private static RenderedFile File(string path, string text) => new($"{Place}/{path}", $"# {RenderedFile.Mark}.\n{text}");

    /// <summary>
    /// Half the time between two runs, 6 h at most. A run that could not start in time - the cluster was away, or the run before
    /// took long - is made up for within it. Always less than 100 runs, beyond which Kubernetes no longer counts what it missed.
    /// </summary>
    public static int StartingDeadlineSeconds(JobDefinition job) =>
        (int)Math.Min(LatestStart.TotalSeconds, job.ExpectedInterval!.Value.TotalSeconds / 2);

    /// <summary>
    /// A run that failed is repeated, which harms nothing, where the next one is far: after 10, 20, 40 and 80 s. On demand
    /// the person who asked decides.
    /// </summary>
    public static int BackoffLimit(JobDefinition job) => job switch
    {
        { Kind: JobKind.Schema } => 4,
        { ExpectedInterval: { } interval } when interval >= TimeSpan.FromHours(1) => 4,
        _ => 0,
    };

    private static string CronJob(JobDefinition job, string zone) => $"""
        apiVersion: batch/v1
        kind: CronJob
        metadata:
          name: {job.Name}
          labels:
        {KubernetesPod.Labels(job).Indent(4)}
          annotations:
            kubernetes.io/description: {Yaml.Quoted(job.Summary)}
        spec:
        {(job.Schedule is null ? Asked(zone) : Scheduled(job, zone)).Indent(2)}
          jobTemplate:
            metadata:
              labels:
        {KubernetesPod.Labels(job).Indent(8)}
            spec:
        {JobSpec(job).Indent(6)}

        """;

    private static string Scheduled(JobDefinition job, string zone) => string.Create(CultureInfo.InvariantCulture, $"""
        schedule: "{job.Schedule}"
        timeZone: {zone}
        concurrencyPolicy: Forbid
        startingDeadlineSeconds: {StartingDeadlineSeconds(job)}
        successfulJobsHistoryLimit: 3
        failedJobsHistoryLimit: 3
        """);

    private static string Asked(string zone) => $"""
        # Never by itself: kubectl create job NAME --from=cronjob/... (see the README).
        suspend: true
        schedule: "0 0 1 1 *"
        timeZone: {zone}
        concurrencyPolicy: Allow
        """;

    private static string Once(JobDefinition job) => $"""
        apiVersion: batch/v1
        kind: Job
        metadata:
          # A Job cannot be changed: an overlay adds its release to the name, and so each release runs it once.
          name: {job.Name}
          labels:
        {KubernetesPod.Labels(job).Indent(4)}
          annotations:
            kubernetes.io/description: {Yaml.Quoted(job.Summary)}
        spec:
        {JobSpec(job).Indent(2)}

        """;

    private static string Sharded(JobDefinition job) => $"""
        # An example: one job over all rows in 4 slices at once, such as after an import. Each slice has a lease of its own; the
        # scheduled run may go on beside them. Set the image and the number, which stands here three times, and
        # kubectl create -n jobs -f it.
        apiVersion: batch/v1
        kind: Job
        metadata:
          name: {job.Name}-sharded
          labels:
        {KubernetesPod.Labels(job).Indent(4)}
        spec:
          completionMode: Indexed
          completions: 4
          parallelism: 4
        {JobSpec(job, shards: 4).Indent(2)}

        """;

    /// <summary>A Job that runs once, as somebody asked for it.</summary>
    public static string OneOff(JobDefinition job, string name, int? shards, Asked asked) => $"""
        apiVersion: batch/v1
        kind: Job
        metadata:
          name: {name}
          labels:
        {KubernetesPod.Labels(job).Indent(4)}
        spec:
        {(shards is null ? "" : string.Create(CultureInfo.InvariantCulture, $"  completionMode: Indexed\n  completions: {shards}\n  parallelism: {shards}\n"))}{JobSpec(job, shards, asked).Indent(2)}

        """;

    private static string JobSpec(JobDefinition job, int? shards = null, Asked? asked = null) => string.Create(CultureInfo.InvariantCulture, $"""
        # Time to be placed and to pull the image counts too: what cannot start does not keep later runs away for ever.
        activeDeadlineSeconds: {(int)job.Deadline.TotalSeconds}
        backoffLimit: {BackoffLimit(job)}
        ttlSecondsAfterFinished: 604800
        podFailurePolicy:
          rules:
            # A drained node is not a failure of the job: it runs again elsewhere.
            - action: Ignore
              onPodConditions:
                - type: DisruptionTarget
                  status: "True"
        template:
        {KubernetesPod.Template(job, shards, asked).Indent(2)}
        """);

    private static string Kustomization(IReadOnlyList<JobDefinition> jobs, string zone) => $"""
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        resources:
          - network.yaml
          - serviceaccount.yaml
        {string.Join('\n', jobs.Select(job => $"  - {job.Name}.yaml"))}
        # What all jobs read; overlays add to it. Each run is a pod of its own and reads it anew: no need of a new name.
        configMapGenerator:
          - name: jobs
            options:
              disableNameSuffixHash: true
            literals:
              - JOBS_TIME_ZONE={zone}
              - LOG_LEVEL=info

        """;
}
