using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;
using Jobs.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Polly;

namespace Jobs.Stripe;

/// <summary>Calls and their sends: paced, retried with the same key and the same bytes, bounded in time and size.</summary>
internal sealed class StripeTransport : IDisposable
{
    private readonly StripeClientOptions options;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly HttpClient http;
    private readonly TokenBucket pace;
    private readonly AnswerReader answers;
    private readonly ResiliencePipeline<SendResult> retries;
    private readonly bool realNetwork;

    public StripeTransport(StripeClientOptions options, HttpMessageHandler? handler, ILogger? logger)
    {
        this.options = options;
        this.logger = logger ?? NullLogger.Instance;
        time = options.TimeProvider;
        realNetwork = handler is null;
        http = new HttpClient(handler ?? NewHandler(), disposeHandler: true) { BaseAddress = options.ApiBase, Timeout = Timeout.InfiniteTimeSpan };
        pace = new TokenBucket(options.MaxRequestsPerSecond, time);
        answers = new AnswerReader(options.SecretKey, time);
        retries = RetryRules.Pipeline(options, this.logger);
    }

    public Task<StripeResponse<T>> GetAsync<T>(string path, IReadOnlyList<string> expand, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        var query = new FormWriter().AddList("expand", expand).ToString();
        return CallAsync(new StripeCall(HttpMethod.Get, path, query, null, default, time), type, cancellationToken);
    }

    public Task<StripeResponse<T>> PostAsync<T>(string path, FormBody body, IdempotencyKey key, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(body);
        if (key.Value is null)
            throw new ArgumentException("A write needs an idempotency key; default(IdempotencyKey) is none.", nameof(key));
        if (options.ReadOnly)
            throw new InvalidOperationException($"POST {path} was not sent: the client is read-only (dry run).");
        return CallAsync(new StripeCall(HttpMethod.Post, path, "", body, key, time), type, cancellationToken);
    }

    public IAsyncEnumerable<T> ListAsync<T>(string path, ListOptions list, JsonTypeInfo<StripeList<T>> type, CancellationToken cancellationToken)
        where T : IHasId =>
        list.Parallel > 1
            ? new ParallelList<T>(path, list, (created, after, token) => PageAsync(path, list.ToQuery(after, created), type, token)).ReadAsync(cancellationToken)
            : PagesAsync(path, list, type, cancellationToken);

    private async IAsyncEnumerable<T> PagesAsync<T>(
        string path, ListOptions list, JsonTypeInfo<StripeList<T>> type, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : IHasId
    {
        var cursor = list.StartingAfter;
        while (true)
        {
            var page = await PageAsync(path, list.ToQuery(cursor), type, cancellationToken);
            foreach (var item in page.Data)
                yield return item;
            if (!page.HasMore)
                yield break;
            cursor = page.NextCursor(path, cursor);
        }
    }

    private async Task<StripeList<T>> PageAsync<T>(string path, string query, JsonTypeInfo<StripeList<T>> type, CancellationToken cancellationToken) =>
        (await CallAsync(new StripeCall(HttpMethod.Get, path, query, null, default, time), type, cancellationToken)).Value;

    public void Dispose()
    {
        http.Dispose();
        pace.Dispose();
    }

    private async Task<StripeResponse<T>> CallAsync<T>(StripeCall call, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var span = Spans.Call(call);
        SendResult result;
        try
        {
            result = await retries.ExecuteAsync(
                static (send, token) => send.Self.SendAsync(send.Call, send.Type, token),
                (Self: this, Call: call, Type: (JsonTypeInfo)type),
                cancellationToken);
        }
        catch (Exception e) when (call.InDoubt && e is not IdempotencyKeyExpiredException)
        {
            throw new StripeException($"{call.Name} was given up without an answer, and may have been carried out.", e) { MayHaveHappened = true };
        }

        if (span is not null)
        {
            var heard = (Answer?)result.Value;
            span.Answered(call, (int?)(heard?.Status ?? result.Error?.HttpStatus), heard?.RequestId ?? result.Error?.RequestId);
        }

        if (result.Error is not null)
        {
            if (result.Retry && !result.Error.MayHaveHappened)
                cancellationToken.ThrowIfCancellationRequested();
            throw result.Error;
        }

        var answer = (Answer)result.Value!;
        return new StripeResponse<T>
        {
            Value = (T)answer.Value,
            RequestId = answer.RequestId ?? "",
            IdempotentReplayed = answer.IdempotentReplayed,
            HttpStatusCode = answer.Status,
        };
    }

    private async ValueTask<SendResult> SendAsync(StripeCall call, JsonTypeInfo type, CancellationToken cancellationToken)
    {
        await pace.WaitAsync(cancellationToken);
        if (call.IsKeyExpired)
            throw call.KeyExpired();
        call.Sends++;
        using var request = NewRequest(call);
        using var timeout = new CancellationTokenSource(options.RequestTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var started = time.GetTimestamp();
        SendResult result;
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            using var body = await ResponseBody.ReadAsync(response.Content, either.Token);
            result = answers.Read(call, response, body, type);
        }
        catch (Exception e)
        {
            var content = (StripeRequestContent?)request.Content;
            if (content?.Expired == true)
            {
                call.Sends--;
                throw call.KeyExpired();
            }

            if (MayHaveLeft(content, e))
                call.Doubt();
            if (cancellationToken.IsCancellationRequested)
                throw new OperationCanceledException($"{call.Name} was cancelled.", e, cancellationToken);
            result = answers.NoAnswer(call, e, timeout.IsCancellationRequested ? options.RequestTimeout : null, options.ApiBase);
        }

        if (result.Error is { } error)
        {
            call.LastError = error;
            if (error.IsRateLimit)
                pace.SlowDown();
        }

        if (logger.IsEnabled(LogLevel.Debug))
        {
            var answer = (Answer?)result.Value;
            logger.LogDebug(
                "Stripe {Method} {Path} {Status} {RequestId} in {DurationMs:0} ms",
                call.Method.Method,
                call.Path,
                (int?)(answer?.Status ?? result.Error?.HttpStatus),
                answer?.RequestId ?? result.Error?.RequestId,
                time.GetElapsedTime(started).TotalMilliseconds);
        }

        return result;
    }

    /// <summary>On the real network the body was asked for or not; what another handler did is known only from a failure to connect.</summary>
    private bool MayHaveLeft(StripeRequestContent? content, Exception e) =>
        content is not null
        && (content.Started
            || !(realNetwork || e is HttpRequestException
            {
                HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
            }));

    private HttpRequestMessage NewRequest(StripeCall call)
    {
        var request = new HttpRequestMessage(call.Method, call.PathAndQuery);
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + options.SecretKey);
        request.Headers.TryAddWithoutValidation("Stripe-Version", StripeClient.ApiVersion);
        request.Headers.TryAddWithoutValidation("User-Agent", options.UserAgent);
        if (call.Body is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", call.Key.Value);
            request.Content = new StripeRequestContent(call);
        }

        return request;
    }

    private static SocketsHttpHandler NewHandler() => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.All,
        ConnectTimeout = TimeSpan.FromSeconds(15),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        MaxConnectionsPerServer = 64,
        ActivityHeadersPropagator = null,
    };
}
