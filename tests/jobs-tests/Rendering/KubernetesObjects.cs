namespace Jobs.Tests.Rendering;

// The fields that docker/kubernetes uses, named and typed as the Kubernetes API has them, and no other.
#pragma warning disable MA0048 // One file: one API.

internal abstract record KubernetesObject
{
    public required string ApiVersion { get; init; }
    public required string Kind { get; init; }
    public required ObjectMeta Metadata { get; init; }

    /// <summary>All objects of a file.</summary>
    public static IReadOnlyList<KubernetesObject> Read(string text) => [.. StrictYaml.Documents(text).Select(ReadOne)];

    private static KubernetesObject ReadOne(string text)
    {
        string Top(string field) => text.Split('\n').Single(line => line.StartsWith($"{field}: ", StringComparison.Ordinal))[(field.Length + 2)..].Trim();
        return $"{Top("apiVersion")} {Top("kind")}" switch
        {
            "batch/v1 CronJob" => StrictYaml.Read<CronJob>(text),
            "batch/v1 Job" => StrictYaml.Read<Job>(text),
            "v1 ConfigMap" => StrictYaml.Read<ConfigMap>(text),
            "v1 Secret" => StrictYaml.Read<Secret>(text),
            "v1 Namespace" => StrictYaml.Read<Namespace>(text),
            "v1 ServiceAccount" => StrictYaml.Read<ServiceAccount>(text),
            "networking.k8s.io/v1 NetworkPolicy" => StrictYaml.Read<NetworkPolicy>(text),
            "monitoring.coreos.com/v1 PrometheusRule" => StrictYaml.Read<PrometheusRule>(text),
            var other => throw new InvalidOperationException($"no job has a use for a {other}"),
        };
    }
}

internal sealed record ObjectMeta
{
    public string? Name { get; init; }
    public string? Namespace { get; init; }
    public Dictionary<string, string> Labels { get; init; } = [];
    public Dictionary<string, string> Annotations { get; init; } = [];
}

internal sealed record ConfigMap : KubernetesObject
{
    public Dictionary<string, string> Data { get; init; } = [];
}

internal sealed record Secret : KubernetesObject
{
    public string? Type { get; init; }
    public Dictionary<string, string> Data { get; init; } = [];
}

internal sealed record Namespace : KubernetesObject;

internal sealed record ServiceAccount : KubernetesObject
{
    public bool? AutomountServiceAccountToken { get; init; }
}

internal sealed record NetworkPolicy : KubernetesObject
{
    public required NetworkPolicySpec Spec { get; init; }
}

internal sealed record NetworkPolicySpec
{
    public required LabelSelector PodSelector { get; init; }
    public required List<string> PolicyTypes { get; init; }
    public List<NetworkPolicyEgressRule> Egress { get; init; } = [];
}

internal sealed record LabelSelector
{
    public Dictionary<string, string> MatchLabels { get; init; } = [];

    public bool Matches(IReadOnlyDictionary<string, string> labels) =>
        MatchLabels.All(label => labels.TryGetValue(label.Key, out var value) && value == label.Value);
}

internal sealed record NetworkPolicyEgressRule
{
    public List<NetworkPolicyPort> Ports { get; init; } = [];
}

internal sealed record NetworkPolicyPort
{
    public required string Protocol { get; init; }
    public required int Port { get; init; }
}

internal sealed record CronJob : KubernetesObject
{
    public required CronJobSpec Spec { get; init; }
}

internal sealed record CronJobSpec
{
    public required string Schedule { get; init; }
    public string? TimeZone { get; init; }
    public bool Suspend { get; init; }
    public string? ConcurrencyPolicy { get; init; }
    public long? StartingDeadlineSeconds { get; init; }
    public int? SuccessfulJobsHistoryLimit { get; init; }
    public int? FailedJobsHistoryLimit { get; init; }
    public required JobTemplate JobTemplate { get; init; }
}

internal sealed record JobTemplate
{
    public ObjectMeta? Metadata { get; init; }
    public required JobSpec Spec { get; init; }
}

internal sealed record Job : KubernetesObject
{
    public required JobSpec Spec { get; init; }
}

internal sealed record JobSpec
{
    public string? CompletionMode { get; init; }
    public int? Completions { get; init; }
    public int? Parallelism { get; init; }
    public long? ActiveDeadlineSeconds { get; init; }
    public int? BackoffLimit { get; init; }
    public int? TtlSecondsAfterFinished { get; init; }
    public PodFailurePolicy? PodFailurePolicy { get; init; }
    public required PodTemplate Template { get; init; }
}

