using Microsoft.Extensions.Logging;

namespace Jobs;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Error,
        "{Count} audit logs stay: their ids stand in audit_log_archive with another content (a database restored in part?); compare the two, then delete one of each")]
    public static partial void LogOther(this ILogger log, long count);

    [LoggerMessage(LogLevel.Warning, "The export to {Url} was begun under another ARCHIVE_URL and is given up; no row was deleted, and the file there, if any, is not needed")]
    public static partial void LogGivenUp(this ILogger log, string url);

    [LoggerMessage(LogLevel.Warning, "{Url} is not there any more and is written anew; no row was deleted yet")]
    public static partial void LogWrittenAnew(this ILogger log, string url);

    [LoggerMessage(LogLevel.Warning, "Reading {Url} back failed ({Reason}); again")]
    public static partial void LogReadAgain(this ILogger log, string url, string reason);
}
