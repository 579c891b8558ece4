using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>What textfile, Pushgateway and OTLP are told, of every job at once and as the database knows it now.</summary>
public static class AllMetrics
{
    public static async Task<IReadOnlyList<Metric>> ReadAsync(Tx tx, Settings settings)
    {
        var ofAll = await BusinessMetrics.ReadAsync(tx, BusinessZone.From(settings), RenewalPolicy.From(settings).Grace, await tx.SingleAsync<DateTime>("SELECT now()"));
        return [.. (await LedgerMetrics.LastRunsAsync(tx)).All, .. ofAll];
    }
}
