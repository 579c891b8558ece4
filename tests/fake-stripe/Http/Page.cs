using System.Globalization;

namespace Jobs.Testing.FakeStripe;

/// <summary>One page of a list, newest first.</summary>
internal sealed record Page(IReadOnlyList<IWritable> Items, bool HasMore, string Url) : IWritable
{
    public void Write(JsonOut json)
    {
        json.Begin();
        json.Text("object", "list");
        json.BeginArray("data");
        foreach (var item in Items)
            item.Write(json);
        json.EndArray();
        json.Flag("has_more", HasMore);
        json.Text("url", Url);
        json.End();
    }

    /// <summary>
    /// The page that <c>limit</c>, <c>starting_after</c>, <c>ending_before</c> and <c>created</c> ask for. The cursor
    /// is a place in the order, so it stays good when its object no longer matches the filter, and newer objects
    /// never shift the pages that follow it.
    /// </summary>
    public static Page Of<T>(Call call, CreatedIndex<T> index, string noun, string url, Func<T, bool>? filter = null) where T : StripeObject
    {
        var parameters = call.Parameters;
        var limit = (int)(parameters.Int("limit") ?? 10);
        var (low, high) = Window(index, parameters["created"]);

        if (parameters.Text("starting_after") is { } after)
        {
            var cursor = Cursor<T>(call, after, noun, "starting_after");
            high = Math.Min(high, index.Position(cursor.Created, cursor.Sequence));
        }

        if (parameters.Text("ending_before") is { } before)
        {
            var cursor = Cursor<T>(call, before, noun, "ending_before");
            low = Math.Max(low, index.Position(cursor.Created, cursor.Sequence + 1));
            return Upwards(index, low, high, limit, filter, url);
        }

        List<IWritable> items = [];
        for (var position = high - 1; position >= low; position--)
        {
            if (filter is not null && !filter(index[position]))
                continue;
            if (items.Count == limit)
                return new Page(items, HasMore: true, url);
            items.Add(index[position]);
        }

        return new Page(items, HasMore: false, url);
    }

    public static bool InRange(Param? range, long? value)
    {
        if (range is null)
            return true;
        if (value is not { } number)
            return false;
        if (range.Children is null)
            return range.Value is null or "" || number == long.Parse(range.Value, CultureInfo.InvariantCulture);
        return !(number <= range.Int("gt") || number < range.Int("gte") || number >= range.Int("lt") || number > range.Int("lte"));
    }

    private static Page Upwards<T>(CreatedIndex<T> index, int low, int high, int limit, Func<T, bool>? filter, string url) where T : StripeObject
    {
        List<IWritable> items = [];
        var more = false;
        for (var position = low; position < high && !more; position++)
        {
            if (filter is not null && !filter(index[position]))
                continue;
            if (items.Count == limit)
                more = true;
            else
                items.Add(index[position]);
        }

        items.Reverse();
        return new Page(items, more, url);
    }

    private static (int Low, int High) Window<T>(CreatedIndex<T> index, Param? created) where T : StripeObject
    {
        if (created is null)
            return (0, index.Count);
        if (created.Children is null)
        {
            var at = long.Parse(created.Value!, CultureInfo.InvariantCulture);
            return (index.Position(at, 0), index.Position(at + 1, 0));
        }

        var from = Math.Max(created.Int("gte") ?? long.MinValue, created.Int("gt") + 1 ?? long.MinValue);
        var until = Math.Min(created.Int("lt") ?? long.MaxValue, created.Int("lte") + 1 ?? long.MaxValue);
        return (index.Position(from, 0), index.Position(until, 0));
    }

    private static T Cursor<T>(Call call, string id, string noun, string parameter) where T : StripeObject =>
        call.World.Find<T>(id) ?? throw StripeError.Missing(noun, id, parameter);
}
