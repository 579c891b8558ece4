using System.Net;

namespace Jobs.Stripe;

/// <summary>One page, newest first.</summary>
public sealed class StripeList<T>
{
    public required List<T> Data { get; init; }

    public required bool HasMore { get; init; }
}

internal static class StripeListPaging
{
    /// <returns>The id after which the next page begins.</returns>
    public static string NextCursor<T>(this StripeList<T> page, string path, string? cursor)
        where T : IHasId
    {
        var last = page.Data.Count > 0 ? page.Data[^1].Id : cursor;
        return last is null || string.Equals(last, cursor, StringComparison.Ordinal)
            ? throw new StripeException($"The list {path} says that there is more, but its pages do not move on.") { HttpStatus = HttpStatusCode.OK }
            : last;
    }
}

/// <summary>What has an id can be a paging cursor.</summary>
public interface IHasId
{
    string Id { get; }
}

/// <summary>What a list can be cut by: see <see cref="ListOptions.Parallel"/>.</summary>
public interface IHasCreated : IHasId
{
    /// <summary>Whole seconds; many objects share one.</summary>
    DateTimeOffset Created { get; }
}
