using System.Text.Json;
using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

internal static class CheckoutCalls
{
    public static Answer Create(Merchant merchant, string id, JsonObject body)
    {
        var reader = ReaderCalls.Find(merchant, id);
        var (value, minorUnit, foreign) = Valid(merchant, body);
        var device = reader.Device;
        if (reader.Status != "paired")
            throw SumUpError.NotFound();
        if (!device.Online)
            throw new SumUpError(422, "reader-offline", "The device is offline.", new JsonObject { ["type"] = "READER_OFFLINE", ["detail"] = "The device is offline." });
        if (device.Busy is { } other)
            throw Busy(merchant, other);
        var checkout = new Checkout(merchant, reader, device.Scripts.TryDequeue(out var script) ? script : merchant.Config.Script, value, minorUnit, merchant.Currency)
        {
            ForeignTransactionId = foreign,
            Description = Text(body, "description"),
        };
        merchant.Checkouts.Add(checkout);
        checkout.Accept();
        var ids = new JsonObject { ["client_transaction_id"] = checkout.ClientTransactionId };
        if (merchant.Config.CheckoutId)
            ids["checkout_id"] = checkout.CheckoutId;
        return Answer.Of(201, merchant.Config.IdsAtRoot ? ids : new JsonObject { ["data"] = ids });
    }

    public static Answer Get(Merchant merchant, string id, string checkoutId)
    {
        var reader = ReaderCalls.Find(merchant, id);
        var checkout = merchant.Checkouts.Find(c => c.CheckoutId == checkoutId && c.Reader == reader) ?? throw SumUpError.NotFound();
        return Answer.Of(200, new JsonObject { ["data"] = Render.Checkout(checkout) });
    }

    /// <summary>It names no checkout: whatever is on the device when it gets there.</summary>
    public static Answer Terminate(Merchant merchant, string id)
    {
        var device = ReaderCalls.Find(merchant, id).Device;
        if (!device.Online)
            throw new SumUpError(422, "reader-offline", "The device is offline.", new JsonObject { ["type"] = "READER_OFFLINE", ["detail"] = "The device is offline." });
        merchant.In(TimeSpan.FromMilliseconds(merchant.Config.TerminateMs), () => device.Busy?.Terminate());
        return new Answer(202, "");
    }

    private static SumUpError Busy(Merchant merchant, Checkout other)
    {
        var typed = merchant.Config.Busy == "typed" || (merchant.Config.Busy == "faithful" && !other.Started);
        return typed
            ? new SumUpError(422, "reader-busy", "There is already a pending checkout for this reader.", new JsonObject { ["type"] = "READER_BUSY", ["detail"] = "There is already a pending checkout for this reader." })
            : new SumUpError(422, "unprocessable-entity", "Unprocessable Entity", new JsonObject { ["detail"] = "Unprocessable Entity" });
    }

    private static (long Value, int MinorUnit, string? Foreign) Valid(Merchant merchant, JsonObject body)
    {
        if (body["total_amount"] is not JsonObject money || Number(money, "value") is not { } value || Number(money, "minor_unit") is not { } minorUnit)
            throw SumUpError.Field("total_amount", "is required");
        if (value <= 0)
            throw SumUpError.Field("total_amount", "must be greater than 0");
        if (Text(money, "currency") != merchant.Currency)
            throw new SumUpError(422, "unprocessable-entity", "Currency is not supported by the merchant", new JsonObject { ["detail"] = "Currency is not supported by the merchant" });
        if (minorUnit != Decimals(merchant.Currency))
            throw SumUpError.Field("total_amount", "has the wrong minor unit");
        if (body["installments"] is not null)
            throw SumUpError.Field("installments", "not allowed");
        if (Text(body, "return_url") is { } url && !url.StartsWith("https://", StringComparison.Ordinal))
            throw SumUpError.Field("return_url", "must be https");
        if (body["affiliate"] is not JsonObject affiliate)
            return (value, (int)minorUnit, null);
        return Text(affiliate, "key") is { Length: > 0 } && Text(affiliate, "app_id") is { Length: > 0 } && Text(affiliate, "foreign_transaction_id") is { Length: > 0 } foreign
            ? (value, (int)minorUnit, foreign)
            : throw SumUpError.Field("affiliate", "app_id, key and foreign_transaction_id are required");
    }

    public static int Decimals(string currency) => currency switch { "CLP" or "COP" or "HUF" or "JPY" => 0, "KWD" => 3, _ => 2 };

    private static string? Text(JsonObject json, string name) => json[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? (string?)value : null;

    private static long? Number(JsonObject json, string name) => json[name] is JsonValue value && value.TryGetValue<long>(out var number) ? number : null;
}
