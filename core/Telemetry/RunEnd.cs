using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>How a run ended, as the world is told of it.</summary>
internal sealed record RunEnd
{
    public required JobDefinition Job { get; init; }
    public required RunStatus Status { get; init; }
    public required int ExitCode { get; init; }

    /// <summary>The result in one line, without secrets.</summary>
    public required string Line { get; init; }

    public Guid RunId { get; init; }
    public Shard Shard { get; init; } = Shard.All;

    /// <summary>Restricted by --only or --limit: no proof that everything due was handled.</summary>
    public bool Partial { get; init; }

    public DateTime StartedAt { get; init; }
    public TimeSpan Duration { get; init; }

    /// <summary>A success that says something about the job, not only about a few items.</summary>
    public bool IsWholeSuccess => Status == RunStatus.Succeeded && ExitCode == 0 && !Partial;
}
