using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Jobs.SumUp;

/// <summary>From what came to what it means. What lacks an id, a status or an amount is no answer: <see cref="FormatException"/> or <see cref="JsonException"/>.</summary>
internal static class Answers
{
    public static IReadOnlyList<Reader> Readers(ReadOnlySpan<byte> body) =>
        [.. (Read(body, SumUpJson.Default.ReaderList).Items ?? throw Without("items")).OfType<Wire.Reader>().Select(Of)];

    public static Reader Reader(ReadOnlySpan<byte> body) => Of(Read(body, SumUpJson.Default.Reader));

    public static ReaderStatus Status(ReadOnlySpan<byte> body)
    {
        var data = Read(body, SumUpJson.Default.Status).Data ?? throw Without("data");
        return new ReaderStatus
        {
            Status = data.Word ?? throw Without("status"),
            State = data.State,
            LastActivity = data.LastActivity,
            FirmwareVersion = data.FirmwareVersion,
            ConnectionType = data.ConnectionType,
            BatteryLevel = data.BatteryLevel,
        };
    }

    public static ReaderCheckout Checkout(ReadOnlySpan<byte> body)
    {
        var root = Read(body, SumUpJson.Default.Checkout);
        var data = root.Data ?? root;
        return new ReaderCheckout
        {
            ClientTransactionId = data.ClientTransactionId is { Length: > 0 } id ? id : throw Without("client_transaction_id"),
            CheckoutId = data.CheckoutId is { Length: > 0 } checkout ? checkout : null,
        };
    }

    public static ReaderCheckoutState CheckoutState(ReadOnlySpan<byte> body)
    {
        var data = Read(body, SumUpJson.Default.CheckoutState).Data ?? throw Without("data");
        var money = data.TotalAmount;
        return new ReaderCheckoutState
        {
            CheckoutId = data.CheckoutId,
            ClientTransactionId = data.ClientTransactionId,
            Status = data.Status ?? throw Without("status"),
            PaymentStatus = data.PaymentStatus,
            PaymentFailureReason = data.PaymentFailureReason,
            AmountMinor = money is { Value: { } value, Currency: { } currency, MinorUnit: { } decimals and >= 0 and <= 9 }
                ? SumUpMoney.ToMinor(value, currency, (int)decimals)
                : null,
            Currency = Lower(money?.Currency),
            ReaderSerial = data.ReaderSerialNumber,
            ValidUntil = data.ValidUntil,
            CreatedAt = data.CreatedAt,
            UpdatedAt = data.UpdatedAt,
        };
    }

    /// <summary>Null for an empty list. Of several under one id, that which was paid: money must not be overlooked.</summary>
    public static Transaction? Transaction(ReadOnlySpan<byte> body, TransactionKey key)
    {
        var root = Read(body, SumUpJson.Default.Transaction);
        if (root is { Id: null, Items: { } items })
        {
            var found = items.OfType<Wire.Transaction>().Select(Of).Where(transaction => Fits(transaction, key)).ToList();
            return found.Find(transaction => transaction.IsPaid) ?? found.Find(transaction => !transaction.IsNotPaid) ?? found.FirstOrDefault();
        }

        var one = Of(root);
        return Fits(one, key) ? one : throw new FormatException($"it is about another transaction than {key}");
    }

    public static (List<TransactionHistoryItem> Items, string? Next) History(ReadOnlySpan<byte> body)
    {
        var page = Read(body, SumUpJson.Default.History);
        var next = page.Links?.Find(link => link?.Rel == "next")?.Href;
        return (
            [.. (page.Items ?? throw Without("items")).OfType<Wire.HistoryItem>().Select(Of)],
            next is { Length: > 0 } ? next[(next.IndexOf('?', StringComparison.Ordinal) + 1)..] : null);
    }

    private static Reader Of(Wire.Reader reader) => new()
    {
        Id = reader.Id is { Length: > 0 } id ? id : throw Without("id"),
        Name = reader.Name ?? "",
        Status = reader.Status ?? "unknown",
        Serial = reader.Device?.Identifier,
        Model = reader.Device?.Model,
        CreatedAt = reader.CreatedAt,
        UpdatedAt = reader.UpdatedAt,
    };

    private static Transaction Of(Wire.Transaction wire)
    {
        var currency = Lower(wire.Currency) ?? throw Without("currency");
        return new Transaction
        {
            Id = wire.Id is { Length: > 0 } id ? id : throw Without("id"),
            TransactionCode = wire.TransactionCode,
            AmountMinor = SumUpMoney.ToMinor(wire.Amount ?? throw Without("amount"), currency),
            TipMinor = SumUpMoney.ToMinor(wire.TipAmount ?? 0, currency),
            Currency = currency,
            Status = wire.Status ?? throw Without("status"),
            SimpleStatus = wire.SimpleStatus,
            ClientTransactionId = wire.ClientTransactionId,
            ForeignTransactionId = wire.ForeignTransactionId,
            Timestamp = wire.Timestamp,
            PaymentType = wire.PaymentType,
            EntryMode = wire.EntryMode,
            CardLast4 = wire.Card?.Last4,
            RefundedMinor = Refunded(wire, currency),
        };
    }

    private static TransactionHistoryItem Of(Wire.HistoryItem item)
    {
        var currency = Lower(item.Currency) ?? throw Without("currency");
        return new TransactionHistoryItem
        {
            Id = item.Id ?? item.TransactionId ?? throw Without("id"),
            TransactionId = item.TransactionId,
            ClientTransactionId = item.ClientTransactionId,
            TransactionCode = item.TransactionCode,
            AmountMinor = SumUpMoney.ToMinor(item.Amount ?? throw Without("amount"), currency),
            Currency = currency,
            RefundedMinor = item.RefundedAmount is { } refunded ? SumUpMoney.ToMinor(refunded, currency) : null,
            Timestamp = item.Timestamp,
            Status = item.Status ?? throw Without("status"),
            Type = item.Type,
            PaymentType = item.PaymentType,
            ProductSummary = item.ProductSummary,
        };
    }

    /// <summary>Both lists tell of the same refunds; one of them may be behind.</summary>
    private static long? Refunded(Wire.Transaction wire, string currency)
    {
        var (one, other) = (Sum(wire.Events), Sum(wire.TransactionEvents));
        return one is null || other is null ? one ?? other : Math.Max(one.Value, other.Value);

        long? Sum(List<Wire.Event?>? events)
        {
            var refunds = events?.OfType<Wire.Event>().Where(e => (e.Type ?? e.EventType) == "REFUND" && e.Status != "FAILED").ToList();
            return refunds is null || refunds.Exists(e => e.Amount is null) ? null : refunds.Sum(e => Math.Abs(SumUpMoney.ToMinor(e.Amount!.Value, currency)));
        }
    }

    /// <summary>An id that the answer leaves out contradicts nothing.</summary>
    private static bool Fits(Transaction transaction, TransactionKey key)
    {
        var named = key.Name switch
        {
            "id" => transaction.Id,
            "transaction_code" => transaction.TransactionCode,
            "client_transaction_id" => transaction.ClientTransactionId,
            _ => transaction.ForeignTransactionId,
        };
        return named is null || named == key.Value;
    }

    private static T Read<T>(ReadOnlySpan<byte> body, JsonTypeInfo<T> type) =>
        JsonSerializer.Deserialize(body, type) ?? throw new JsonException("The answer is null.");

    private static string? Lower(string? currency) => currency?.ToLowerInvariant();

    private static FormatException Without(string member) => new($"it has no {member}");
}
