using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Doctor;

/// <summary>Goes through a big table in slices of its ids: each statement is short, however big the table.</summary>
internal static class Ranges
{
    /// <summary>Enough to see what is wrong.</summary>
    public const int Most = 50;

    private const long Step = 50_000;

    /// <param name="maxId">The end, as a statement.</param>
    /// <param name="sql">Of the ids above @From, up to @To.</param>
    public static Task<List<T>> ByIdAsync<T>(ToolRun run, Db db, string check, string maxId, string sql, CancellationToken cancellation) =>
        ByIdAsync<T>(run, db, check, maxId, sql, rows => rows.Count >= Most, cancellation);

    public static async Task<List<T>> ByIdAsync<T>(ToolRun run, Db db, string check, string maxId, string sql, Func<List<T>, bool> enough, CancellationToken cancellation)
    {
        var max = await db.TransactionAsync(tx => tx.SingleAsync<long>(maxId), cancellation);
        var progress = new Progress(run.Context);
        var found = new List<T>();
        for (long from = 0; from < max && !enough(found); from += Step)
        {
            var slice = new { From = from, To = Math.Min(from + Step, max) };
            found.AddRange(await db.TransactionAsync(tx => tx.QueryAsync<T>(sql, slice), cancellation));
            progress.Show(check, slice.To, max);
        }

        progress.Clear();
        return found;
    }

    /// <summary>The same by days, newest first.</summary>
    public static async Task<List<T>> ByDayAsync<T>(
        ToolRun run, Db db, string check, TimeSpan since, string sql, Func<DateTime, DateTime, object> parameters, CancellationToken cancellation)
    {
        var now = await db.TransactionAsync(tx => tx.SingleAsync<DateTime>("SELECT clock_timestamp()"), cancellation);
        var progress = new Progress(run.Context);
        var found = new List<T>();
        var days = (int)Math.Ceiling(since.TotalDays);
        for (var day = 0; day < days && found.Count < Most; day++)
        {
            // What was booked with a "now" of its own may be ahead of the clock.
            var (from, to) = (now.AddDays(-day - 1), day == 0 ? now.AddDays(2) : now.AddDays(-day));
            found.AddRange(await db.TransactionAsync(tx => tx.QueryAsync<T>(sql, parameters(from, to)), cancellation));
            progress.Show(check, day + 1, days);
        }

        progress.Clear();
        return found;
    }

    /// <summary>The first few, and how many there are at least.</summary>
    public static string Listed<T>(IReadOnlyList<T> found, Func<T, string> text) =>
        string.Join(", ", found.Take(5).Select(text)) + (found.Count > 5 ? $" and {found.Count - 5}{(found.Count >= Most ? " or more" : "")} others" : "");
}
