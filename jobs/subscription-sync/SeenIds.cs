namespace Jobs;

/// <summary>Ids of rows as a sparse bitmap: a few bytes a row, however many were seen. Safe from one thread.</summary>
public sealed class SeenIds
{
    private readonly Dictionary<long, ulong> _words = [];

    public void Add(long id)
    {
        ref var word = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_words, id >> 6, out _);
        word |= 1UL << (int)(id & 63);
    }

    public bool Contains(long id) => (_words.GetValueOrDefault(id >> 6) & (1UL << (int)(id & 63))) != 0;
}
