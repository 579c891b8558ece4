using Microsoft.Extensions.Logging;

namespace Jobs;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Warning, "Unusual on {Date}: {Kind} is {Value}, expected {Expected}")]
    public static partial void LogAnomaly(this ILogger log, string date, string kind, long value, long expected);
}
