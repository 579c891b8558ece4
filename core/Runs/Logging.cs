using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;

namespace Jobs.Runs;

/// <summary>Logs on stderr: text on a terminal, one JSON object a line otherwise, secrets struck out of both.</summary>
internal static class Logging
{
    public static Logger Create(string job, Guid run, Settings settings, Redaction redaction, ProgramContext context)
    {
        var form = new RedactingFormatter(
            context.ErrorIsTerminal
                ? new MessageTemplateTextFormatter("{Timestamp:HH:mm:ss} {Level:u3} {Message:lj}{NewLine}{Exception}")
                : new JsonLine(),
            redaction);
        var log = new LoggerConfiguration()
            .MinimumLevel.Is(Level(settings))
            .Enrich.WithProperty("job", job)
            .Enrich.WithProperty("run_id", run);
        if (!context.OwnsProcess)
        {
            return log.WriteTo.Sink(new WriterSink(form, context.Error)).CreateLogger();
        }

        WriteLinesWhole();
        return log.WriteTo.Console(form, standardErrorFromLevel: LogEventLevel.Verbose).CreateLogger();
    }

    /// <summary>
    /// A line of up to 8,192 characters is one write: no kill leaves half of one, and no other process that appends to the same file
    /// comes between. The console's own writer passes on 256 at a time.
    /// </summary>
    private static void WriteLinesWhole() =>
        Console.SetError(new StreamWriter(Console.OpenStandardError(), Console.Error.Encoding, bufferSize: 8192) { AutoFlush = true });

    private static LogEventLevel Level(Settings settings) => settings.Optional("LOG_LEVEL")?.ToUpperInvariant() switch
    {
        null or "INFO" or "INFORMATION" => LogEventLevel.Information,
        "TRACE" or "VERBOSE" => LogEventLevel.Verbose,
        "DEBUG" => LogEventLevel.Debug,
        "WARN" or "WARNING" => LogEventLevel.Warning,
        "ERROR" => LogEventLevel.Error,
        "FATAL" or "CRITICAL" => LogEventLevel.Fatal,
        _ => throw new OperatorException(
            $"LOG_LEVEL must be one of trace, debug, info, warning, error or critical, not '{settings.Optional("LOG_LEVEL")}'"),
    };

    /// <summary>Stands for the console where the process is not the program's own.</summary>
    private sealed class WriterSink(ITextFormatter form, TextWriter writer) : ILogEventSink
    {
        public void Emit(LogEvent logEvent) => form.Format(logEvent, writer);
    }

    private sealed class RedactingFormatter(ITextFormatter inner, Redaction redaction) : ITextFormatter
    {
        public void Format(LogEvent logEvent, TextWriter output)
        {
            var line = new StringWriter();
            inner.Format(logEvent, line);
            output.Write(redaction.Strike(line.ToString()));
        }
    }
}
