using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>Old rows, oldest first, in batches of a transaction each.</summary>
internal static class Batches
{
    /// <summary>Of one statement over a batch.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Goes on from the last row of each batch until one is not full, --limit is reached or the run is stopping.</summary>
    /// <param name="sql">Gives the rows of a batch, with what became of each.</param>
    /// <param name="kind">What the rows are, for the items.</param>
    /// <param name="kept">Stay, whatever else is said of them.</param>
    /// <param name="outcomes">Counted even when there is none.</param>
    public static async Task EachAsync(JobRun run, Db db, string sql, string kind, DateTime before, Guid[] kept, params string[] outcomes)
    {
        Array.ForEach(outcomes, outcome => run.Counters.Add(outcome, 0));
        var done = 0L;
        var (afterTime, afterId) = (DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc), "");
        while (!run.Stopping.IsCancellationRequested && Size(run, done) is > 0 and var size)
        {
            var batch = await db.TransactionAsync(
                tx => tx.QueryAsync<Row>(sql, new { before, afterTime, afterId, size, kept }), Patience, run.Aborting);
            foreach (var row in batch.Where(r => r.Outcome.Length > 0))
            {
                run.Counters.Add(row.Outcome);
                run.Item(row.Id, row.Outcome, ("kind", kind), ("at", row.At));
                done++;
            }

            run.ShowProgress(done);
            if (batch.Count < size)
            {
                break;
            }

            (afterTime, afterId) = (batch[^1].At, batch[^1].Id);
        }
    }

    private static int Size(JobRun run, long done) =>
        (int)Math.Min(run.Options.BatchSize ?? CleanupLogs.DefaultBatch, (run.Options.Limit ?? long.MaxValue) - done);

    private sealed class Row
    {
        public string Id { get; init; } = "";
        public DateTime At { get; init; }

        /// <summary>Empty: it stays.</summary>
        public string Outcome { get; init; } = "";
    }
}
