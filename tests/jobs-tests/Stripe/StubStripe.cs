using System.Net;
using System.Text;
using Jobs.Stripe;
using Microsoft.Extensions.Logging;

namespace Jobs.Tests.Stripe;

/// <summary>Answers each send with the next step, the last one for ever; remembers what was sent.</summary>
internal sealed class StubStripe(params StubStripe.Step[] steps) : HttpMessageHandler
{
    public delegate Task<HttpResponseMessage> Step(HttpRequestMessage request, CancellationToken cancellationToken);

    public List<Sent> Requests { get; } = [];

    public TestClock Clock { get; } = new();

    public StripeClient Client(int maxAttempts = 6, bool readOnly = false, int perSecond = 1000, string key = "sk_test_4eC39HqLyjWDarjtT1zdp7dc", ILogger? logger = null) =>
        new(new StripeClientOptions
        {
            SecretKey = key,
            MaxAttempts = maxAttempts,
            MaxRequestsPerSecond = perSecond,
            ReadOnly = readOnly,
            TimeProvider = Clock,
            UserAgent = "jobs-tests/1.0",
        }, this, logger);

    public static Step Answer(int status, string body = "{}", params (string Name, string Value)[] headers) => async (request, cancellationToken) =>
    {
        if (request.Content is not null)
            await request.Content.ReadAsByteArrayAsync(cancellationToken);
        var response = new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        response.Headers.Add("Request-Id", "req_1");
        foreach (var (name, value) in headers)
            response.Headers.TryAddWithoutValidation(name, value);
        return response;
    };

    public static Step Error(int status, string type, string? code = null, string rest = "", params (string Name, string Value)[] headers) =>
        Answer(status, $$$"""{"error":{"type":"{{{type}}}"{{{(code is null ? "" : $",\"code\":\"{code}\"")}}}{{{rest}}},"message":"In Stripe's words."}}""", headers);

    public static Step Succeeded(params (string Name, string Value)[] headers) => Answer(200, PaymentIntent("succeeded"), headers);

    public static string PaymentIntent(string status, string id = "pi_1") =>
        $$$"""{"id":"{{{id}}}","object":"payment_intent","amount":1250,"amount_received":1250,"currency":"eur","status":"{{{status}}}","created":1700000000,"customer":"cus_1","metadata":{"payment_id":"7"}}""";

    /// <summary>The request left, the reply never came.</summary>
    public static async Task<HttpResponseMessage> Lost(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is not null)
            await request.Content.ReadAsByteArrayAsync(cancellationToken);
        throw new HttpRequestException(HttpRequestError.ResponseEnded, "The response ended prematurely.");
    }

    public static Task<HttpResponseMessage> Refused(HttpRequestMessage request, CancellationToken cancellationToken) =>
        throw new HttpRequestException(HttpRequestError.ConnectionError, "Connection refused.");

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var step = steps[Math.Min(Requests.Count, steps.Length - 1)];
        var body = step == Refused || request.Content is null ? null : "";
        Requests.Add(new Sent(request, body));
        var index = Requests.Count - 1;
        var response = await step(request, cancellationToken);
        if (request.Content is not null)
            Requests[index] = Requests[index] with { Body = await request.Content.ReadAsStringAsync(cancellationToken) };
        return response;
    }

    internal sealed record Sent(string Method, string Path, string Query, IReadOnlyDictionary<string, string> Headers, string? Body)
    {
        public Sent(HttpRequestMessage request, string? body)
            : this(
                request.Method.Method,
                request.RequestUri!.AbsolutePath,
                request.RequestUri.Query.TrimStart('?'),
                request.Headers.Concat(request.Content?.Headers.AsEnumerable() ?? [])
                    .ToDictionary(h => h.Key, h => string.Join(" ", h.Value), StringComparer.OrdinalIgnoreCase),
                body)
        {
        }
    }
}
