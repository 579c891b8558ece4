using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <param name="Alerts">Whether staff are to hear of what is unusual about it.</param>
public readonly record struct Day(DateOnly Date, bool Alerts);

/// <summary>
/// Which days to compute, none of them before it is over: those asked for; else yesterday, every day without figures, and the
/// week's other days, into which refunds and attendances are still booked.
/// </summary>
public sealed class Days(JobRun run, Db db, BusinessZone zone, JobOptions options)
{
    public static readonly JobOption<DateOnly?> Date = new("--date", "date", "This day alone, such as 2026-11-20.", Parse, null);
    public static readonly JobOption<DateOnly?> From = new("--from", "date", "From this day on.", Parse, null);
    public static readonly JobOption<DateOnly?> To = new("--to", "date", "With --from: to this day, inclusive. Default: yesterday.", Parse, null);

    private const int MostAtOnce = 3660;

    // A first run on an old database fills a year and a bit; more is for --from.
    private const string Missing =
        """
        WITH data AS (
            SELECT least((SELECT min(attended_on) FROM attendances),
                         (SELECT (min(succeeded_at) AT TIME ZONE @Zone)::date FROM payments WHERE succeeded_at IS NOT NULL),
                         (SELECT (min(created_at) AT TIME ZONE @Zone)::date FROM memberships),
                         (SELECT min(stat_date) FROM daily_stats),
                         @Yesterday) AS since,
                   (SELECT max(stat_date) FROM daily_stats WHERE stat_date <= @Yesterday) AS newest
        )
        SELECT @Yesterday - ago AS date, ago = 0 OR (ago < 7 AND @Yesterday - ago > data.newest) AS alerts
        FROM data, generate_series(0, least(@Yesterday - data.since, 399)) AS ago
        WHERE ago < 7 OR NOT EXISTS (SELECT FROM daily_stats WHERE stat_date = @Yesterday - ago)
        ORDER BY 1
        """;

    private sealed class Row
    {
        public DateOnly Date { get; init; }
        public bool? Alerts { get; init; }
    }

    /// <returns>In rising order.</returns>
    public async Task<IReadOnlyList<Day>> ReadAsync()
    {
        var yesterday = zone.Date(run.Now).AddDays(-1);
        if (Asked(yesterday) is var (from, to))
        {
            return [.. Enumerable.Range(0, to.DayNumber - from.DayNumber + 1).Select(n => new Day(from.AddDays(n), Alerts: false))];
        }

        var rows = await db.TransactionAsync(tx => tx.QueryAsync<Row>(Missing, new { Yesterday = yesterday, Zone = zone.Id }), run.Aborting);
        return [.. rows.Select(r => new Day(r.Date, r.Alerts == true))];
    }

    private (DateOnly From, DateOnly To)? Asked(DateOnly yesterday)
    {
        var (date, from, to) = (options.Get(Date), options.Get(From), options.Get(To));
        if (date is not null && (from ?? to) is not null)
        {
            throw new OperatorException("--date is one day, --from and --to are a range; give one of the two");
        }

        if (from is null && to is not null)
        {
            throw new OperatorException("--to needs --from");
        }

        if ((date ?? from) is not { } first)
        {
            return null;
        }

        var last = date ?? to ?? yesterday;
        if ((first > last ? first : last) is var latest && latest > yesterday)
        {
            throw new OperatorException($"{Text(latest)} is not over; the last complete day is {Text(yesterday)}");
        }

        return first > last ? throw new OperatorException($"--from {Text(first)} is after --to {Text(last)}")
            : last.DayNumber - first.DayNumber >= MostAtOnce ? throw new OperatorException($"--from and --to span more than {MostAtOnce} days; go in parts")
            : (first, last);
    }

    public static string Text(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static DateOnly? Parse(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) && date.Year >= 1970
            ? date
            : throw new FormatException("a day such as 2026-11-20");
}
