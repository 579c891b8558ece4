using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Jobs.Stripe;

namespace Jobs.Tests.Orders;

/// <summary>
/// PaymentIntents and their states in memory, behind the real client. Whoever listens is told before and after each call is
/// carried out, and may do anything there: pay, cancel, start another run, cut the connection.
/// </summary>
internal sealed class ScriptedStripe(Func<Task> aroundCall) : HttpMessageHandler
{
    private readonly ConcurrentDictionary<string, ScriptedIntent> _intents = new(StringComparer.Ordinal);

    public IReadOnlyCollection<ScriptedIntent> Intents => [.. _intents.Values];

    public StripeClient Client() => new(
        // Whole runs happen in the middle of a call: on a busy machine that may take long.
        new StripeClientOptions { SecretKey = "sk_test_scripted", MaxAttempts = 1, MaxRequestsPerSecond = 100_000, RequestTimeout = TimeSpan.FromMinutes(10) }, this);

    public ScriptedIntent Add(string id, long order, long user) =>
        _intents[id] = new ScriptedIntent { Id = id, Order = order, User = user };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is not null)
            await request.Content.ReadAsByteArrayAsync(cancellationToken);
        await aroundCall();
        var (status, body) = Execute(request.Method, request.RequestUri!.AbsolutePath.Split('/'));
        await aroundCall();
        var response = new HttpResponseMessage(status) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        response.Headers.Add("Request-Id", "req_1");
        return response;
    }

    // /v1/payment_intents/{id}[/cancel] and the list of Checkout Sessions, of which there are none.
    private (HttpStatusCode Status, string Body) Execute(HttpMethod method, string[] path)
    {
        if (path[2] == "checkout")
            return (HttpStatusCode.OK, """{"object":"list","data":[],"has_more":false}""");
        if (!_intents.TryGetValue(path[3], out var intent))
            return (HttpStatusCode.NotFound, Error("resource_missing"));
        lock (intent)
        {
            if (method == HttpMethod.Post && !intent.TryCancel())
                return (HttpStatusCode.BadRequest, Error(StripeErrorCode.PaymentIntentUnexpectedState));
            return (HttpStatusCode.OK, intent.Json);
        }
    }

    private static string Error(string code) => $$$"""{"error":{"type":"invalid_request_error","code":"{{{code}}}","message":"No."}}""";
}

/// <summary>What its customer and the bank make of it.</summary>
internal sealed class ScriptedIntent
{
    public required string Id { get; init; }
    public required long Order { get; init; }
    public required long User { get; init; }
    public string Status { get; private set; } = PaymentIntentStatus.RequiresPaymentMethod;

    public bool IsOpen => Status is PaymentIntentStatus.RequiresPaymentMethod or PaymentIntentStatus.RequiresAction;

    public string Json => string.Create(
        CultureInfo.InvariantCulture,
        $$$"""
        {"id":"{{{Id}}}","object":"payment_intent","amount":1000,"amount_received":{{{(Status == PaymentIntentStatus.Succeeded ? 1000 : 0)}}},"currency":"eur",
         "status":"{{{Status}}}","created":1700000000,"metadata":{"order_id":"{{{Order}}}","user_id":"{{{User}}}","purpose":"order"}}
        """);

    public bool TryCancel() => Move(IsOpen || Status == PaymentIntentStatus.RequiresCapture, PaymentIntentStatus.Canceled);

    public void Pay() => Move(IsOpen, PaymentIntentStatus.Succeeded);

    public void Process() => Move(IsOpen, PaymentIntentStatus.Processing);

    public void Authenticate() => Move(IsOpen, PaymentIntentStatus.RequiresAction);

    public void Settle(bool well) =>
        Move(Status == PaymentIntentStatus.Processing, well ? PaymentIntentStatus.Succeeded : PaymentIntentStatus.RequiresPaymentMethod);

    private bool Move(bool may, string status)
    {
        lock (this)
        {
            Status = may ? status : Status;
            return may;
        }
    }
}
