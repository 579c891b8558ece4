using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Jobs.Testing.FakeStripe;

/// <summary>An answer that is sent: status, body, and what a replay needs to know.</summary>
internal sealed record Answer(int Status, byte[] Body, string ContentType = "application/json")
{
    public bool Saved { get; init; }
    public string? RateLimitedReason { get; init; }
    public string? OriginalRequest { get; init; }
    public bool Replayed { get; init; }
}

/// <summary>
/// What Stripe remembers about Idempotency-Keys, per account: which request used it and, once that finished, the
/// answer byte for byte. Pruned 24 hours after first use, on the fake clock; then the same key executes again.
/// </summary>
internal sealed class IdempotencyTable(FakeClock clock)
{
    private static readonly TimeSpan Retention = TimeSpan.FromHours(24);
    private readonly Dictionary<(string Account, string Key), Entry> _entries = [];

    private sealed class Entry
    {
        public required UInt128 Fingerprint { get; init; }
        public required DateTimeOffset At { get; init; }
        public required string RequestId { get; init; }
        public Answer? Answer { get; set; }
    }

    public static UInt128 Fingerprint(string method, string path, Param parameters)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{method} {path}\n{parameters.Canonical()}"), hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }

    /// <summary>Null: execute, the key is taken. Otherwise the saved answer.</summary>
    public Answer? Begin(string account, string key, UInt128 fingerprint, string requestId)
    {
        lock (_entries)
        {
            if (_entries.TryGetValue((account, key), out var entry) && clock.Now - entry.At < Retention)
            {
                if (entry.Fingerprint != fingerprint)
                    throw new StripeError(400, "idempotency_error", code: null, $"Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{key}' if you meant to execute a different request.");
                if (entry.Answer is null)
                    throw StripeError.KeyInUse(key);
                return entry.Answer with { Replayed = true, OriginalRequest = entry.RequestId };
            }

            _entries[(account, key)] = new Entry { Fingerprint = fingerprint, At = clock.Now, RequestId = requestId };
            return null;
        }
    }

    /// <summary>Keeps the answer, or forgets the key when the request never began to execute.</summary>
    public void End(string account, string key, Answer? answer)
    {
        lock (_entries)
        {
            if (answer is { Saved: true })
                _entries[(account, key)].Answer = answer;
            else
                _entries.Remove((account, key));
        }
    }
}
