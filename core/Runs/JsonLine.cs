using System.Globalization;
using System.Text;
using System.Text.Json;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;

namespace Jobs.Runs;

/// <summary>A log event as one JSON object a line: time, level, message, then its properties, then the exception.</summary>
internal sealed class JsonLine : ITextFormatter
{
    private readonly MessageTemplateTextFormatter _message = new("{Message:lj}");

    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, PlainJson.Writing))
        {
            json.WriteStartObject();
            json.WriteString("time", logEvent.Timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("level", logEvent.Level.ToString().ToLowerInvariant());
            var message = new StringWriter();
            _message.Format(logEvent, message);
            json.WriteString("message", message.ToString());
            foreach (var (name, value) in logEvent.Properties)
            {
                json.WriteString(name, Text(value));
            }

            if (logEvent.Exception is { } exception)
            {
                json.WriteString("exception", exception.ToString());
            }

            json.WriteEndObject();
        }

        output.Write(Encoding.UTF8.GetString(buffer.ToArray()));
        output.Write('\n');
    }

    // Of an EventId, its name.
    private static string? Text(LogEventPropertyValue value) => value switch
    {
        ScalarValue scalar => Convert.ToString(scalar.Value, CultureInfo.InvariantCulture),
        StructureValue { Properties: [_, { Name: "Name", Value: ScalarValue { Value: string name } }] } => name,
        _ => value.ToString(null, CultureInfo.InvariantCulture),
    };
}
