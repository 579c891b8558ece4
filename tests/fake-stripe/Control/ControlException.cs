using System.Globalization;
using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>A control request that cannot be understood: 400 with this sentence.</summary>
internal sealed class ControlException(string message) : Exception(message);

/// <summary>Reading control documents: absent and null are the same.</summary>
internal static class ControlJson
{
    public static string? Text(this JsonElement element, string name) =>
        element.Get(name) is { } value ? value.ToString() : null;

    public static long? Long(this JsonElement element, string name) =>
        element.Get(name) is { } value ? value.GetInt64() : null;

    public static bool? Bool(this JsonElement element, string name) =>
        element.Get(name) is { } value ? value.GetBoolean() : null;

    public static JsonElement? Get(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static IEnumerable<JsonElement> Items(this JsonElement element, string name) =>
        element.Get(name) is { } list ? list.EnumerateArray() : [];

    /// <summary>Unix seconds or ISO 8601.</summary>
    public static long? Moment(this JsonElement element, string name) => element.Get(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } number => number.GetInt64(),
        { } text => DateTimeOffset.Parse(text.GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal).ToUnixTimeSeconds(),
    };

    /// <summary>25h, 90s, 5m, 7d, 250ms.</summary>
    public static TimeSpan Duration(string text)
    {
        var unit = text.TrimStart('-', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
        var number = double.Parse(text.AsSpan(0, text.Length - unit.Length), CultureInfo.InvariantCulture);
        return unit switch
        {
            "ms" => TimeSpan.FromMilliseconds(number),
            "s" => TimeSpan.FromSeconds(number),
            "m" => TimeSpan.FromMinutes(number),
            "h" => TimeSpan.FromHours(number),
            "d" => TimeSpan.FromDays(number),
            _ => throw new ControlException($"'{text}' is not a duration such as 90s, 5m, 25h or 7d"),
        };
    }
}
