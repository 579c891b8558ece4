namespace Jobs.Testing.FakeStripe;

/// <summary>One <see cref="CreatedIndex{T}"/> per customer, per PaymentIntent, per event type...</summary>
internal sealed class GroupedIndex<T> where T : StripeObject
{
    private static readonly CreatedIndex<T> Nothing = new();
    private readonly Dictionary<string, CreatedIndex<T>> _groups = new(StringComparer.Ordinal);

    public CreatedIndex<T> this[string key] => _groups.GetValueOrDefault(key, Nothing);

    public void Add(string? key, T item)
    {
        if (key is null)
            return;
        if (!_groups.TryGetValue(key, out var group))
            _groups[key] = group = new CreatedIndex<T>();
        group.Add(item);
    }

    public void Remove(string? key, T item)
    {
        if (key is not null)
            this[key].Remove(item);
    }
}
