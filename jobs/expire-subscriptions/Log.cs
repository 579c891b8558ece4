using Microsoft.Extensions.Logging;

namespace Jobs;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Warning,
        "{Held} lapsed subscriptions are held: autopayment is paused, running, failed or did not run since their period ended, or their renewal notice is still to come")]
    public static partial void LogHeld(this ILogger log, long held);
}
