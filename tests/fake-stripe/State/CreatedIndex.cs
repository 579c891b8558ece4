namespace Jobs.Testing.FakeStripe;

/// <summary>
/// Objects in order of (created, arrival). Appending is the rule; an object created in the past (seeding) only
/// marks the index, and the next reader sorts it.
/// </summary>
internal sealed class CreatedIndex<T> where T : StripeObject
{
    private readonly List<T> _items = [];
    private bool _sorted = true;

    public int Count => _items.Count;

    public T this[int index]
    {
        get
        {
            Sort();
            return _items[index];
        }
    }

    public void Add(T item)
    {
        _sorted = _sorted && (_items.Count == 0 || Compare(_items[^1], item) < 0);
        _items.Add(item);
    }

    public void Remove(T item)
    {
        var position = Position(item.Created, item.Sequence);
        if (position < _items.Count && ReferenceEquals(_items[position], item))
            _items.RemoveAt(position);
    }

    /// <summary>The first position at or after (created, sequence).</summary>
    public int Position(long created, long sequence)
    {
        Sort();
        int low = 0, high = _items.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            var item = _items[middle];
            if (item.Created < created || (item.Created == created && item.Sequence < sequence))
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private static int Compare(T a, T b) =>
        a.Created != b.Created ? a.Created.CompareTo(b.Created) : a.Sequence.CompareTo(b.Sequence);

    private void Sort()
    {
        if (_sorted)
            return;
        _items.Sort(Compare);
        _sorted = true;
    }
}
