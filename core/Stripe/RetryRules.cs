using System.Net;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;

namespace Jobs.Stripe;

/// <summary>
/// When to send again: as Stripe's own libraries do, and more patiently, since nobody waits at a screen. Every send of
/// a call carries the same key and the same bytes, so a repetition never charges twice.
/// </summary>
internal static class RetryRules
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);

    public static ResiliencePipeline<SendResult> Pipeline(StripeClientOptions options, ILogger logger)
    {
        var builder = new ResiliencePipelineBuilder<SendResult> { TimeProvider = options.TimeProvider };
        if (options.MaxAttempts > 1)
            builder.AddRetry(new RetryStrategyOptions<SendResult>
            {
                MaxRetryAttempts = options.MaxAttempts - 1,
                ShouldHandle = static args => ValueTask.FromResult(args.Outcome.Result is { Retry: true }),
                DelayGenerator = args => ValueTask.FromResult<TimeSpan?>(Delay(args.AttemptNumber, args.Outcome.Result?.RetryAfter, options.MaxDelay)),
                OnRetry = args =>
                {
                    logger.LogInformation(
                        "Stripe call is sent again in {DelayMs:0} ms ({Attempt} of {MaxAttempts} sends made): {Reason}",
                        args.RetryDelay.TotalMilliseconds,
                        args.AttemptNumber + 1,
                        options.MaxAttempts,
                        args.Outcome.Result?.Error?.Message);
                    return ValueTask.CompletedTask;
                },
            });
        return builder.Build();
    }

    /// <summary>
    /// Stripe's word (<c>Stripe-Should-Retry</c>) first. Otherwise a busy key or object, a rate limit and a server's failure
    /// pass; everything else would be answered the same again.
    /// </summary>
    public static bool ShouldRetry(HttpResponseMessage response, StripeError? error)
    {
        if (response.Headers.TryGetValues("Stripe-Should-Retry", out var said))
        {
            var word = said.FirstOrDefault();
            if (word is "true" or "false")
                return word == "true";
        }

        return response.StatusCode is HttpStatusCode.Conflict or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError
            || error?.Code == StripeErrorCode.RateLimit;
    }

    /// <summary>Full jitter, so that jobs that failed together do not come back together; never sooner than asked for.</summary>
    private static TimeSpan Delay(int retry, TimeSpan? retryAfter, TimeSpan max)
    {
        var ceiling = Math.Min(FirstDelay.TotalSeconds * Math.Pow(2, Math.Min(retry, 30)), max.TotalSeconds);
#pragma warning disable CA5394 // Spreads load; nothing secret depends on it.
        var delay = TimeSpan.FromSeconds(ceiling * Random.Shared.NextDouble());
#pragma warning restore CA5394
        if (retryAfter > delay)
            delay = retryAfter.Value;
        return delay < max ? delay : max;
    }
}
