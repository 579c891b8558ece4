using Microsoft.Extensions.Logging;

namespace Jobs.Billing;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Warning, "{Waiting} unmatched payments wait and nobody was told: set STAFF_EMAIL")]
    public static partial void LogStaffMissing(this ILogger log, long waiting);

    [LoggerMessage(LogLevel.Warning, "PaymentIntent {IntentId} is parked as {Reason}")]
    public static partial void LogParked(this ILogger log, string intentId, string reason);

    [LoggerMessage(LogLevel.Warning, "{IntentId} could not be ended, although it is open: {Reason}")]
    public static partial void LogNotEnded(this ILogger log, string intentId, string reason);

    [LoggerMessage(LogLevel.Information, "Payment {PaymentId} succeeded ({IntentId}), receipt {Receipt}")]
    public static partial void LogFulfilled(this ILogger log, long paymentId, string intentId, string receipt);
}
