namespace Jobs.Ledger;

/// <summary>A row of the ledger.</summary>
internal sealed class RunRow
{
    public const string Columns =
        "r.id, r.job, r.trigger, r.as_of, r.shard, r.partial, r.status, r.started_at, r.finished_at, r.counters::text AS counters, r.error, r.host, r.version";

    public Guid Id { get; init; }
    public string Job { get; init; } = "";
    public string Trigger { get; init; } = "";
    public DateTime? AsOf { get; init; }
    public string? Shard { get; init; }
    public bool Partial { get; init; }
    public string Status { get; init; } = "";
    public DateTime StartedAt { get; init; }
    public DateTime? FinishedAt { get; init; }
    public string? Counters { get; init; }
    public string? Error { get; init; }
    public string Host { get; init; } = "";
    public string Version { get; init; } = "";

    /// <summary>Enough of the id to name it: the millisecond and some chance.</summary>
    public string ShortId => Id.ToString()[..18];

    public static long? Milliseconds(DateTime startedAt, DateTime? finishedAt) => finishedAt is { } end ? (long)(end - startedAt).TotalMilliseconds : null;

    public void WriteMembers(System.Text.Json.Utf8JsonWriter json)
    {
        json.Members(
            ("run_id", Id), ("job", Job), ("status", Status), ("trigger", Trigger), ("shard", Shard), ("as_of", AsOf), ("partial", Partial),
            ("started_at", StartedAt), ("finished_at", FinishedAt), ("duration_ms", Milliseconds(StartedAt, FinishedAt)),
            ("error", Error), ("host", Host), ("version", Version));
        json.Raw("counters", Counters);
    }
}
