using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Schedules;

/// <summary>The forecast as one JSON object on one line.</summary>
internal static class ForecastJson
{
    public static ReadOnlyMemory<byte> Line(Forecast forecast, BusinessZone zone)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, PlainJson.Writing))
        {
            json.WriteStartObject();
            JsonText.Write(json, "command", "next");
            JsonText.Write(json, "time_zone", zone.Id);
            JsonText.Write(json, "from", forecast.From);
            json.WriteStartArray("runs");
            foreach (var (job, at) in forecast.Runs)
            {
                json.WriteStartObject();
                JsonText.Write(json, "job", job.Name);
                JsonText.Write(json, "schedule", job.Schedule);
                JsonText.Write(json, "at", at);
                JsonText.Write(json, "local", zone.OnTheWall(at).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture));
                JsonText.Write(json, "in_seconds", (long)(at - forecast.From).TotalSeconds);
                JsonText.Write(json, "timeout_seconds", (long)job.Timeout.TotalSeconds);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("odd_times");
            foreach (var odd in forecast.OddTimes)
            {
                json.WriteStartObject();
                JsonText.Write(json, "local", odd.Local.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture));
                JsonText.Write(json, "happens", odd.Change.Forward ? "never" : "twice");
                JsonText.Write(json, "clocks_change_at", odd.Change.At);
                json.WriteStartArray("jobs");
                foreach (var job in odd.Jobs)
                {
                    json.WriteStringValue(job);
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenMemory;
    }
}
