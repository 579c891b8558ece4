using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>Stripe's error object, in a refused call or as a PaymentIntent's <c>last_payment_error</c>.</summary>
public sealed record StripeError
{
    /// <summary>See <see cref="StripeErrorType"/>; an open list.</summary>
    public string? Type { get; init; }

    public string? Code { get; init; }

    public string? DeclineCode { get; init; }

    /// <summary>See <see cref="StripeAdviceCode"/>; an open list.</summary>
    public string? AdviceCode { get; init; }

    public string? NetworkAdviceCode { get; init; }

    public string? NetworkDeclineCode { get; init; }

    /// <summary>The parameter that Stripe refused.</summary>
    public string? Param { get; init; }

    /// <summary>Stripe's words, without keys and card numbers. Not for customers when the reason is fraud.</summary>
    public string? Message { get; init; }

    public string? DocUrl { get; init; }

    public string? RequestLogUrl { get; init; }

    /// <summary>Id of the failed charge.</summary>
    public string? Charge { get; init; }

    /// <summary>The whole object as the refusal left it: a refused create leaves one open, and only this names it.</summary>
    [JsonConverter(typeof(TolerantObjectConverter<PaymentIntent>))]
    public PaymentIntent? PaymentIntent { get; init; }

    [JsonConverter(typeof(ExpandableFieldConverter<PaymentMethod>))]
    public ExpandableField<PaymentMethod>? PaymentMethod { get; init; }

    public string? PaymentMethodType { get; init; }
}

internal sealed class StripeErrorEnvelope
{
    [JsonConverter(typeof(TolerantObjectConverter<StripeError>))]
    public StripeError? Error { get; init; }
}

public static class StripeErrorType
{
    public const string ApiError = "api_error";
    public const string CardError = "card_error";
    public const string IdempotencyError = "idempotency_error";
    public const string InvalidRequestError = "invalid_request_error";
}

public static class StripeErrorCode
{
    public const string AuthenticationRequired = "authentication_required";
    public const string IdempotencyKeyInUse = "idempotency_key_in_use";
    public const string LockTimeout = "lock_timeout";
    public const string PaymentIntentUnexpectedState = "payment_intent_unexpected_state";
    public const string RateLimit = "rate_limit";
    public const string ResourceMissing = "resource_missing";
}

public static class StripeAdviceCode
{
    public const string ConfirmCardData = "confirm_card_data";
    public const string DoNotTryAgain = "do_not_try_again";
    public const string TryAgainLater = "try_again_later";
}
