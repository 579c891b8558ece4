using System.Text.Json;
using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>
/// Answers are read by one rule: a required member is strict, since a wrong amount must never pass for a right one;
/// an optional one that is missing, null or of another shape reads as absent.
/// </summary>
[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true,
    MaxDepth = 64,
    Converters =
    [
        typeof(TolerantStringConverter), typeof(TolerantInt64Converter), typeof(UnixSecondsConverter),
        typeof(TolerantUnixSecondsConverter), typeof(MetadataConverter),
    ])]
[JsonSerializable(typeof(StripeErrorEnvelope))]
[JsonSerializable(typeof(PaymentIntent))]
[JsonSerializable(typeof(Customer))]
[JsonSerializable(typeof(PaymentMethod))]
[JsonSerializable(typeof(Charge))]
[JsonSerializable(typeof(Subscription))]
[JsonSerializable(typeof(Invoice))]
[JsonSerializable(typeof(InvoicePayment))]
[JsonSerializable(typeof(Event))]
[JsonSerializable(typeof(CheckoutSession))]
[JsonSerializable(typeof(StripeList<PaymentIntent>), TypeInfoPropertyName = "PaymentIntents")]
[JsonSerializable(typeof(StripeList<PaymentMethod>), TypeInfoPropertyName = "PaymentMethods")]
[JsonSerializable(typeof(StripeList<InvoicePayment>), TypeInfoPropertyName = "InvoicePayments")]
[JsonSerializable(typeof(StripeList<InvoiceLineItem>), TypeInfoPropertyName = "InvoiceLineItems")]
[JsonSerializable(typeof(StripeList<Event>), TypeInfoPropertyName = "Events")]
[JsonSerializable(typeof(StripeList<CheckoutSession>), TypeInfoPropertyName = "CheckoutSessions")]
[JsonSerializable(typeof(StripeList<Subscription>), TypeInfoPropertyName = "Subscriptions")]
[JsonSerializable(typeof(StripeList<SubscriptionItem>), TypeInfoPropertyName = "SubscriptionItems")]
[JsonSerializable(typeof(StripeList<Refund>), TypeInfoPropertyName = "Refunds")]
[JsonSerializable(typeof(StripeList<Dispute>), TypeInfoPropertyName = "Disputes")]
internal sealed partial class StripeJson : JsonSerializerContext;

/// <summary>Text; any other shape reads as absent.</summary>
internal sealed class TolerantStringConverter : ReadOnlyConverter<string?>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = Tolerant.ReadText(ref reader);
        reader.Skip();
        return text;
    }
}

/// <summary>A whole number; any other shape reads as absent.</summary>
internal sealed class TolerantInt64Converter : ReadOnlyConverter<long?>
{
    public override long? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var value))
            return value;
        reader.Skip();
        return null;
    }
}

/// <summary>An optional amount in minor units; any other shape reads as zero.</summary>
internal sealed class TolerantAmountConverter : ReadOnlyConverter<long>
{
    public override long Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var value))
            return value;
        reader.Skip();
        return 0;
    }
}

/// <summary>True or not.</summary>
internal sealed class TolerantFlagConverter : ReadOnlyConverter<bool>
{
    public override bool Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var value = reader.TokenType == JsonTokenType.True;
        reader.Skip();
        return value;
    }
}

internal sealed class UnixSecondsConverter : ReadOnlyConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        TryRead(ref reader) ?? throw new JsonException("Not a time in unix seconds.");

    internal static DateTimeOffset? TryRead(ref Utf8JsonReader reader)
    {
        const long latest = 253_402_300_799; // the end of year 9999
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var seconds) && seconds is >= 0 and <= latest)
            return DateTimeOffset.FromUnixTimeSeconds(seconds);
        return null;
    }
}

internal sealed class TolerantUnixSecondsConverter : ReadOnlyConverter<DateTimeOffset?>
{
    public override DateTimeOffset? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var value = UnixSecondsConverter.TryRead(ref reader);
        reader.Skip();
        return value;
    }
}

/// <summary>Key to text; anything but an object is empty, values that are not text are left out.</summary>
internal sealed class MetadataConverter : ReadOnlyConverter<IReadOnlyDictionary<string, string>>
{
    public static readonly IReadOnlyDictionary<string, string> None = new Dictionary<string, string>();

    public override bool HandleNull => true;

    public override IReadOnlyDictionary<string, string> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return None;
        }

        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            if (Tolerant.ReadText(ref reader) is { } value)
                metadata[key] = value;
            reader.Skip();
        }

        return metadata;
    }
}

internal abstract class ReadOnlyConverter<T> : JsonConverter<T>
{
    public sealed override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Answers are only read.");
}
