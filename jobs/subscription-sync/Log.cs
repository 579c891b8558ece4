using Microsoft.Extensions.Logging;

namespace Jobs;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Warning, "Stripe subscription {SubscriptionId} is not created here: {Reason}")]
    public static partial void LogNotCreated(this ILogger log, string subscriptionId, string reason);

    [LoggerMessage(LogLevel.Warning, "Stripe subscription {SubscriptionId} keeps what it has here: {Reason}")]
    public static partial void LogKept(this ILogger log, string subscriptionId, string reason);

    [LoggerMessage(LogLevel.Warning,
        "The last complete run was before {From}: Stripe keeps Events for 30 days, so run subscription-sync once without --since-cursor")]
    public static partial void LogEventsGone(this ILogger log, DateTime from);
}
