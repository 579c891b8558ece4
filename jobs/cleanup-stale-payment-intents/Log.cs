using Microsoft.Extensions.Logging;

namespace Jobs;

internal static partial class Log
{
    [LoggerMessage(LogLevel.Information, "PaymentIntent {IntentId} is {Status} and left: {Reason}")]
    public static partial void LogLeft(this ILogger log, string intentId, string status, string reason);
}
