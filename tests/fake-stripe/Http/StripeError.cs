namespace Jobs.Testing.FakeStripe;

/// <summary>An answer of Stripe's that is an error object; thrown by whatever refuses the request.</summary>
internal sealed class StripeError(int status, string type, string? code, string message, string? param = null) : Exception(message)
{
    public int Status => status;
    public string Type => type;
    public string? Code => code;
    public string? Param => param;
    public string? DeclineCode { get; init; }
    public string? AdviceCode { get; init; }
    public string? Charge { get; init; }
    public PaymentIntent? PaymentIntent { get; init; }
    public PaymentMethod? PaymentMethod { get; init; }

    /// <summary>Execution had begun, so an idempotency key remembers this answer.</summary>
    public bool Saved { get; init; }

    public static StripeError Invalid(string message, string? param = null, string? code = null) =>
        new(400, "invalid_request_error", code, message, param);

    /// <summary>400 when a parameter names it, 404 when the URL does.</summary>
    public static StripeError Missing(string noun, string id, string param, int status = 400) =>
        new(status, "invalid_request_error", "resource_missing", $"No such {noun}: '{id}'", param);

    public static StripeError UnexpectedState(PaymentIntent intent, string message) =>
        new(400, "invalid_request_error", "payment_intent_unexpected_state", message) { PaymentIntent = intent, Saved = true };

    public static StripeError LockTimeout() =>
        new(429, "invalid_request_error", "lock_timeout", "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. If you see this error intermittently, retry the request. If you see this error frequently and are making multiple concurrent requests to a single object, make your requests serially or at a lower rate.");

    public static StripeError RateLimit() =>
        new(429, "invalid_request_error", "rate_limit", "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.");

    public static StripeError KeyInUse(string key) =>
        new(409, "invalid_request_error", "idempotency_key_in_use", $"There is currently another in-progress request using this Idempotent Key ({key}). That probably means you submitted twice, and the other request is still going through. Stripe-Request-Id header contains the id of this request.");

    public byte[] Body(World world, string requestId) => Render.Bytes(writer =>
    {
        var json = new JsonOut(writer, world);
        json.Begin();
        json.Begin("error");
        WriteFields(json);
        json.Text("request_log_url", $"https://dashboard.stripe.com/test/logs/{requestId}");
        if (PaymentIntent is not null)
            json.Object("payment_intent", PaymentIntent);
        json.End();
        json.End();
    });

    private void WriteFields(JsonOut json)
    {
        if (AdviceCode is not null)
            json.Text("advice_code", AdviceCode);
        if (Charge is not null)
            json.Text("charge", Charge);
        if (code is not null)
            json.Text("code", code);
        if (DeclineCode is not null)
            json.Text("decline_code", DeclineCode);
        if (code is not null)
            json.Text("doc_url", DocUrl(code));
        json.Text("message", Message);
        if (param is not null)
            json.Text("param", param);
        if (PaymentMethod is not null)
            json.Object("payment_method", PaymentMethod);
        json.Text("type", type);
    }

    public static string DocUrl(string code) => "https://stripe.com/docs/error-codes/" + code.Replace('_', '-');
}
