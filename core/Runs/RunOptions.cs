namespace Jobs.Runs;

/// <summary>The options that every job has.</summary>
public sealed class RunOptions
{
    public bool DryRun { get; init; }
    public DateTime? AsOf { get; init; }
    public long? Only { get; init; }
    public int? Limit { get; init; }
    public int? BatchSize { get; init; }
    public Shard Shard { get; init; } = Shard.All;
    public TimeSpan Timeout { get; init; }
    public OutputFormat Output { get; init; }
    public bool Items { get; init; }

    /// <summary>Restricted so that a success proves nothing about the rest.</summary>
    public bool Partial => Only is not null || Limit is not null;

    internal static readonly JobOption<bool> DryRunOption = new(
        "--dry-run", "", "Print what would change; write no row, call no mutating endpoint.", OptionValue.Flag, false);
    internal static readonly JobOption<DateTime?> AsOfOption = new(
        "--as-of", "instant", "The run's \"now\", such as 2026-11-20T06:00:00Z. Default: the database's clock.", OptionValue.Instant, null);
    internal static readonly JobOption<long?> OnlyOption = new(
        "--only", "id", "Handle this item alone.", OptionValue.Id, null);
    internal static readonly JobOption<int?> LimitOption = new(
        "--limit", "n", "Handle at most this many items.", OptionValue.Positive, null);
    internal static readonly JobOption<int?> BatchSizeOption = new(
        "--batch-size", "n", "Rows a batch.", OptionValue.Positive, null);
    internal static readonly JobOption<Shard?> ShardOption = new(
        "--shard", "i/n", "Only this slice of the ids, counted from 0. Default: JOB_COMPLETION_INDEX/JOB_SHARDS.", OptionValue.Shard, null);
    internal static readonly JobOption<TimeSpan?> TimeoutOption = new(
        "--timeout", "duration", "Stop cleanly after this long (90s, 5m, 12h) and exit 1.", OptionValue.Duration, null);
    internal static readonly JobOption<OutputFormat> OutputOption = new(
        "--output", "text|json", "Form of the result on stdout.", OptionValue.Output, OutputFormat.Text);
    internal static readonly JobOption<bool> ItemsOption = new(
        "--items", "", "With --output json: list every item. Dry runs and jobs on demand always do.", OptionValue.Flag, false);

    internal static readonly JobOption[] All =
        [DryRunOption, AsOfOption, OnlyOption, LimitOption, BatchSizeOption, ShardOption, TimeoutOption, OutputOption, ItemsOption];

    /// <summary>Kubernetes Indexed Jobs name the shard in two variables of their own.</summary>
    internal static Shard ShardFromIndexedJob(Settings settings)
    {
        var index = settings.Optional("JOB_COMPLETION_INDEX");
        var count = settings.Optional("JOB_SHARDS");
        if (count is null)
        {
            return Shard.All;
        }

        try
        {
            return index is null
                ? throw new OperatorException("JOB_SHARDS is set but JOB_COMPLETION_INDEX is not; set both or neither")
                : Shard.Parse($"{index}/{count}");
        }
        catch (FormatException e)
        {
            throw new OperatorException($"JOB_COMPLETION_INDEX/JOB_SHARDS must be {e.Message}, not '{index}/{count}'", e);
        }
    }
}
