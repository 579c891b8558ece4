using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Jobs.Stripe;

namespace Jobs.SumUp;

/// <summary>Answers as they come: any member may be missing, null or of another shape, and reads as absent then. What must be there is demanded where it is used.</summary>
[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    MaxDepth = 64,
    Converters = [typeof(TolerantStringConverter), typeof(TolerantInt64Converter), typeof(TolerantDecimalConverter), typeof(TolerantTimeConverter)])]
[JsonSerializable(typeof(Wire.ReaderList))]
[JsonSerializable(typeof(Wire.Reader))]
[JsonSerializable(typeof(Wire.Status))]
[JsonSerializable(typeof(Wire.Checkout))]
[JsonSerializable(typeof(Wire.CheckoutState))]
[JsonSerializable(typeof(Wire.Transaction))]
[JsonSerializable(typeof(Wire.History))]
internal sealed partial class SumUpJson : JsonSerializerContext;

/// <summary>A number, or text that is one; any other shape reads as absent.</summary>
internal sealed class TolerantDecimalConverter : ReadOnlyConverter<decimal?>
{
    public override decimal? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetDecimal(out var number))
            return number;
        if (Tolerant.ReadText(ref reader) is { } text && decimal.TryParse(text, NumberStyles.Number & ~NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out var written))
            return written;
        reader.Skip();
        return null;
    }
}

/// <summary>A moment with its offset, UTC where none is named; any other shape reads as absent.</summary>
internal sealed class TolerantTimeConverter : ReadOnlyConverter<DateTimeOffset?>
{
    public override DateTimeOffset? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = Tolerant.ReadText(ref reader);
        reader.Skip();
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time.ToUniversalTime() : null;
    }
}
