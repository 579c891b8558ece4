using System.Text.Json;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Statistics;

namespace Jobs;

/// <param name="Kind">A figure's name, that of revenue with its currency such as revenue_eur; or low_visits.</param>
/// <param name="Expected">The usual, or the least that is.</param>
public sealed record Anomaly(string Kind, long Value, long Expected);

/// <summary>
/// What is unusual about a day, held against the same weekday of the eight weeks before; and too few visits, whatever the
/// weekday. In production staff are mailed once per day and kind, elsewhere the log says it.
/// </summary>
public sealed class Anomalies(JobRun run, Settings settings, JobOptions options)
{
    public static readonly JobOption<int?> MinVisits = new(
        "--min-visits", "n", "Alert below this many visits a day; 0: never. Default: 10.", OptionValue.NotNegative, 10);

    private const string LowVisits = "low_visits";
    private const string Revenue = "revenue_";

    // What deviates by less worries nobody. Revenue: in units of the currency.
    private static readonly (string Kind, int Least)[] Watched = [("total_visits", 10), ("new_memberships", 5), ("failures", 5)];
    private const int LeastRevenue = 50;

    private const string History =
        """
        SELECT stat_date AS date, data::text AS data
        FROM daily_stats
        WHERE stat_date IN (SELECT @date - 7 * weeks FROM generate_series(1, 8) AS weeks)
        """;

    private const string Tell =
        """
        INSERT INTO notifications (kind, to_address, payload, dedupe_key, created_at)
        VALUES ('stats_alert', @staff, @payload::jsonb, @dedupeKey, @Now)
        ON CONFLICT (dedupe_key) DO NOTHING
        """;

    private readonly string? _staff = settings.Production ? settings.Optional("STAFF_EMAIL") : null;

    // What a real run would have found in the table by then.
    private readonly Dictionary<DateOnly, string> _unwritten = [];

    private sealed class Row
    {
        public DateOnly Date { get; init; }
        public string Data { get; init; } = "";
    }

    /// <summary>Remembers the figures of a dry run.</summary>
    public void Foresee(DateOnly date, string data) => _unwritten[date] = data;

    /// <summary>Looks for what is unusual and, in production, writes the mails.</summary>
    public async Task<List<Anomaly>> FindAsync(Tx tx, DateOnly date, string data)
    {
        var rows = await tx.QueryAsync<Row>(History, new { date });
        var history = rows.Where(r => !_unwritten.ContainsKey(r.Date)).Select(r => r.Data)
            .Concat(Enumerable.Range(1, 8).Select(weeks => _unwritten.GetValueOrDefault(date.AddDays(-7 * weeks))).OfType<string>());
        var unusual = Find(Figures(data), [.. history.Select(Figures)]);
        // A business that does not record visits misses none.
        if (unusual.Exists(a => a.Kind == LowVisits) && !await tx.SingleAsync<bool>("SELECT EXISTS (SELECT FROM attendances)"))
        {
            unusual.RemoveAll(a => a.Kind == LowVisits);
        }

        foreach (var anomaly in tx.ReadOnly || _staff is null ? [] : unusual)
        {
            var found = JsonText.Of(("kind", anomaly.Kind), ("value", anomaly.Value), ("expected", anomaly.Expected));
            var payload = $$"""{"stat_date": "{{Days.Text(date)}}", "anomalies": [{{found}}]}""";
            await tx.ExecuteAsync(Tell, new { staff = _staff, payload, dedupeKey = $"stats_alert:{Days.Text(date)}:{anomaly.Kind}", run.Now });
        }

        return unusual;
    }

    /// <summary>Counts and lists what was found, and logs it where nobody is mailed.</summary>
    public void Report(DateOnly date, List<Anomaly> unusual)
    {
        foreach (var (kind, value, expected) in unusual)
        {
            run.Counters.Add("anomalies");
            run.Item(Days.Text(date), "anomaly", ("kind", kind), ("value", value), ("expected", expected));
            if (_staff is null)
            {
                run.Log.LogAnomaly(Days.Text(date), kind, value, expected);
            }
        }
    }

    private List<Anomaly> Find(Dictionary<string, long> day, List<Dictionary<string, long>> history)
    {
        var found = new List<Anomaly>();
        foreach (var (kind, least) in Watched.Concat(Currencies(history.Append(day))))
        {
            var expected = Outlier.Expected(day.GetValueOrDefault(kind), [.. history.Select(h => h.GetValueOrDefault(kind))], least);
            // Fewer failures than usual are no reason to worry.
            if (expected is { } usual && !(kind == "failures" && day.GetValueOrDefault(kind) < usual))
            {
                found.Add(new Anomaly(kind, day.GetValueOrDefault(kind), (long)Math.Round(usual)));
            }
        }

        if (options.Get(MinVisits) is { } fewest && day.GetValueOrDefault("total_visits") is var visits && visits < fewest)
        {
            found.Add(new Anomaly(LowVisits, visits, fewest));
        }

        return found;
    }

    private static IEnumerable<(string Kind, int Least)> Currencies(IEnumerable<Dictionary<string, long>> days) =>
        from kind in days.SelectMany(d => d.Keys).Where(k => k.StartsWith(Revenue, StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal)
        let currency = kind[Revenue.Length..]
        select (kind, LeastRevenue * (int)Math.Pow(10, Currency.IsKnown(currency) ? Currency.Exponent(currency) : 2));

    /// <summary>The numbers of a row; revenue by currency. What else an application keeps there is passed over.</summary>
    private static Dictionary<string, long> Figures(string data)
    {
        using var json = JsonDocument.Parse(data);
        var figures = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var member in json.RootElement.EnumerateObject())
        {
            if (member.Name == "revenue" && member.Value.ValueKind == JsonValueKind.Object)
            {
                foreach (var currency in member.Value.EnumerateObject())
                {
                    Add(Revenue + currency.Name, currency.Value);
                }
            }
            else
            {
                Add(member.Name, member.Value);
            }
        }

        return figures;

        void Add(string name, JsonElement value)
        {
            if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number))
            {
                figures[name] = number;
            }
        }
    }
}
