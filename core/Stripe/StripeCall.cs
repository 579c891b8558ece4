namespace Jobs.Stripe;

/// <summary>One call with all its sends: what is sent, and what the sends so far may have done.</summary>
internal sealed class StripeCall(HttpMethod method, string path, string query, FormBody? body, IdempotencyKey key, TimeProvider time)
{
    private readonly DateTimeOffset startedAt = time.GetUtcNow();
    private readonly long startedTimestamp = time.GetTimestamp();

    public HttpMethod Method { get; } = method;

    public string Path { get; } = path;

    public string PathAndQuery { get; } = query.Length == 0 ? path : $"{path}?{query}";

    /// <summary>Null for reads.</summary>
    public FormBody? Body { get; } = body;

    public IdempotencyKey Key { get; } = key;

    public int Sends { get; set; }

    /// <summary>Some send may have been carried out and no later one got a definitive answer.</summary>
    public bool InDoubt { get; private set; }

    public StripeException? LastError { get; set; }

    public string Name => $"{Method.Method} {Path}";

    /// <summary>By the wall clock and by the time elapsed since the call began, whichever is later: clocks get set back, machines sleep.</summary>
    public bool IsKeyExpired
    {
        get
        {
            if (Key.NotAfter is not { } notAfter)
                return false;
            var elapsed = startedAt + time.GetElapsedTime(startedTimestamp);
            var now = time.GetUtcNow();
            return (now > elapsed ? now : elapsed) > notAfter;
        }
    }

    public IdempotencyKeyExpiredException KeyExpired() => new(
        $"{Name} was not sent{(Sends > 0 ? " again" : "")}: its idempotency key must not be sent after {Key.NotAfter?.ToUniversalTime():yyyy-MM-dd HH:mm:ss}Z."
        + (InDoubt ? " An earlier attempt may have been carried out." : ""),
        InDoubt,
        LastError);

    public void Doubt() => InDoubt = Body is not null;

    public void Settle() => InDoubt = false;
}

/// <summary>What one send came to: a value, or an error with the decision whether to send again.</summary>
internal sealed record SendResult(object? Value, StripeException? Error, bool Retry, TimeSpan? RetryAfter)
{
    public static SendResult Ok(object value) => new(value, null, false, null);

    public static SendResult Failed(StripeException error, bool retry, TimeSpan? retryAfter = null) => new(null, error, retry, retryAfter);
}
