using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Jobs.Stripe;

/// <summary>A reference that Stripe sends as an id or, expanded, as the object; a deleted object is an id only.</summary>
public sealed class ExpandableField<T>
    where T : class
{
    public required string Id { get; init; }

    /// <summary>Null unless expanded and readable.</summary>
    public T? Object { get; init; }

    public bool Deleted { get; init; }

    public override string ToString() => Id;
}

internal sealed class ExpandableFieldConverter<T> : JsonConverter<ExpandableField<T>>
    where T : class
{
    public override ExpandableField<T>? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return Tolerant.ReadText(ref reader) is { Length: > 0 } id ? new ExpandableField<T> { Id = id } : null;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return null;
        }

        var (objectId, deleted) = Peek(reader);
        var value = Tolerant.ReadObject<T>(ref reader, options);
        return objectId is null ? null : new ExpandableField<T> { Id = objectId, Object = deleted ? null : value, Deleted = deleted };
    }

    public override void Write(Utf8JsonWriter writer, ExpandableField<T> value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Answers are only read.");

    private static (string? Id, bool Deleted) Peek(Utf8JsonReader reader)
    {
        string? id = null;
        var deleted = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isId = reader.ValueTextEquals("id"u8);
            var isDeleted = reader.ValueTextEquals("deleted"u8);
            reader.Read();
            if (isId)
                id = Tolerant.ReadText(ref reader);
            if (isDeleted)
                deleted = reader.TokenType == JsonTokenType.True;
            reader.Skip();
        }

        return (string.IsNullOrEmpty(id) ? null : id, deleted);
    }
}

/// <summary>An optional object: anything else than a readable one is null.</summary>
internal sealed class TolerantObjectConverter<T> : JsonConverter<T>
    where T : class
{
    public override T? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Tolerant.ReadObject<T>(ref reader, options);

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Answers are only read.");
}

internal static class Tolerant
{
    // Stripe's ids are at most 255 characters, its texts a few hundred; more than 2,704 bytes PostgreSQL takes into no index.
    private const int MaxBytes = 2500;

    /// <summary>Null for what is not text, half a surrogate pair included, and for text that no column could keep: with a NUL, or far too long.</summary>
    public static string? ReadText(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.TokenType == JsonTokenType.String && reader.GetString() is { } text && !text.Contains('\0') && Encoding.UTF8.GetByteCount(text) <= MaxBytes
                ? text : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Leaves the reader at the value's end in every case; text that is not JSON at all, or too deep, still throws.</summary>
    public static T? ReadObject<T>(ref Utf8JsonReader reader, JsonSerializerOptions options)
        where T : class
    {
        var start = reader;
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            try
            {
                return JsonSerializer.Deserialize(ref reader, (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T)));
            }
            catch (JsonException)
            {
                reader = start;
            }
        }

        reader.Skip();
        return null;
    }
}