internal sealed record PodFailurePolicy
{
    public required List<PodFailurePolicyRule> Rules { get; init; }
}

internal sealed record PodFailurePolicyRule
{
    public required string Action { get; init; }
    public required List<PodFailurePolicyOnPodConditionsPattern> OnPodConditions { get; init; }
}

internal sealed record PodFailurePolicyOnPodConditionsPattern
{
    public required string Type { get; init; }
    public required string Status { get; init; }
}

internal sealed record PodTemplate
{
    public required ObjectMeta Metadata { get; init; }
    public required PodSpec Spec { get; init; }
}

internal sealed record PodSpec
{
    public required string RestartPolicy { get; init; }
    public string? ServiceAccountName { get; init; }
    public bool? AutomountServiceAccountToken { get; init; }
    public bool? EnableServiceLinks { get; init; }
    public long? TerminationGracePeriodSeconds { get; init; }
    public required PodSecurityContext SecurityContext { get; init; }
    public required List<Container> Containers { get; init; }
    public List<Volume> Volumes { get; init; } = [];
}

internal sealed record PodSecurityContext
{
    public bool? RunAsNonRoot { get; init; }
    public long? RunAsUser { get; init; }
    public long? RunAsGroup { get; init; }
    public long? FsGroup { get; init; }
    public SeccompProfile? SeccompProfile { get; init; }
}

internal sealed record SeccompProfile
{
    public required string Type { get; init; }
}

internal sealed record Container
{
    public required string Name { get; init; }
    public required string Image { get; init; }
    public List<string> Args { get; init; } = [];
    public List<EnvVar> Env { get; init; } = [];
    public List<EnvFromSource> EnvFrom { get; init; } = [];
    public required ResourceRequirements Resources { get; init; }
    public required SecurityContext SecurityContext { get; init; }
    public string? TerminationMessagePolicy { get; init; }
    public List<VolumeMount> VolumeMounts { get; init; } = [];
}

internal sealed record EnvVar
{
    public required string Name { get; init; }
    public string? Value { get; init; }
    public EnvVarSource? ValueFrom { get; init; }
}

internal sealed record EnvVarSource
{
    public SecretKeySelector? SecretKeyRef { get; init; }
    public ObjectFieldSelector? FieldRef { get; init; }
}

internal sealed record SecretKeySelector
{
    public required string Name { get; init; }
    public required string Key { get; init; }
    public bool? Optional { get; init; }
}

internal sealed record ObjectFieldSelector
{
    public required string FieldPath { get; init; }
}

internal sealed record EnvFromSource
{
    public required NamedReference ConfigMapRef { get; init; }
}

internal sealed record NamedReference
{
    public required string Name { get; init; }
}

internal sealed record ResourceRequirements
{
    public required Dictionary<string, string> Requests { get; init; }
    public required Dictionary<string, string> Limits { get; init; }
}

internal sealed record SecurityContext
{
    public bool? AllowPrivilegeEscalation { get; init; }
    public bool? ReadOnlyRootFilesystem { get; init; }
    public Capabilities? Capabilities { get; init; }
}

internal sealed record Capabilities
{
    public required List<string> Drop { get; init; }
}

internal sealed record VolumeMount
{
    public required string Name { get; init; }
    public required string MountPath { get; init; }
    public bool? ReadOnly { get; init; }
}

internal sealed record Volume
{
    public required string Name { get; init; }
    public required SecretVolumeSource Secret { get; init; }
}

internal sealed record SecretVolumeSource
{
    public required string SecretName { get; init; }
    public int? DefaultMode { get; init; }
    public List<KeyToPath> Items { get; init; } = [];
}

internal sealed record KeyToPath
{
    public required string Key { get; init; }
    public required string Path { get; init; }
}

internal sealed record PrometheusRule : KubernetesObject
{
    public required PrometheusRuleSpec Spec { get; init; }
}

internal sealed record PrometheusRuleSpec
{
    public required List<RuleGroup> Groups { get; init; }
}

internal sealed record RuleGroup
{
    public required string Name { get; init; }
    public required List<AlertingRule> Rules { get; init; }
}

internal sealed record AlertingRule
{
    public required string Alert { get; init; }
    public required string Expr { get; init; }
    public string? For { get; init; }
    public Dictionary<string, string> Labels { get; init; } = [];
    public Dictionary<string, string> Annotations { get; init; } = [];
}
