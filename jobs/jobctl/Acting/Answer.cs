using System.Buffers;
using System.Text.Json;
using Jobs.Counter;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Acting;

/// <summary>What a command did, as sentences or as one JSON object.</summary>
/// <param name="Outcome">For programs; <c>unchanged</c>: done before.</param>
/// <param name="Sentence">For people.</param>
internal sealed record Answer(string Outcome, string Sentence)
{
    /// <summary>What follows from it, or was said on the way.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Further members of the JSON object.</summary>
    public IReadOnlyList<(string Name, object? Value)> Fields { get; init; } = [];

    public async Task PrintAsync(ToolRun run, string command)
    {
        if (run.Output == OutputFormat.Json)
        {
            await WriteAsync(run, json =>
            {
                JsonText.Write(json, "command", command);
                JsonText.Write(json, "outcome", Outcome);
                JsonText.Write(json, "dry_run", run.Get(Act.DryRun));
                foreach (var (name, value) in Fields)
                {
                    JsonText.Write(json, name, value);
                }

                JsonText.Write(json, "message", Sentence);
                json.WriteStartArray("notes");
                foreach (var note in Notes)
                {
                    json.WriteStringValue(note);
                }

                json.WriteEndArray();
            });
            return;
        }

        await run.Context.Output.WriteLineAsync(Words.Clean(Sentence));
        foreach (var note in Notes)
        {
            await run.Context.Output.WriteLineAsync($"  {Words.Clean(note)}");
        }
    }

    /// <summary>One object on one line of stdout.</summary>
    public static async Task WriteAsync(ToolRun run, Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
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
}
