using System.Net;
using System.Text.Json;
using Jobs.Stripe;
using Microsoft.Extensions.Logging;

namespace Jobs.SumUp;

/// <summary>Reads are tried a few times; writes are sent once, since SumUp knows no idempotency key: a second one may be a second payment.</summary>
internal sealed class SumUpTransport : IDisposable
{
    private const int MaxReads = 3;
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(5);

    private readonly SumUpClientOptions options;
    private readonly ILogger logger;
    private readonly TimeProvider time;
    private readonly HttpClient http;
    private readonly bool realNetwork;

    public SumUpTransport(SumUpClientOptions options, ILogger logger, HttpMessageHandler? handler, TimeProvider time)
    {
        (this.options, this.logger, this.time) = (options, logger, time);
        realNetwork = handler is null;
        http = new HttpClient(handler ?? NewHandler(), disposeHandler: true) { BaseAddress = options.ApiBase, Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>What an answer's bytes mean; throws <see cref="JsonException"/> or <see cref="FormatException"/> when they mean nothing.</summary>
    public delegate T Reading<T>(ReadOnlySpan<byte> body);

    public async Task<T> GetAsync<T>(string pathAndQuery, Reading<T> read, CancellationToken cancellationToken)
    {
        for (var sends = 1; ; sends++)
        {
            TimeSpan delay;
            try
            {
                return await SendAsync(HttpMethod.Get, pathAndQuery, null, read, cancellationToken);
            }
            catch (SumUpException e) when (sends < MaxReads && Passes(e.Kind))
            {
                delay = Delay(sends, e);
                logger.LogInformation("SumUp is asked again in {DelayMs:0} ms ({Attempt} of {MaxAttempts} sends made): {Reason}", delay.TotalMilliseconds, sends, MaxReads, e.Message);
            }

            await Task.Delay(delay, time, cancellationToken);
        }
    }

    /// <summary>Null for 404.</summary>
    public async Task<T?> FindAsync<T>(string pathAndQuery, Reading<T?> read, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await GetAsync(pathAndQuery, read, cancellationToken);
        }
        catch (SumUpException e) when (e.Kind == SumUpErrorKind.NotFound)
        {
            return null;
        }
    }

    public async Task<T> WriteAsync<T>(
        HttpMethod method, string path, byte[] body, Func<bool>? mayStillBeSent, Reading<T> read, CancellationToken cancellationToken)
    {
        if (options.ReadOnly)
            throw new InvalidOperationException($"{method.Method} {path} was not sent: the client is read-only (dry run).");
        using var content = new SumUpRequestContent(body, mayStillBeSent);
        return await SendAsync(method, path, content, read, cancellationToken);
    }

    public void Dispose() => http.Dispose();

    private async Task<T> SendAsync<T>(HttpMethod method, string pathAndQuery, SumUpRequestContent? content, Reading<T> read, CancellationToken cancellationToken)
    {
        using var request = NewRequest(method, pathAndQuery, content);
        var name = $"{method.Method} {pathAndQuery.Split('?')[0]}";
        using var timeout = new CancellationTokenSource(options.RequestTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var started = time.GetTimestamp();
        HttpStatusCode? status = null;
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            status = response.StatusCode;
            using var body = await ResponseBody.ReadAsync(response.Content, either.Token);
            return response.IsSuccessStatusCode
                ? Understood(name, response, body, content is not null, read)
                : throw Refused(name, response, body.Bytes, content is not null);
        }
        catch (Exception e) when (e is not SumUpException)
        {
            throw NoAnswer(name, e, status, content, timeout.IsCancellationRequested, cancellationToken);
        }
        finally
        {
            logger.LogDebug("SumUp {Method} {Path} {Status} in {DurationMs:0} ms", method.Method, pathAndQuery, (int?)status, time.GetElapsedTime(started).TotalMilliseconds);
        }
    }

    private T Understood<T>(string name, HttpResponseMessage response, ResponseBody body, bool write, Reading<T> read)
    {
        try
        {
            return body.TooLarge ? throw new FormatException($"it is larger than {ResponseBody.MaxLength / 1024 / 1024} MiB") : read(body.Bytes);
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or OverflowException)
        {
            throw new SumUpException(Sentence($"{name} got {(int)response.StatusCode} with an answer that cannot be read ({Clean(e.Message)}; {body.Bytes.Length} bytes)", write), e)
            {
                Kind = SumUpErrorKind.NoAnswer,
                Status = response.StatusCode,
                MayHaveHappened = write,
            };
        }
    }

    private SumUpException Refused(string name, HttpResponseMessage response, ReadOnlySpan<byte> body, bool write)
    {
        var said = Refusals.Read(body);
        var inDoubt = write && !Refusals.SurelyDidNothing(response.StatusCode);
        var words = said is { Type: null, Text: null } ? $"no word of SumUp's: {Clean(Redaction.Excerpt(body, options.ApiKey))}" : Clean($"{said.Type}{(said.Type is null || said.Text is null ? "" : ": ")}{said.Text}");
        return new SumUpException(Sentence($"SumUp answered {name} with {(int)response.StatusCode} {words}", inDoubt))
        {
            Kind = Refusals.Kind(response.StatusCode, said),
            Status = response.StatusCode,
            ErrorType = said.Type,
            MayHaveHappened = inDoubt,
            RetryAfter = response.Headers.RetryAfter?.Delta,
        };
    }

    private Exception NoAnswer(
        string name, Exception e, HttpStatusCode? status, SumUpRequestContent? content, bool timedOut, CancellationToken cancellationToken)
    {
        var inDoubt = content is not null && (content.Started || (!content.Withheld && !realNetwork && !NeverConnected(e)));
        if (content?.Withheld == true)
            return new SumUpException($"{name} was not sent: it was too late for it.", e) { Kind = SumUpErrorKind.NotSent };
        if (cancellationToken.IsCancellationRequested && !inDoubt)
            return new OperationCanceledException($"{name} was cancelled.", e, cancellationToken);
        var what = cancellationToken.IsCancellationRequested ? $"{name} was given up before SumUp had answered"
            : timedOut ? $"SumUp did not answer {name} within {options.RequestTimeout.TotalSeconds:0} s"
            : $"SumUp could not be reached, or was lost, during {name} at {options.ApiBase.GetLeftPart(UriPartial.Authority)} ({Clean((e.InnerException ?? e).Message)})";
        return new SumUpException(Sentence(what, inDoubt), e)
        {
            Kind = content is null ? (NeverConnected(e) ? SumUpErrorKind.NotSent : SumUpErrorKind.NoAnswer)
                : inDoubt ? SumUpErrorKind.NoAnswer : SumUpErrorKind.NotSent,
            Status = status,
            MayHaveHappened = inDoubt,
        };
    }

    private static bool NeverConnected(Exception e) => e is HttpRequestException
    {
        HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
    };

    private static bool Passes(SumUpErrorKind kind) =>
        kind is SumUpErrorKind.RateLimited or SumUpErrorKind.Unavailable or SumUpErrorKind.NoAnswer or SumUpErrorKind.NotSent;

    /// <summary>Somebody stands at the reader: short pauses, a little spread, and never sooner than asked for.</summary>
    private static TimeSpan Delay(int sends, SumUpException e)
    {
#pragma warning disable CA5394 // Spreads load; nothing secret depends on it.
        var delay = FirstDelay * Math.Pow(3, sends - 1) * (0.5 + Random.Shared.NextDouble());
#pragma warning restore CA5394
        if (e.RetryAfter > delay)
            delay = e.RetryAfter.Value;
        return delay < MaxDelay ? delay : MaxDelay;
    }

    private static string Sentence(string what, bool inDoubt) => $"{what}.{(inDoubt ? " It may have been carried out." : "")}";

    private string Clean(string text)
    {
        text = Redaction.Excerpt(text, options.ApiKey, 300);
        return options.AffiliateKey is { } key ? text.Replace(key, "***", StringComparison.Ordinal) : text;
    }

    /// <summary>Plain JSON is asked for: with problems in its place, SumUp's busy and offline readers lose their types.</summary>
    private HttpRequestMessage NewRequest(HttpMethod method, string pathAndQuery, SumUpRequestContent? content)
    {
        var request = new HttpRequestMessage(method, pathAndQuery) { Content = content };
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + options.ApiKey);
        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        request.Headers.TryAddWithoutValidation("User-Agent", options.UserAgent);
        return request;
    }

    private static SocketsHttpHandler NewHandler() => new()
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.All,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        ActivityHeadersPropagator = null,
    };
}
