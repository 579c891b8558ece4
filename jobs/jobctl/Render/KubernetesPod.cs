using System.Globalization;
using Jobs.Runs;

namespace Jobs.Render;

/// <summary>The pod of a job: the "restricted" Pod Security Standard, no token, and no secret but those that the job needs.</summary>
internal static class KubernetesPod
{
    private const string SecretsFolder = "/run/secrets/jobs";

    public static string Labels(JobDefinition job) => $"""
        app.kubernetes.io/name: {job.Name}
        app.kubernetes.io/part-of: jobs
        """;

    public static string Template(JobDefinition job, int? shards, Asked? asked = null) => string.Create(CultureInfo.InvariantCulture, $"""
        metadata:
          labels:
        {Labels(job).Indent(4)}
        {Egress(job).Indent(4)}
        spec:
          restartPolicy: Never
          serviceAccountName: jobs
          automountServiceAccountToken: false
          enableServiceLinks: false
          # A run ends within 10 s of SIGTERM: what is under way is finished or rolled back.
          terminationGracePeriodSeconds: 30
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            fsGroup: 65532
            seccompProfile:
              type: RuntimeDefault
          containers:
            - name: {job.Name}
              image: {(asked is null ? $"jobs/{job.Name}" : Yaml.Quoted(asked.Image))}{Args(job, asked)}
              env:
        {string.Join('\n', Environment(job, shards, asked)).Indent(8)}
              envFrom:
                - configMapRef:
                    name: jobs
              resources:
                requests:
                  cpu: 100m
                  memory: 64Mi
                # Memory alone: a CPU limit would slow the start down and protect nobody.
                limits:
                  memory: {job.MemoryMiB}Mi
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities:
                  drop:
                    - ALL
              # What a failed run said last, in kubectl describe.
              terminationMessagePolicy: FallbackToLogsOnError
              volumeMounts:
                - name: secrets
                  mountPath: {SecretsFolder}
                  readOnly: true
          volumes:
            - name: secrets
              secret:
                secretName: {SecretName(job)}
                # 0440
                defaultMode: 288
                items:
        {string.Join('\n', job.Secrets.Select(name => $"- key: {name}\n  path: {name}")).Indent(10)}
        """);

    private static string Args(JobDefinition job, Asked? asked) =>
        asked is { Args.Count: > 0 } ? $"\n      args: [{string.Join(", ", asked.Args.Select(Yaml.Quoted))}]"
        : job.Kind == JobKind.Tool && asked is null ? "\n      args: [dashboard]"
        : "";

    /// <summary>migrate owns the schema and logs in as another than the jobs, which may only read and write rows.</summary>
    private static string SecretName(JobDefinition job) => job.Kind == JobKind.Schema ? "jobs-migrate" : "jobs";

    /// <summary>Where else than to the database it may connect: network.yaml says what the labels allow.</summary>
    private static string Egress(JobDefinition job)
    {
        var https = job.Secrets.Skip(1).Concat(job.OptionalSecrets).Any(name => name != "SMTP_URL");
        var mail = job.OptionalSecrets.Contains("SMTP_URL");
        return $"egress-https: \"{(https ? "true" : "false")}\"\negress-mail: \"{(mail ? "true" : "false")}\"";
    }

    private static IEnumerable<string> Environment(JobDefinition job, int? shards, Asked? asked)
    {
        foreach (var name in job.Secrets)
        {
            yield return $"- name: {name}_FILE\n  value: {SecretsFolder}/{name}";
        }

        // Not files: one that is named has to be there.
        foreach (var name in job.OptionalSecrets)
        {
            yield return $"""
                - name: {name}
                  valueFrom:
                    secretKeyRef:
                      name: {SecretName(job)}
                      key: {name}
                      optional: true
                """;
        }

        if (asked is not null)
        {
            yield return $"- name: JOBS_ACTOR\n  value: {Yaml.Quoted(asked.Actor)}";
        }
        else if (job.Kind == JobKind.Scheduled && shards is null)
        {
            yield return "- name: JOBS_TRIGGER\n  value: schedule";
        }

        if (shards is not null)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"# Kubernetes itself says which: JOB_COMPLETION_INDEX.\n- name: JOB_SHARDS\n  value: \"{shards}\"");
        }

        if (job.Kind == JobKind.OnDemand)
        {
            yield return """
                # The Job's name: however often its pod is started, what it asks for is recorded once.
                - name: JOBS_REFERENCE
                  valueFrom:
                    fieldRef:
                      fieldPath: metadata.labels['batch.kubernetes.io/job-name']
                """;
        }
    }
}
