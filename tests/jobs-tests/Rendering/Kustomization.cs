using YamlDotNet.Serialization;

namespace Jobs.Tests.Rendering;

// The fields of Kustomize that docker/kubernetes uses, and no other.
#pragma warning disable MA0048 // One file: one API.

internal sealed record Kustomization
{
    public required string ApiVersion { get; init; }
    public required string Kind { get; init; }
    public string? Namespace { get; init; }
    public List<string> Resources { get; init; } = [];
    public List<string> Components { get; init; } = [];
    public List<Generator> ConfigMapGenerator { get; init; } = [];
    public List<Generator> SecretGenerator { get; init; } = [];
    public List<Patch> Patches { get; init; } = [];
    public List<Replacement> Replacements { get; init; } = [];
}

internal sealed record Generator
{
    public required string Name { get; init; }
    public string? Behavior { get; init; }
    public GeneratorOptions? Options { get; init; }
    public List<string> Literals { get; init; } = [];
}

internal sealed record GeneratorOptions
{
    public bool DisableNameSuffixHash { get; init; }
}

internal sealed record Patch
{
    public required Selector Target { get; init; }

    [YamlMember(Alias = "patch")]
    public required string Operations { get; init; }
}

internal sealed record Selector
{
    public required string Kind { get; init; }
    public string? Name { get; init; }
}

internal sealed record Replacement
{
    public required ReplacementSource Source { get; init; }
    public required List<ReplacementTarget> Targets { get; init; }
}

internal sealed record ReplacementSource
{
    public required string Kind { get; init; }
    public required string Name { get; init; }
    public required string FieldPath { get; init; }
}

internal sealed record ReplacementTarget
{
    public required Selector Select { get; init; }
    public required List<string> FieldPaths { get; init; }
    public ReplacementOptions? Options { get; init; }
}

internal sealed record ReplacementOptions
{
    public required string Delimiter { get; init; }
    public required int Index { get; init; }
}
