using System.Buffers;
using System.Text.Json;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>A command's answer as one JSON object on one line of stdout. Control characters in it are escaped.</summary>
internal static class AnswerJson
{
    public static async Task WriteAsync(ToolRun run, Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(16_384);
        using (var json = new Utf8JsonWriter(buffer, PlainJson.Writing))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        await using var stdout = run.Context.OpenOutput();
        await stdout.WriteAsync(buffer.WrittenMemory);
    }

    public static void List<T>(this Utf8JsonWriter json, string name, IEnumerable<T> rows, Action<T> members)
    {
        json.WriteStartArray(name);
        foreach (var row in rows)
        {
            json.WriteStartObject();
            members(row);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>A member that is an object, or null.</summary>
    public static void Object<T>(this Utf8JsonWriter json, string name, T? value, Action<T> members)
        where T : class
    {
        if (value is null)
        {
            json.WriteNull(name);
            return;
        }

        json.WriteStartObject(name);
        members(value);
        json.WriteEndObject();
    }

    public static void Members(this Utf8JsonWriter json, params ReadOnlySpan<(string Name, object? Value)> members)
    {
        foreach (var (name, value) in members)
        {
            JsonText.Write(json, name, value);
        }
    }

    /// <summary>JSON of the database, as it is; null when it is none.</summary>
    public static void Raw(this Utf8JsonWriter json, string name, string? text)
    {
        if (text is null)
        {
            json.WriteNull(name);
            return;
        }

        using var document = JsonDocument.Parse(text);
        JsonText.Write(json, name, document.RootElement);
    }
}
