using System.Globalization;
using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

internal static class TransactionCalls
{
    private static readonly string[] Keys = ["id", "transaction_code", "client_transaction_id", "foreign_transaction_id"];

    public static Answer Find(Merchant merchant, IQueryCollection query)
    {
        var asked = Keys.Where(query.ContainsKey).ToList();
        if (asked.Count != 1)
            throw new SumUpError(400, "invalid", "Exactly one id is required");
        var value = query[asked[0]].ToString();
        var found = Visible(merchant).Where(transaction => value == asked[0] switch
        {
            "id" => transaction.Id,
            "transaction_code" => transaction.Code,
            "client_transaction_id" => transaction.Checkout.ClientTransactionId,
            _ => transaction.Checkout.ForeignTransactionId,
        }).ToList();
        if (merchant.Config.LookupsAsLists)
            return Answer.Of(200, new JsonObject { ["items"] = new JsonArray([.. found.Select(transaction => Render.Transaction(merchant, transaction))]) });
        return found.Count > 0 ? Answer.Of(200, Render.Transaction(merchant, found[^1])) : throw SumUpError.NotFound();
    }

    public static Answer History(Merchant merchant, IQueryCollection query)
    {
        var limit = query.TryGetValue("limit", out var asked) ? int.Parse(asked.ToString(), CultureInfo.InvariantCulture) : 10;
        var descending = query["order"] == "descending";
        var (oldestRef, newestRef) = (Number("oldest_ref"), Number("newest_ref"));
        var (statuses, types) = (query["statuses[]"], query["types[]"]);
        var (changed, oldest, newest) = (Time("changes_since"), Time("oldest_time"), Time("newest_time"));
        var lines = Lines(merchant)
            .Where(line => line.Status != "PENDING" && (statuses.Count == 0 || statuses.Contains(line.Status)) && (types.Count == 0 || types.Contains(line.Type)))
            .Where(line => changed is null || line.Transaction.ChangedAt >= changed)
            .Where(line => (oldestRef is null ? oldest is null || line.At >= oldest : line.Ref > oldestRef) && (newestRef is null ? newest is null || line.At < newest : line.Ref < newestRef))
            .OrderBy(line => descending ? -line.Ref : line.Ref)
            .ToList();
        var answer = new JsonObject { ["items"] = new JsonArray([.. lines.Take(limit).Select(line => Render.Line(line))]), ["links"] = new JsonArray() };
        if (lines.Count > limit)
        {
            var last = lines[limit - 1].Ref;
            var others = query.Where(pair => pair.Key is not ("oldest_ref" or "newest_ref"))
                .SelectMany(pair => pair.Value.Select(value => $"{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(value!)}"));
            answer["links"] = new JsonArray(new JsonObject
            {
                ["rel"] = "next",
                ["href"] = string.Join('&', others.Append(string.Create(CultureInfo.InvariantCulture, $"{(descending ? "newest_ref" : "oldest_ref")}={last}"))),
            });
        }

        return Answer.Of(200, answer);

        long? Number(string name) => query.TryGetValue(name, out var value) ? long.Parse(value.ToString(), CultureInfo.InvariantCulture) : null;
        DateTimeOffset? Time(string name) => query.TryGetValue(name, out var value) ? DateTimeOffset.Parse(value.ToString(), CultureInfo.InvariantCulture) : null;
    }

    /// <summary>Every one that comes is carried out: there is no key to know a second one by.</summary>
    public static Answer Refund(Merchant merchant, string id, JsonObject body)
    {
        var transaction = merchant.Transactions.Find(t => t.Id == id) ?? throw SumUpError.NotFound();
        if (!transaction.Paid || transaction.Refunded == transaction.Value)
            throw new SumUpError(409, "conflict", "The transaction is not refundable in its current state.");
        var value = transaction.Value - transaction.Refunded;
        if (body["amount"] is JsonValue asked)
        {
            var scaled = asked.GetValue<decimal>() / transaction.Decimal(1);
            if (scaled <= 0 || scaled != Math.Truncate(scaled) || scaled > value)
                throw new SumUpError(400, "bad-request", "The amount cannot be refunded.");
            value = (long)scaled;
        }

        transaction.Refunds.Add(new Refund(Transaction.NextEvent(), value, merchant.Now));
        (transaction.Status, transaction.ChangedAt) = ("REFUNDED", merchant.Now);
        return merchant.Config.RefundStatus == 204 ? new Answer(204, "") : new Answer(merchant.Config.RefundStatus, "{}");
    }

    private static IEnumerable<Transaction> Visible(Merchant merchant) => merchant.Transactions.Where(transaction => transaction.VisibleAt <= merchant.Now);

    private static IEnumerable<Line> Lines(Merchant merchant) => Visible(merchant).SelectMany(transaction =>
        transaction.Refunds.Select(refund => new Line(transaction, refund.Id, refund.At, "REFUND", "SUCCESSFUL", refund.Value))
            .Prepend(new Line(transaction, transaction.EventId, transaction.At, "PAYMENT", transaction.Status, transaction.Value)));
}

internal sealed record Line(Transaction Transaction, long Ref, DateTimeOffset At, string Type, string Status, long Value);
