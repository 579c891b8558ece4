using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

/// <summary>The money that moved, known or not to whoever asked for it: assert on it, not on calls.</summary>
internal static class Ledger
{
    public static JsonObject Of(Merchant merchant)
    {
        var paid = merchant.Transactions.Where(transaction => transaction.Paid).ToList();
        return new JsonObject
        {
            ["count"] = paid.Count,
            ["total"] = paid.Sum(transaction => transaction.Value),
            ["refunded"] = paid.Sum(transaction => transaction.Refunded),
            ["payments"] = new JsonArray([.. paid.Select(transaction => new JsonObject
            {
                ["transaction_id"] = transaction.Id,
                ["client_transaction_id"] = transaction.Checkout.ClientTransactionId,
                ["foreign_transaction_id"] = transaction.Checkout.ForeignTransactionId,
                ["value"] = transaction.Value,
                ["tip"] = transaction.Tip,
                ["refunded"] = transaction.Refunded,
                ["serial"] = transaction.Checkout.Reader.Device.Serial,
                ["at"] = Render.Time(transaction.At),
            })]),
            ["by_foreign_transaction_id"] = new JsonObject(paid
                .GroupBy(transaction => transaction.Checkout.ForeignTransactionId ?? "", StringComparer.Ordinal)
                .Select(group => KeyValuePair.Create<string, JsonNode?>(group.Key, group.Count()))),
        };
    }
}
