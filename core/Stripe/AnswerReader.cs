using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace Jobs.Stripe;

/// <summary>A 2xx that was read.</summary>
internal sealed record Answer(object Value, HttpStatusCode Status, string? RequestId, bool IdempotentReplayed);

/// <summary>Turns what came back, or did not, into a result, and keeps the call's doubt about having been carried out.</summary>
internal sealed class AnswerReader(string secretKey, TimeProvider time)
{
    public SendResult Read(StripeCall call, HttpResponseMessage response, ResponseBody body, JsonTypeInfo type)
    {
        var requestId = Header(response, "Request-Id");
        var replayed = string.Equals(Header(response, "Idempotent-Replayed"), "true", StringComparison.OrdinalIgnoreCase);
        if (body.TooLarge)
            return Unreadable(call, response, requestId, $"an answer larger than {ResponseBody.MaxLength / 1024 / 1024} MiB", retry: false);
        if (!response.IsSuccessStatusCode)
            return Refused(call, response, body, requestId, replayed);
        try
        {
            if (!Utf8.IsValid(body.Bytes))
                throw new JsonException("The answer is not UTF-8.");
            var value = JsonSerializer.Deserialize(body.Bytes, type)
                ?? throw new JsonException("The answer is null.");
            call.Settle();
            return SendResult.Ok(new Answer(value, response.StatusCode, requestId, replayed));
        }
        catch (JsonException e)
        {
            return Unreadable(call, response, requestId, $"an unreadable answer ({Redaction.Excerpt(e.Message, secretKey)}): {Quote(body.Bytes)}", retry: true, e);
        }
    }

    /// <summary>The caller has judged whether the request may have left.</summary>
    public SendResult NoAnswer(StripeCall call, Exception e, TimeSpan? timedOutAfter, Uri apiBase)
    {
        var what = timedOutAfter is { } timeout
            ? $"Stripe did not answer {call.Name} within {timeout.TotalSeconds:0} s"
            : $"Stripe could not be reached, or was lost, during {call.Name} at {apiBase.GetLeftPart(UriPartial.Authority)} ({Redaction.Excerpt((e.InnerException ?? e).Message, secretKey)})";
        var error = new StripeException(Sentence(call, what), e) { MayHaveHappened = call.InDoubt };
        return SendResult.Failed(error, e is OperationCanceledException or HttpRequestException or IOException);
    }

    private SendResult Refused(StripeCall call, HttpResponseMessage response, ResponseBody body, string? requestId, bool replayed)
    {
        var status = response.StatusCode;
        var stripeError = ReadError(body.Bytes);
        switch (Judge(status, stripeError, body.Bytes.IsEmpty))
        {
            case Verdict.Definitive:
                call.Settle();
                break;
            case Verdict.Doubt:
                call.Doubt();
                break;
        }

        var what = stripeError is not null
            ? $"Stripe answered {call.Name} with {(int)status} {Reason(stripeError)}"
            : $"{call.Name} got {(int)status} and no answer of Stripe's ({(IsRedirect(status) ? "a redirect; " : "")}is another server at the API base?): {Redaction.Excerpt(body.Bytes, secretKey)}";
        var error = new StripeException(Sentence(call, what, requestId))
        {
            HttpStatus = status,
            StripeError = stripeError is null ? null : stripeError with { Message = Redaction.Clean(stripeError.Message, secretKey) },
            RequestId = requestId,
            IdempotentReplayed = replayed,
            MayHaveHappened = call.InDoubt,
        };
        return SendResult.Failed(error, RetryRules.ShouldRetry(response, stripeError), RetryAfter(response));
    }

    private static SendResult Unreadable(StripeCall call, HttpResponseMessage response, string? requestId, string what, bool retry, Exception? inner = null)
    {
        call.Doubt();
        var error = new StripeException(Sentence(call, $"{call.Name} got {(int)response.StatusCode} with {what}", requestId), inner)
        {
            HttpStatus = response.StatusCode,
            RequestId = requestId,
            MayHaveHappened = call.InDoubt,
        };
        return SendResult.Failed(error, retry);
    }

    /// <summary>Whose words they are shows in the first of them; an object of Stripe's is not quoted, it may hold a person's data.</summary>
    private string Quote(ReadOnlySpan<byte> body) =>
        body.StartsWith("{"u8) ? $"{body.Length} bytes of JSON" : Redaction.Excerpt(body, secretKey);

    private enum Verdict
    {
        /// <summary>This send was not carried out; what an earlier one did stays as unknown as it was.</summary>
        NotCarriedOut,

        /// <summary>What became of the key is known.</summary>
        Definitive,
        Doubt,
    }

    /// <summary>Limiters, keys' rights and parameter checks stand before the idempotency layer, so their refusals say nothing about earlier sends.</summary>
    private static Verdict Judge(HttpStatusCode status, StripeError? error, bool empty) => (int)status switch
    {
        401 or 403 or 429 when error is not null || empty => Verdict.NotCarriedOut,
        _ when error is null => Verdict.Doubt,
        402 => Verdict.Definitive,
        408 or 409 or 424 => Verdict.Doubt,
        400 or 404 when error.Type == StripeErrorType.IdempotencyError => Verdict.Definitive,
        400 when error.PaymentIntent is not null || error.Code == StripeErrorCode.PaymentIntentUnexpectedState => Verdict.Definitive,
        >= 400 and < 500 => Verdict.NotCarriedOut,
        _ => Verdict.Doubt,
    };

    private static StripeError? ReadError(ReadOnlySpan<byte> body)
    {
        try
        {
            // Half of what a garbled refusal says would be taken for all of it.
            return Utf8.IsValid(body) ? JsonSerializer.Deserialize(body, StripeJson.Default.StripeErrorEnvelope)?.Error : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private string Reason(StripeError error)
    {
        string?[] codes = [error.Type, error.Code, error.DeclineCode];
        var reason = string.Join('/', codes.Where(c => c is not null).Distinct(StringComparer.Ordinal));
        return Redaction.Excerpt($"{reason}{(error.Param is null ? "" : $" (parameter {error.Param})")}: {error.Message}", secretKey, 400);
    }

    private static string Sentence(StripeCall call, string what, string? requestId = null) =>
        what.TrimEnd('.')
        + (requestId is null ? "" : $" [{requestId}]")
        + (call.Sends > 1 ? $", after {call.Sends} attempts" : "")
        + (call.InDoubt ? "; it may have been carried out." : ".");

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - time.GetUtcNow(),
        _ => null,
    };

    private static bool IsRedirect(HttpStatusCode status) => (int)status is >= 300 and < 400;

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;
}
