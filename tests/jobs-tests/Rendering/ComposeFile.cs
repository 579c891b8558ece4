using YamlDotNet.Serialization;

namespace Jobs.Tests.Rendering;

// The fields of a Compose file that docker/compose.yaml uses, and no other.
#pragma warning disable MA0048 // One file: one format.

internal sealed record ComposeFile
{
    [YamlMember(Alias = "x-fakes", ApplyNamingConventions = false)]
    public ComposeService? Fakes { get; init; }

    [YamlMember(Alias = "x-job", ApplyNamingConventions = false)]
    public ComposeService? Job { get; init; }

    public required Dictionary<string, ComposeService> Services { get; init; }
    public required Dictionary<string, ComposeSecret> Secrets { get; init; }
    public required Dictionary<string, Dictionary<string, string>> Volumes { get; init; }
}

internal sealed record ComposeService
{
    public string? Image { get; init; }
    public string? PullPolicy { get; init; }
    public ComposeBuild? Build { get; init; }
    public List<string> Command { get; init; } = [];
    public List<string> Entrypoint { get; init; } = [];
    public Dictionary<string, ComposeDependency> DependsOn { get; init; } = [];
    public Dictionary<string, string> Environment { get; init; } = [];
    public List<string> EnvFile { get; init; } = [];
    public ComposeHealthcheck? Healthcheck { get; init; }
    public string? NetworkMode { get; init; }
    public string? Restart { get; init; }
    public string? StopGracePeriod { get; init; }
    public List<string> Profiles { get; init; } = [];
    public List<string> Secrets { get; init; } = [];
    public List<string> Volumes { get; init; } = [];
    public List<string> CapDrop { get; init; } = [];
    public List<string> SecurityOpt { get; init; } = [];
    public bool ReadOnly { get; init; }
    public string? User { get; init; }
    public string? MemLimit { get; init; }
}

internal sealed record ComposeBuild
{
    public required string Context { get; init; }
    public required string Dockerfile { get; init; }
    public Dictionary<string, string> Args { get; init; } = [];
}

internal sealed record ComposeDependency
{
    public required string Condition { get; init; }
}

internal sealed record ComposeHealthcheck
{
    public required List<string> Test { get; init; }
    public required string Interval { get; init; }
    public required string Timeout { get; init; }
    public required int Retries { get; init; }
}

internal sealed record ComposeSecret
{
    public required string File { get; init; }
}
