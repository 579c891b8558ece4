using System.Runtime.CompilerServices;
using Jobs.Database;

namespace Jobs.Runs;

/// <summary>Reads a long list of rows in batches, in the order of a key, so that memory stays small and no row comes twice.</summary>
public static class Keyset
{
    private const int DefaultBatch = 500;

    /// <summary>Before every row that is read by an instant and, within it, by its id.</summary>
    public static (DateTime At, long Id) Beginning { get; } = (DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc), 0);

    /// <param name="sql">Rows after the key, in its order, at most the given number.</param>
    /// <param name="parameters">The statement's parameters from the last key and the batch size.</param>
    public static async IAsyncEnumerable<TRow> ReadAsync<TRow, TKey>(
        JobRun run, Db db, string sql, TKey start, Func<TRow, TKey> key, Func<TKey, int, object> parameters,
        [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var size = run.Options.BatchSize ?? DefaultBatch;
        var after = start;
        while (!run.Stopping.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            var rows = await db.TransactionAsync(tx => tx.QueryAsync<TRow>(sql, parameters(after, size)), run.Aborting);
            foreach (var row in rows)
            {
                yield return row;
            }

            if (rows.Count < size)
            {
                yield break;
            }

            after = key(rows[^1]);
        }
    }
}
