using System.Net;

namespace Jobs.SumUp;

public enum SumUpErrorKind
{
    /// <summary>Another checkout is on the reader, ours or not. SumUp says so at times without a type: then it is <see cref="Unprocessable"/>.</summary>
    ReaderBusy,

    ReaderOffline,
    InvalidRequest,
    NotFound,
    Unauthorized,
    Forbidden,
    RateLimited,
    Conflict,

    /// <summary>A 422 without a type. Of a checkout: the reader may be busy.</summary>
    Unprocessable,

    /// <summary>5xx or 408.</summary>
    Unavailable,

    /// <summary>Time-out, reset, or an answer that cannot be read.</summary>
    NoAnswer,

    /// <summary>Provably never left: no address, refused, no TLS, or it was no longer wanted.</summary>
    NotSent,
}

/// <summary>
/// A call that got no result. The message is one sentence for an operator; it holds ids, but no key.
/// </summary>
public sealed class SumUpException(string message, Exception? inner = null) : Exception(message, inner)
{
    public required SumUpErrorKind Kind { get; init; }

    /// <summary>Null when there was no answer.</summary>
    public HttpStatusCode? Status { get; init; }

    /// <summary>SumUp's word: <c>READER_BUSY</c>, the tail of a problem's type, an error code; an open list.</summary>
    public string? ErrorType { get; init; }

    /// <summary>
    /// The write may have been carried out: an unreadable 2xx, 408, 409, 5xx, or no answer after bytes may have left. Never
    /// send it again; look at what became of it. Always false for reads.
    /// </summary>
    public bool MayHaveHappened { get; init; }

    internal TimeSpan? RetryAfter { get; init; }
}
