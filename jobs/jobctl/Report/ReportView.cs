using System.Text.Json;
using Jobs.Billing;
using Jobs.Database;

namespace Jobs.Report;

/// <summary>What the status page shows besides how every job stands: the last runs of each, and the last days.</summary>
internal sealed class ReportView
{
    /// <summary>Of each job, newest first.</summary>
    public const int Runs = 40;

    public required ILookup<string, StripRow> Strips { get; init; }
    public required IReadOnlyList<DayRow> Days { get; init; }

    /// <summary>Per currency, of the days of which the figures are known.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<DateOnly, long>> Revenue { get; init; }

    private const string Sql =
        """
        SELECT j.name AS job, r.id, r.status, r.started_at, r.finished_at, r.error
        FROM unnest(@Jobs) AS j (name)
        JOIN LATERAL (
            SELECT id, status, started_at, finished_at, error FROM job_runs AS k WHERE k.job BETWEEN j.name AND j.name ORDER BY k.job, k.started_at DESC LIMIT @Runs
        ) AS r ON true
        ORDER BY r.started_at;

        SELECT (r.started_at AT TIME ZONE @Zone)::date AS day, r.status, count(*) AS count
        FROM job_runs AS r
        WHERE r.started_at >= @From
        GROUP BY 1, 2;

        SELECT stat_date, (data -> 'revenue')::text AS revenue FROM daily_stats WHERE stat_date >= @FirstDay AND jsonb_typeof(data -> 'revenue') = 'object'
        """;

    public static async Task<ReportView> ReadAsync(Tx tx, BusinessZone zone, DateOnly firstDay, string[] jobs)
    {
        await using var answers = await tx.QueryMultipleAsync(Sql, new { Jobs = jobs, Runs, Zone = zone.Id, From = zone.StartOfDay(firstDay), FirstDay = firstDay });
        return new()
        {
            Strips = (await answers.ReadAsync<StripRow>()).ToLookup(r => r.Job, StringComparer.Ordinal),
            Days = [.. await answers.ReadAsync<DayRow>()],
            Revenue = ByCurrency(await answers.ReadAsync<StatRow>()),
        };
    }

    private static Dictionary<string, IReadOnlyDictionary<DateOnly, long>> ByCurrency(IEnumerable<StatRow> stats)
    {
        var all = new SortedDictionary<string, Dictionary<DateOnly, long>>(StringComparer.Ordinal);
        foreach (var stat in stats)
        {
            using var revenue = JsonDocument.Parse(stat.Revenue);
            foreach (var amount in revenue.RootElement.EnumerateObject().Where(a => Currency.IsKnown(a.Name) && a.Value.ValueKind == JsonValueKind.Number))
            {
                if (!all.TryGetValue(amount.Name, out var days))
                {
                    all[amount.Name] = days = [];
                }

                days[stat.StatDate] = amount.Value.TryGetInt64(out var minor) ? minor : 0;
            }
        }

        return all.ToDictionary(c => c.Key, c => (IReadOnlyDictionary<DateOnly, long>)c.Value, StringComparer.Ordinal);
    }
}

internal sealed class StripRow
{
    public string Job { get; init; } = "";
    public Guid Id { get; init; }
    public string Status { get; init; } = "";
    public DateTime StartedAt { get; init; }
    public DateTime? FinishedAt { get; init; }
    public string? Error { get; init; }
}

internal sealed class DayRow
{
    public DateOnly Day { get; init; }
    public string Status { get; init; } = "";
    public long Count { get; init; }
}

internal sealed class StatRow
{
    public DateOnly StatDate { get; init; }
    public string Revenue { get; init; } = "";
}
