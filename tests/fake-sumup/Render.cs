using System.Globalization;
using System.Text.Json.Nodes;

namespace Jobs.Testing.FakeSumUp;

/// <summary>Things as SumUp shows them.</summary>
internal static class Render
{
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    public static JsonNode Reader(Reader reader) => new JsonObject
    {
        ["id"] = reader.Id,
        ["name"] = reader.Name,
        ["status"] = reader.Status,
        ["device"] = new JsonObject { ["identifier"] = reader.Device.Serial, ["model"] = reader.Device.Model },
        ["metadata"] = new JsonObject(),
        ["created_at"] = Time(reader.CreatedAt),
        ["updated_at"] = Time(reader.UpdatedAt),
    };

    public static JsonNode Checkout(Checkout checkout) => new JsonObject
    {
        ["checkout_id"] = checkout.CheckoutId,
        ["client_transaction_id"] = checkout.ClientTransactionId,
        ["status"] = checkout.Status,
        ["payment_status"] = checkout.Status == "pending" ? null : checkout.Status,
        ["payment_failure_reason"] = checkout.FailureReason,
        ["payment_type"] = "card",
        ["card_type"] = null,
        ["installments"] = null,
        ["total_amount"] = new JsonObject { ["value"] = checkout.Value, ["currency"] = checkout.Currency, ["minor_unit"] = checkout.MinorUnit },
        ["reader_serial_number"] = checkout.Reader.Device.Serial,
        ["reader_firmware_version"] = "3.3.39.0",
        ["valid_until"] = Time(checkout.ValidUntil),
        ["created_at"] = Time(checkout.CreatedAt),
        ["updated_at"] = Time(checkout.UpdatedAt),
    };

    public static JsonNode Transaction(Merchant merchant, Transaction transaction)
    {
        var checkout = transaction.Checkout;
        var shown = new JsonObject
        {
            ["id"] = transaction.Id,
            ["transaction_code"] = transaction.Code,
            ["amount"] = transaction.Decimal(transaction.Value),
            ["currency"] = checkout.Currency,
            ["timestamp"] = Time(transaction.At),
            ["status"] = transaction.Status,
            ["simple_status"] = transaction.Status,
            ["payment_type"] = "POS",
            ["simple_payment_type"] = "CARD",
            ["entry_mode"] = "CONTACTLESS",
            ["installments_count"] = 1,
            ["merchant_code"] = merchant.Code,
            ["vat_amount"] = 0,
            ["tip_amount"] = transaction.Decimal(transaction.Tip),
            ["auth_code"] = "053201",
            ["client_transaction_id"] = checkout.ClientTransactionId,
            ["card"] = new JsonObject { ["last_4_digits"] = "4242", ["type"] = "VISA" },
            ["local_time"] = Time(transaction.At),
        };
        if (checkout.ForeignTransactionId is not null)
            shown["foreign_transaction_id"] = checkout.ForeignTransactionId;
        if (checkout.Description is not null)
            shown["product_summary"] = checkout.Description;
        if (merchant.Config.WithoutEvents)
            return shown;
        shown["events"] = new JsonArray([.. transaction.Refunds.Select(refund => Event(transaction, refund, "type"))]);
        shown["transaction_events"] = new JsonArray([.. transaction.Refunds.Select(refund => Event(transaction, refund, "event_type"))]);
        return shown;
    }

    public static JsonNode Line(Line line)
    {
        var (transaction, checkout) = (line.Transaction, line.Transaction.Checkout);
        var shown = new JsonObject
        {
            ["id"] = transaction.Id,
            ["transaction_id"] = transaction.Id,
            ["client_transaction_id"] = checkout.ClientTransactionId,
            ["transaction_code"] = transaction.Code,
            ["amount"] = transaction.Decimal(line.Value),
            ["currency"] = checkout.Currency,
            ["timestamp"] = Time(line.At),
            ["status"] = line.Status,
            ["type"] = line.Type,
            ["payment_type"] = "POS",
            ["card_type"] = "VISA",
            ["installments_count"] = 1,
            ["refunded_amount"] = transaction.Decimal(transaction.Refunded),
            ["user"] = "desk@example.test",
            ["payouts_total"] = 1,
            ["payouts_received"] = 0,
            ["payout_plan"] = "SINGLE_PAYMENT",
        };
        if (checkout.Description is not null)
            shown["product_summary"] = checkout.Description;
        return shown;
    }

    private static JsonObject Event(Transaction transaction, Refund refund, string type) => new()
    {
        ["id"] = refund.Id,
        [type] = "REFUND",
        ["status"] = refund.Status,
        ["amount"] = transaction.Decimal(refund.Value),
        ["timestamp"] = Time(refund.At),
    };
}
