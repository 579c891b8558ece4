using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Jobs.Stripe;

/// <summary>
/// One list read with several requests at once. It begins as one window of creation time; whenever a reader is idle, one
/// that is not hands over the older half of what is left of its window. So the windows follow the objects, however these
/// lie in time. Windows are whole seconds and do not overlap: every object comes once. A page that cannot be read ends
/// the list with that error.
/// </summary>
internal sealed class ParallelList<T>(
    string path, ListOptions list, Func<DateRangeOptions, string?, CancellationToken, Task<StripeList<T>>> page)
    where T : IHasId
{
    /// <summary>Both ends belong to it.</summary>
    private sealed record Window(long From, long Until);

    private readonly Channel<Window> _windows = Channel.CreateUnbounded<Window>();
    // Few pages wait for the consumer: memory stays small when it is slower than Stripe.
    private readonly Channel<List<T>> _pages = Channel.CreateBounded<List<T>>(1);
    private int _open = 1;
    private Exception? _failure;

    public async IAsyncEnumerable<T> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (list is not { Created: { GreaterThanOrEqual: { } from, LessThanOrEqual: { } until, GreaterThan: null, LessThan: null }, StartingAfter: null })
            throw new ArgumentException("A list is read in parallel only within created[gte] and created[lte], from its beginning.");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _windows.Writer.TryWrite(new Window(from.ToUnixTimeSeconds(), until.ToUnixTimeSeconds()));
        var reading = ReadAllAsync(ending);
        try
        {
            await foreach (var objects in _pages.Reader.ReadAllAsync(cancellationToken))
            {
                foreach (var item in objects)
                    yield return item;
            }
        }
        finally
        {
            await ending.CancelAsync();
            await reading;
        }
    }

    /// <summary>Never throws: what went wrong goes to the consumer.</summary>
    private async Task ReadAllAsync(CancellationTokenSource ending)
    {
        await Task.WhenAll(Enumerable.Range(0, list.Parallel).Select(_ => WorkAsync(ending)));
        _pages.Writer.Complete(_failure);
    }

    private async Task WorkAsync(CancellationTokenSource ending)
    {
        try
        {
            await foreach (var window in _windows.Reader.ReadAllAsync(ending.Token))
            {
                await ReadAsync(window, ending.Token);
                if (Interlocked.Decrement(ref _open) == 0)
                    _windows.Writer.Complete();
            }
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
            await ending.CancelAsync();
        }
    }

    private async Task ReadAsync(Window window, CancellationToken cancellationToken)
    {
        string? cursor = null;
        while (true)
        {
            var created = new DateRangeOptions
            {
                GreaterThanOrEqual = DateTimeOffset.FromUnixTimeSeconds(window.From),
                LessThanOrEqual = DateTimeOffset.FromUnixTimeSeconds(window.Until),
            };
            var objects = await page(created, cursor, cancellationToken);
            var last = objects.Data.LastOrDefault();
            if (objects.Data.Count > 0)
                await _pages.Writer.WriteAsync(objects.Data, cancellationToken);
            if (!objects.HasMore)
                return;
            cursor = objects.NextCursor(path, cursor);
            if (last is IHasCreated { Created: var oldest })
                window = HandOver(window with { Until = Math.Min(window.Until, oldest.ToUnixTimeSeconds()) });
        }
    }

    private Window HandOver(Window left)
    {
        if (left.From >= left.Until || Volatile.Read(ref _open) >= list.Parallel)
            return left;
        var middle = left.From + ((left.Until - left.From + 1) / 2);
        Interlocked.Increment(ref _open);
        _windows.Writer.TryWrite(new Window(left.From, middle - 1));
        return left with { From = middle };
    }
}
