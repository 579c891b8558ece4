using System.Text.Json.Serialization;
using Jobs.Stripe;

namespace Jobs.SumUp;

/// <summary>SumUp's shapes, named as it names them.</summary>
internal static class Wire
{
    internal sealed class ReaderList
    {
        public List<Reader?>? Items { get; init; }
    }

    internal sealed class Reader
    {
        public string? Id { get; init; }
        public string? Name { get; init; }
        public string? Status { get; init; }

        [JsonConverter(typeof(TolerantObjectConverter<Device>))]
        public Device? Device { get; init; }

        public DateTimeOffset? CreatedAt { get; init; }
        public DateTimeOffset? UpdatedAt { get; init; }
    }

    internal sealed class Device
    {
        public string? Identifier { get; init; }
        public string? Model { get; init; }
    }

    internal sealed class Status
    {
        public StatusData? Data { get; init; }
    }

    internal sealed class StatusData
    {
        [JsonPropertyName("status")]
        public string? Word { get; init; }

        public string? State { get; init; }
        public DateTimeOffset? LastActivity { get; init; }
        public string? FirmwareVersion { get; init; }
        public string? ConnectionType { get; init; }
        public decimal? BatteryLevel { get; init; }
    }

    /// <summary>The ids are under data, or, as older texts have it, at the root.</summary>
    internal sealed class Checkout
    {
        [JsonConverter(typeof(TolerantObjectConverter<Checkout>))]
        public Checkout? Data { get; init; }

        public string? ClientTransactionId { get; init; }
        public string? CheckoutId { get; init; }
    }

    internal sealed class CheckoutState
    {
        public CheckoutStateData? Data { get; init; }
    }

    internal sealed class CheckoutStateData
    {
        public string? CheckoutId { get; init; }
        public string? ClientTransactionId { get; init; }
        public string? Status { get; init; }
        public string? PaymentStatus { get; init; }
        public string? PaymentFailureReason { get; init; }
        public string? ReaderSerialNumber { get; init; }
        public DateTimeOffset? ValidUntil { get; init; }
        public DateTimeOffset? CreatedAt { get; init; }
        public DateTimeOffset? UpdatedAt { get; init; }

        [JsonConverter(typeof(TolerantObjectConverter<Money>))]
        public Money? TotalAmount { get; init; }
    }

    internal sealed class Money
    {
        public long? Value { get; init; }
        public string? Currency { get; init; }
        public long? MinorUnit { get; init; }
    }

    internal sealed class Transaction
    {
        public string? Id { get; init; }
        public string? TransactionCode { get; init; }
        public decimal? Amount { get; init; }
        public decimal? TipAmount { get; init; }
        public string? Currency { get; init; }
        public string? Status { get; init; }
        public string? SimpleStatus { get; init; }
        public string? ClientTransactionId { get; init; }
        public string? ForeignTransactionId { get; init; }
        public DateTimeOffset? Timestamp { get; init; }
        public string? PaymentType { get; init; }
        public string? EntryMode { get; init; }

        [JsonConverter(typeof(TolerantObjectConverter<Card>))]
        public Card? Card { get; init; }

        public List<Event?>? Events { get; init; }
        public List<Event?>? TransactionEvents { get; init; }

        /// <summary>Some have seen a lookup answered with a list.</summary>
        public List<Transaction?>? Items { get; init; }
    }

    internal sealed class Card
    {
        [JsonPropertyName("last_4_digits")]
        public string? Last4 { get; init; }
    }

    /// <summary>In one of a transaction's two lists the type is <c>type</c>, in the other <c>event_type</c>.</summary>
    internal sealed class Event
    {
        public string? Type { get; init; }
        public string? EventType { get; init; }
        public string? Status { get; init; }
        public decimal? Amount { get; init; }
    }

    internal sealed class History
    {
        public List<HistoryItem?>? Items { get; init; }
        public List<Link?>? Links { get; init; }
    }

    internal sealed class HistoryItem
    {
        public string? Id { get; init; }
        public string? TransactionId { get; init; }
        public string? ClientTransactionId { get; init; }
        public string? TransactionCode { get; init; }
        public decimal? Amount { get; init; }
        public decimal? RefundedAmount { get; init; }
        public string? Currency { get; init; }
        public DateTimeOffset? Timestamp { get; init; }
        public string? Status { get; init; }
        public string? Type { get; init; }
        public string? PaymentType { get; init; }
        public string? ProductSummary { get; init; }
    }

    internal sealed class Link
    {
        public string? Rel { get; init; }
        public string? Href { get; init; }
    }
}
