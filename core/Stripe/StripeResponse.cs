using System.Net;

namespace Jobs.Stripe;

/// <summary>An answer of Stripe that was read in full.</summary>
public sealed class StripeResponse<T>
{
    public required T Value { get; init; }

    /// <summary><c>req_...</c>, the name of this answer in Stripe's logs; empty when the server sent none.</summary>
    public required string RequestId { get; init; }

    /// <summary>
    /// The answer to an earlier send of the same key, as it was saved then: the object may have changed since, so read it again.
    /// </summary>
    public required bool IdempotentReplayed { get; init; }

    public required HttpStatusCode HttpStatusCode { get; init; }
}
