using Microsoft.Extensions.Logging;

namespace Jobs;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Warning,
        "The last complete run was before {From}: Stripe keeps Events for 30 days, so an older PaymentIntent that succeeded in between is found only by its creation")]
    public static partial void LogEventsGone(this ILogger log, DateTime from);
}
