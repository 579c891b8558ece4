namespace Jobs.Stripe;

/// <summary>What every list takes. Lists run newest first and are read page after page, one page in memory, unless <see cref="Parallel"/> says otherwise.</summary>
public abstract class ListOptions
{
    /// <summary>Objects a page, 1 to 100.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>Begin after (before, in time) this id.</summary>
    public string? StartingAfter { get; init; }

    public DateRangeOptions? Created { get; init; }

    /// <summary>
    /// Above 1: that many pages are asked for at once, by cutting the window of <see cref="Created"/> (both of its "or equal"
    /// bounds are needed). Every object comes once, in no order; the end comes only when every part was read to its end.
    /// </summary>
    public int Parallel { get; init; } = 1;

    /// <summary>Members to expand, written <c>data.customer</c>; at most four levels.</summary>
    public IReadOnlyList<string>? Expand { get; init; }

    internal string ToQuery(string? startingAfter) => ToQuery(startingAfter, Created);

    internal string ToQuery(string? startingAfter, DateRangeOptions? created)
    {
        if (Limit is < 1 or > 100)
            throw new ArgumentException($"A page holds 1 to 100 objects, not {Limit}.");
        var query = new FormWriter().Add("limit", Limit).Add("starting_after", startingAfter);
        created?.AddTo(query, "created");
        AddTo(query);
        return query.AddList("expand", Expand).ToString();
    }

    private protected abstract void AddTo(FormWriter query);
}

/// <summary>
/// A window of creation times. Stripe truncates <c>created</c> to whole seconds; a bound with a fraction widens the
/// window to the seconds it cuts, never narrows it, so neighbouring windows may overlap: tell objects apart by id.
/// </summary>
public sealed class DateRangeOptions
{
    public DateTimeOffset? GreaterThan { get; init; }

    public DateTimeOffset? GreaterThanOrEqual { get; init; }

    public DateTimeOffset? LessThan { get; init; }

    public DateTimeOffset? LessThanOrEqual { get; init; }

    internal void AddTo(FormWriter query, string name)
    {
        query.Add(name + "[gt]", Floor(GreaterThan) - (HasFraction(GreaterThan) ? 1 : 0));
        query.Add(name + "[gte]", Floor(GreaterThanOrEqual));
        query.Add(name + "[lt]", Floor(LessThan) + (HasFraction(LessThan) ? 1 : 0));
        query.Add(name + "[lte]", Floor(LessThanOrEqual));
    }

    private static long? Floor(DateTimeOffset? time) => time?.ToUnixTimeSeconds();

    private static bool HasFraction(DateTimeOffset? time) => time?.Ticks % TimeSpan.TicksPerSecond > 0;
}
