using System.Net;

namespace Jobs.Stripe;

/// <summary>
/// A call that got no result: refused by Stripe, or without an answer (<see cref="HttpStatus"/> null).
/// The message is one sentence for an operator; it holds no key and no card number.
/// </summary>
public sealed class StripeException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The last answer's status; null when the last send got none.</summary>
    public HttpStatusCode? HttpStatus { get; init; }

    /// <summary>Null when the answer was not Stripe's.</summary>
    public StripeError? StripeError { get; init; }

    public string? RequestId { get; init; }

    /// <summary>The refusal is the saved answer to an earlier send of the same key.</summary>
    public bool IdempotentReplayed { get; init; }

    /// <summary>
    /// The write may have been carried out although no definitive answer is known: some send of this call ended in doubt
    /// (time-out, lost connection, 5xx, 409, unreadable answer, an answer that is not Stripe's) and no later one got a
    /// definitive answer. Keep the key, repeat it or look the object up; never take a new key. Always false for reads.
    /// <see cref="IsIdempotencyError"/> is a case of its own: what ANOTHER request did under that key is not told here.
    /// </summary>
    public bool MayHaveHappened { get; init; }

    /// <summary>Declined, or the issuer wants the customer: <see cref="Decline.Classify"/> tells which.</summary>
    public bool IsCardError => StripeError is not null
        && (HttpStatus == HttpStatusCode.PaymentRequired || StripeError.Type == StripeErrorType.CardError);

    public bool IsAuthentication => HttpStatus == HttpStatusCode.Unauthorized;

    public bool IsPermission => HttpStatus == HttpStatusCode.Forbidden;

    /// <summary>Too many requests; nothing was carried out by the send that got this answer. Not a lock time-out.</summary>
    public bool IsRateLimit => !IsLockTimeout
        && (HttpStatus == HttpStatusCode.TooManyRequests || StripeError?.Code == StripeErrorCode.RateLimit);

    /// <summary>Stripe could not be reached or could not answer now; the request itself may be perfectly good.</summary>
    public bool IsUnavailable => HttpStatus is null || (int)HttpStatus >= 500 || IsRateLimit || IsLockTimeout || MayHaveHappened || IsAnotherServers;

    /// <summary>A refusal without a word of Stripe's: a proxy's page, or a wrong API base.</summary>
    private bool IsAnotherServers => StripeError is null && HttpStatus is not null and (< HttpStatusCode.OK or >= HttpStatusCode.MultipleChoices);

    /// <summary>Another request held the object; nothing was carried out by the send that got this answer.</summary>
    public bool IsLockTimeout => StripeError?.Code == StripeErrorCode.LockTimeout;

    /// <summary>The key was already used with other parameters or on another endpoint: a bug; stop and reconcile.</summary>
    public bool IsIdempotencyError => StripeError?.Type == StripeErrorType.IdempotencyError;

    public bool IsNotFound => StripeError?.Code == StripeErrorCode.ResourceMissing;

    /// <summary>Stripe understood the request and refuses it; nothing was carried out.</summary>
    public bool IsInvalidRequest => HttpStatus == HttpStatusCode.BadRequest && StripeError?.Type == StripeErrorType.InvalidRequestError;

    /// <summary>The object's state forbids the action; <see cref="StripeError.PaymentIntent"/> holds that state.</summary>
    public bool IsUnexpectedState => StripeError?.Code == StripeErrorCode.PaymentIntentUnexpectedState;
}
