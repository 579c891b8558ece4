using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Jobs.Database;

/// <summary>Small JSON objects for jsonb columns and results, without reflection.</summary>
public static class JsonText
{
    public static string Of(params ReadOnlySpan<(string Name, object? Value)> members)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (name, value) in members)
            {
                Write(json, name, value);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>Instants in ISO 8601 UTC, dates as yyyy-MM-dd, numbers, booleans, text maps and JSON as such, the rest as text.</summary>
    public static void Write(Utf8JsonWriter json, string name, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNull(name);
                break;
            case bool flag:
                json.WriteBoolean(name, flag);
                break;
            case int or long or short:
                json.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case DateTime instant:
                json.WriteString(name, instant.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture));
                break;
            case DateOnly date:
                json.WriteString(name, date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
                break;
            case IReadOnlyDictionary<string, string> texts:
                json.WriteStartObject(name);
                foreach (var (key, text) in texts)
                {
                    json.WriteString(key, text);
                }

                json.WriteEndObject();
                break;
            case JsonElement element:
                json.WritePropertyName(name);
                element.WriteTo(json);
                break;
            default:
                json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }
}
