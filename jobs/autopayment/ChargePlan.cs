using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// The breaker: what the run is about to charge, held against the operator's limits or, without them, against the usual.
/// A wrong clock or a bad import must not empty everybody's account.
/// </summary>
public sealed class ChargePlan(JobRun run, Db db, DueSubscriptions due, BusinessZone zone, JobOptions options)
{
    public static readonly JobOption<int?> MaxCharges = new(
        "--max-charges", "n", "Stop before the first charge when more than this many are planned.", OptionValue.NotNegative, null);

    public static readonly JobOption<IReadOnlyDictionary<string, long>?> MaxAmount = new(
        "--max-amount", "amounts", "Stop when more is planned, in minor units: eur=500000,usd=90000, or one number for each currency.",
        ParseAmounts, null);

    private const int UsualTimes = 5;
    private const int DaysToKnowTheUsual = 3;
    private const string AnyCurrency = "";

    // The median over days on which anything was charged: a business that charges on the 1st has a usual day, too.
    private const string Usual =
        """
        SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY charges), 0) AS median, count(*)::int AS days
        FROM (
            SELECT count(*) AS charges
            FROM payments
            WHERE purpose = 'subscription' AND method = 'card' AND created_at >= @From AND created_at < @Today
            GROUP BY (created_at AT TIME ZONE @Zone)::date
        ) AS day
        """;

    private sealed class Total
    {
        public string Currency { get; init; } = "";
        public long Charges { get; init; }
        public long AmountMinor { get; init; }
    }

    private sealed class UsualDay
    {
        public double Median { get; init; }
        public int Days { get; init; }
    }

    /// <returns>How many charges are planned.</returns>
    public async Task<long> CheckAsync()
    {
        var totals = await db.TransactionAsync(
            tx => tx.QueryAsync<Total>(due.Planned, due.Parameters()), TimeSpan.FromMinutes(5), run.Aborting);
        var planned = Math.Min(totals.Sum(t => t.Charges), run.Options.Limit ?? long.MaxValue);
        var maxCharges = options.Get(MaxCharges);
        var maxAmount = options.Get(MaxAmount);
        if (maxCharges is { } most && planned > most)
        {
            throw new StopRunException($"{planned} charges are planned, more than --max-charges {most}; nothing was charged");
        }

        if (maxAmount is not null)
        {
            totals.ForEach(t => Check(t, maxAmount));
        }

        if (maxCharges is null && maxAmount is null)
        {
            await CompareWithUsualAsync(planned);
        }

        return planned;
    }

    private static void Check(Total total, IReadOnlyDictionary<string, long> limits)
    {
        if (!limits.TryGetValue(total.Currency, out var limit) && !limits.TryGetValue(AnyCurrency, out limit))
        {
            throw new StopRunException(
                $"{total.AmountMinor} {total.Currency} (minor units) are planned and --max-amount names no limit for {total.Currency}; nothing was charged");
        }

        if (total.AmountMinor > limit)
        {
            throw new StopRunException(
                $"{total.AmountMinor} {total.Currency} (minor units) are planned, more than --max-amount {limit}; nothing was charged");
        }
    }

    private async Task CompareWithUsualAsync(long planned)
    {
        var today = zone.StartOfDay(zone.Date(run.Now));
        var usual = await db.TransactionAsync(
            tx => tx.SingleAsync<UsualDay>(Usual, new { From = today.AddDays(-35), Today = today, Zone = zone.Id }), run.Aborting);
        if (usual.Days >= DaysToKnowTheUsual && planned > UsualTimes * usual.Median)
        {
            throw new StopRunException(string.Create(
                CultureInfo.InvariantCulture,
                $"{planned} charges are planned, more than {UsualTimes} times the recent daily median of {usual.Median:0.#}; nothing was charged. If that is right, run again with --max-charges {planned}"));
        }
    }

    private static Dictionary<string, long> ParseAmounts(string text)
    {
        var amounts = new Dictionary<string, long>(StringComparer.OrdinalIgnoreCase);
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var pair = part.Split('=');
            var currency = pair.Length == 2 ? pair[0].Trim() : AnyCurrency;
            if (pair.Length > 2 || (pair.Length == 2 && !Currency.IsKnown(currency))
                || !long.TryParse(pair[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var amount)
                || !amounts.TryAdd(currency, amount))
            {
                throw new FormatException("minor units per currency such as eur=500000,usd=90000, or one number for each currency");
            }
        }

        return amounts;
    }
}
