using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Jobs.Database;

namespace Jobs.Runs;

public enum RunStatus
{
    Succeeded,
    Skipped,
    Failed,
    Interrupted,
}

/// <summary>
/// The result on stdout: a short summary, or exactly one JSON object. Items are written as they come, never held.
/// </summary>
/// <param name="stdout">Closed with this.</param>
/// <param name="itemLines">Text, too, tells of each item, on a line of its own before the summary.</param>
internal sealed class RunResult(Stream stdout, string job, OutputFormat format, bool items, bool itemLines = false) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private Utf8JsonWriter? _json;
    private bool _inItems;
    private bool _finished;

    public Guid? RunId { get; set; }
    public DateTime? AsOf { get; set; }
    public bool DryRun { get; set; }
    public Shard Shard { get; set; } = Shard.All;
    public DateTime? StartedAt { get; set; }

    /// <summary>Why stdout did not take the result: a full disk, a closed pipe. The work goes on regardless.</summary>
    public string? Undelivered { get; private set; }

    public bool WantsItems => items && format == OutputFormat.Json;

    public void Item(string id, string outcome, ReadOnlySpan<(string Name, object? Value)> fields)
    {
        if (!WantsItems)
        {
            if (itemLines && format == OutputFormat.Text)
            {
                Tell(id, outcome, fields);
            }

            return;
        }

        lock (_lock)
        {
            var json = Begin();
            json.WriteStartObject();
            WriteId(json, id);
            json.WriteString("outcome", outcome);
            foreach (var (name, value) in fields)
            {
                JsonText.Write(json, name, value);
            }

            json.WriteEndObject();
            if (json.BytesPending > 16_384)
            {
                json.Flush();
                Deliver();
            }
        }
    }

    private void Tell(string id, string outcome, ReadOnlySpan<(string Name, object? Value)> fields)
    {
        var line = $"{id}: {outcome}";
        foreach (var (name, value) in fields)
        {
            if (value is not null)
            {
                line += $", {name.Replace('_', ' ')} {Text(value)}";
            }
        }

        lock (_lock)
        {
            _buffer.Write(System.Text.Encoding.UTF8.GetBytes(string.Concat(line.Select(c => char.IsControl(c) ? ' ' : c)) + "\n"));
        }
    }

    private static string? Text(object value) => value switch
    {
        bool flag => flag ? "yes" : "no",
        DateOnly date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        DateTime instant => instant.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture),
    };

    /// <summary>Says how the run ended; only the first call counts.</summary>
    public void Finish(RunStatus status, TimeSpan duration, Counters counters, string? error)
    {
        lock (_lock)
        {
            if (_finished)
            {
                return;
            }

            _finished = true;
            if (format == OutputFormat.Json)
            {
                FinishJson(status, duration, counters, error);
            }
            else
            {
                FinishText(status, duration, counters, error);
            }
        }
    }

    private void FinishJson(RunStatus status, TimeSpan duration, Counters counters, string? error)
    {
        var json = Begin();
        if (_inItems)
        {
            json.WriteEndArray();
        }

        json.WriteString("status", Text(status));
        json.WriteNumber("duration_ms", (long)duration.TotalMilliseconds);
        json.WriteStartObject("counters");
        foreach (var (name, value) in counters.Snapshot())
        {
            json.WriteNumber(name, value);
        }

        json.WriteEndObject();
        if (error is not null)
        {
            json.WriteString("error", error);
        }

        json.WriteEndObject();
        json.Flush();
        _buffer.Write("\n"u8);
        Deliver();
    }

    private void FinishText(RunStatus status, TimeSpan duration, Counters counters, string? error)
    {
        _buffer.Write(System.Text.Encoding.UTF8.GetBytes(Line(status, duration, counters, error) + "\n"));
        Deliver();
    }

    /// <summary>The run in one line.</summary>
    public string Line(RunStatus status, TimeSpan duration, Counters counters, string? error)
    {
        var counts = string.Join(", ", counters.Snapshot().Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Value} {c.Key.Replace('_', ' ')}")));
        var what = DryRun ? $"{Text(status)} (dry run, nothing written)" : Text(status);
        var line = string.Create(CultureInfo.InvariantCulture, $"{job}: {what} in {duration.TotalSeconds:0.0} s{(counts.Length > 0 ? ": " : "")}{counts}");
        return error is null ? line : $"{line} - {error}";
    }

    private void Deliver()
    {
        try
        {
            stdout.Write(_buffer.WrittenSpan);
            stdout.Flush();
        }
        catch (IOException e)
        {
            Undelivered ??= e.Message;
        }

        _buffer.ResetWrittenCount();
    }

    private Utf8JsonWriter Begin()
    {
        if (_json is null)
        {
            _json = new Utf8JsonWriter(_buffer, PlainJson.Writing);
            _json.WriteStartObject();
            _json.WriteString("job", job);
            JsonText.Write(_json, "run_id", RunId?.ToString());
            JsonText.Write(_json, "as_of", AsOf);
            _json.WriteBoolean("dry_run", DryRun);
            JsonText.Write(_json, "shard", Shard.IsAll ? null : Shard.ToString());
            JsonText.Write(_json, "started_at", StartedAt);
            if (WantsItems)
            {
                _json.WriteStartArray("items");
                _inItems = true;
            }
        }

        return _json;
    }

    internal static string Text(RunStatus status) => status switch
    {
        RunStatus.Succeeded => "succeeded",
        RunStatus.Skipped => "skipped",
        RunStatus.Interrupted => "interrupted",
        _ => "failed",
    };

    private static void WriteId(Utf8JsonWriter json, string id)
    {
        if (long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            json.WriteNumber("id", number);
        }
        else
        {
            json.WriteString("id", id);
        }
    }

    public void Dispose()
    {
        _json?.Dispose();
        stdout.Dispose();
    }
}
