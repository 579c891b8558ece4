using Jobs.Runs;

namespace Jobs;

/// <summary>Old rows, oldest first, in batches of a transaction each.</summary>
internal static class Batches
{
    /// <summary>Of one statement over a batch.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Goes on from the last row of each batch until one is not full, --limit is reached or the run is stopping.</summary>
    /// <param name="counter">Counts the rows that are done.</param>
    public static async Task EachAsync(JobRun run, string counter, DateTime before, Func<BatchKey, Task<Batch>> work)
    {
        var key = new BatchKey { Before = before };
        while (!run.Stopping.IsCancellationRequested && Size(run, counter) is > 0 and var size)
        {
            key = key with { Size = size };
            var batch = await work(key);
            run.Counters.Add(counter, batch.Done);
            run.ShowProgress(run.Counters[counter]);
            if (batch.Seen < size)
            {
                break;
            }

            key = key with { AfterTime = batch.LastTime!.Value, AfterId = batch.LastId!.Value };
        }
    }

    private static int Size(JobRun run, string counter) =>
        (int)Math.Min(run.Options.BatchSize ?? Cleanup.DefaultBatch, (run.Options.Limit ?? long.MaxValue) - run.Counters[counter]);

    /// <summary>Lists the rows of a batch as items.</summary>
    public static Batch List(JobRun run, List<BatchRow> rows, string kind, string time, string done)
    {
        foreach (var row in rows)
        {
            run.Item(row.Id, row.Outcome, ("kind", kind), (time, row.Time));
        }

        return new Batch
        {
            Seen = rows.Count,
            Done = rows.Count(r => r.Outcome == done),
            Failed = rows.Count(r => r.Outcome == "failed"),
            LastTime = rows.LastOrDefault()?.Time,
            LastId = rows.LastOrDefault()?.Id,
        };
    }
}

/// <summary>Where a batch begins.</summary>
internal sealed record BatchKey
{
    public DateTime Before { get; init; }
    public DateTime AfterTime { get; init; } = DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc);
    public long AfterId { get; init; } = long.MinValue;
    public int Size { get; init; }
}

internal sealed class Batch
{
    public int Seen { get; init; }
    public int Done { get; init; }
    public int Failed { get; init; }
    public DateTime? LastTime { get; init; }
    public long? LastId { get; init; }
}

internal sealed class BatchRow
{
    public long Id { get; init; }
    public DateTime Time { get; init; }
    public string Outcome { get; init; } = "";
}
