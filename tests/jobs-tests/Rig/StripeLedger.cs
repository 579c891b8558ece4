using System.Text.Json;

namespace Jobs.Tests.Rig;

/// <summary>How often and how much was taken for one thing.</summary>
public sealed record Taken(int Count, long AmountMinor);

/// <summary>The fake's ledger: money, not calls.</summary>
public sealed class StripeLedger(JsonElement ledger)
{
    public JsonElement Json => ledger;

    public int Count => ledger.GetProperty("count").GetInt32();

    public IReadOnlyList<JsonElement> Charges => [.. ledger.GetProperty("charges").EnumerateArray()];

    public long Total(string currency = "eur") => Sum("total", currency);

    public long Refunded(string currency = "eur") => Sum("refunded", currency);

    public Taken ForRenewal(string subscriptionId, string periodStart) => In("by_metadata", $"{subscriptionId}:{periodStart}");

    public Taken ForPayment(string paymentId) => In("by_payment_id", paymentId);

    /// <summary>By the value of the metadata key the ledger was asked to group by.</summary>
    public Taken ForGroup(string value) => In("by_group", value);

    /// <summary>The most charges any single renewal period got: 1 when all is well.</summary>
    public int MostChargesPerRenewal =>
        ledger.GetProperty("by_metadata").EnumerateObject().Select(group => group.Value.GetProperty("count").GetInt32()).DefaultIfEmpty().Max();

    private long Sum(string section, string currency) =>
        ledger.GetProperty(section).TryGetProperty(currency, out var amount) ? amount.GetInt64() : 0;

    private Taken In(string section, string key) =>
        ledger.GetProperty(section).TryGetProperty(key, out var group)
            ? new Taken(group.GetProperty("count").GetInt32(), group.GetProperty("amount").GetInt64())
            : new Taken(0, 0);
}
