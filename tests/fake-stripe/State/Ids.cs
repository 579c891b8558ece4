namespace Jobs.Testing.FakeStripe;

/// <summary>Identifiers that look like Stripe's and, unlike most fakes', do not sort by time.</summary>
internal sealed class Ids(int? seed)
{
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private readonly Lock _gate = new();
    // Reproducible on demand; nothing here is a secret.
#pragma warning disable CA5394
    private readonly Random _random = seed is { } value ? new Random(value) : new Random();

    public string New(string prefix, int length = 24)
    {
        Span<char> characters = stackalloc char[length];
        lock (_gate)
        {
            for (var i = 0; i < length; i++)
                characters[i] = Alphabet[_random.Next(Alphabet.Length)];
        }

        return string.Concat(prefix, characters);
    }

    public double NextDouble()
    {
        lock (_gate)
            return _random.NextDouble();
    }
#pragma warning restore CA5394
}
