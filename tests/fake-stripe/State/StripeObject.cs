namespace Jobs.Testing.FakeStripe;

/// <summary>Anything that can be the body of an answer.</summary>
internal interface IWritable
{
    void Write(JsonOut json);
}

/// <summary>
/// One object of the account. Everything that hangs on it is replaced, never changed in place, so that a shallow
/// copy is a true snapshot: that is what an event keeps.
/// </summary>
internal abstract class StripeObject : IWritable
{
    public required string Id { get; init; }

    /// <summary>Unix seconds, as Stripe counts time.</summary>
    public required long Created { get; init; }

    /// <summary>Order of arrival; separates objects of the same second.</summary>
    public long Sequence { get; set; }

    public Metadata Metadata { get; set; } = Metadata.Empty;

    /// <summary>The customer whose lock a write to this object takes.</summary>
    public virtual string? LockCustomer => null;

    public abstract void Write(JsonOut json);

    public StripeObject Snapshot() => (StripeObject)MemberwiseClone();
}
