using Microsoft.Extensions.Logging;

namespace Jobs;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Information, "{Url}: {Bytes} bytes dumped in {Seconds} s")]
    public static partial void LogDumped(this ILogger log, string url, long bytes, double seconds);

    [LoggerMessage(LogLevel.Information, "{Name} is verified: restored in {Seconds} s, {Rows} rows in {Tables} tables counted")]
    public static partial void LogVerified(this ILogger log, string name, double seconds, long rows, int tables);

    [LoggerMessage(LogLevel.Warning, "The database itself breaks a promise, and so does its backup: {Promise} ({Count} times); see jobctl doctor")]
    public static partial void LogBroken(this ILogger log, string promise, long count);

    [LoggerMessage(LogLevel.Warning, "Reading {Url} back failed ({Reason}); again")]
    public static partial void LogReadAgain(this ILogger log, string url, string reason);

    [LoggerMessage(LogLevel.Warning, "{Url} has no manifest and is left alone; it may be a backup whose manifest was removed by hand")]
    public static partial void LogOrphan(this ILogger log, string url);

    [LoggerMessage(LogLevel.Warning, "{Database}, left behind by a run that was killed, cannot be dropped now ({Reason}); the next run tries again")]
    public static partial void LogNotDropped(this ILogger log, string database, string reason);

    [LoggerMessage(LogLevel.Warning, "That {Name} was looked at is not in the database's table of backups: {Reason}")]
    public static partial void LogNotRecorded(this ILogger log, string name, string reason);

    [LoggerMessage(LogLevel.Warning, "{Database} was restored from {Name}: {Jobs} are paused in it; resume them when match-successful-payments has caught up")]
    public static partial void LogPaused(this ILogger log, string database, string name, string jobs);
}
