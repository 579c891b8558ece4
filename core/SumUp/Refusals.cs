using System.Net;
using System.Text.Json;

namespace Jobs.SumUp;

/// <summary>
/// SumUp's three families of errors, judged by the HTTP status first and a type second, never by the text: legacy
/// <c>{errors:{type, detail}}</c> or a map of fields, problems of RFC 9457, and <c>{error_code, message}</c>.
/// </summary>
internal static class Refusals
{
    /// <param name="Type">SumUp's word for it.</param>
    /// <param name="Text">For people only.</param>
    /// <param name="Fields">It names the fields that it does not like.</param>
    internal readonly record struct Said(string? Type, string? Text, bool Fields);

    public static SumUpErrorKind Kind(HttpStatusCode status, Said said) => (int)status switch
    {
        400 when Is(said, "INVALID_BEARER_TOKEN") => SumUpErrorKind.Unauthorized,
        401 => SumUpErrorKind.Unauthorized,
        403 => SumUpErrorKind.Forbidden,
        404 => SumUpErrorKind.NotFound,
        408 or >= 500 => SumUpErrorKind.Unavailable,
        409 => SumUpErrorKind.Conflict,
        422 when Is(said, "READER_BUSY") => SumUpErrorKind.ReaderBusy,
        422 when Is(said, "READER_OFFLINE") => SumUpErrorKind.ReaderOffline,
        422 when said.Fields || Is(said, "VALIDATION_ERROR") => SumUpErrorKind.InvalidRequest,
        422 => SumUpErrorKind.Unprocessable,
        429 => SumUpErrorKind.RateLimited,
        >= 400 => SumUpErrorKind.InvalidRequest,
        _ => SumUpErrorKind.NoAnswer,
    };

    /// <summary>Of a write: these say that it was refused before anything was done; every other answer leaves it open.</summary>
    public static bool SurelyDidNothing(HttpStatusCode status) => (int)status is >= 400 and < 500 and not (408 or 409 or 499);

    public static Said Read(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return default;
            if (root.TryGetProperty("errors", out var errors) && errors.ValueKind == JsonValueKind.Object)
                return Legacy(errors);
            return Text(root, "error_code") is { } code
                ? new Said(code, Text(root, "message") ?? Text(root, "error_message"), Fields: false)
                : new Said(Text(root, "type")?.Split('/')[^1], Text(root, "detail") ?? Text(root, "title") ?? Text(root, "message"), Fields: false);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static Said Legacy(JsonElement errors)
    {
        var fields = errors.EnumerateObject().Where(member => member.Name is not ("type" or "detail")).Select(member => $"{member.Name} {member.Value}").ToList();
        return new Said(Text(errors, "type"), Text(errors, "detail") ?? (fields.Count > 0 ? string.Join("; ", fields) : null), fields.Count > 0);
    }

    /// <summary><c>READER_BUSY</c> and <c>reader-busy</c> are one.</summary>
    private static bool Is(Said said, string type) => string.Equals(said.Type?.Replace('-', '_'), type, StringComparison.OrdinalIgnoreCase);

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text ? text : null;
}
