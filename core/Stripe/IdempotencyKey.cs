namespace Jobs.Stripe;

/// <summary>
/// Names one write. Stripe carries it out once for at least 24 hours and replays the first answer to every repetition with
/// the same parameters; after that the same key is carried out AGAIN, which <see cref="NotAfter"/> prevents.
/// </summary>
public readonly record struct IdempotencyKey
{
    public const int MaxLength = 255;

    /// <param name="value">1 to 255 printable ASCII characters.</param>
    /// <param name="notAfter">No send starts later than this, retries included.</param>
    public IdempotencyKey(string value, DateTimeOffset? notAfter = null)
    {
        if (string.IsNullOrEmpty(value) || value.Length > MaxLength || !value.All(c => c is > ' ' and < (char)0x7f))
            throw new ArgumentException($"An idempotency key is 1 to {MaxLength} printable ASCII characters without spaces.", nameof(value));
        Value = value;
        NotAfter = notAfter;
    }

    public string Value { get; }

    public DateTimeOffset? NotAfter { get; }

    /// <summary>A random key. Store it with what it will send, before the first send.</summary>
    public static IdempotencyKey New(DateTimeOffset? notAfter = null) => new(Guid.NewGuid().ToString(), notAfter);
}

/// <summary>
/// The key was too old to be sent (again), so the call stopped before the next send. What the key did earlier is to be
/// found out by listing; never by sending it again, nor by taking a new key.
/// </summary>
public sealed class IdempotencyKeyExpiredException(string message, bool mayHaveHappened, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>
    /// An earlier send of THIS call may have been carried out. False says nothing about earlier calls with the same key.
    /// </summary>
    public bool MayHaveHappened { get; } = mayHaveHappened;
}
