namespace Jobs.Stripe;

/// <summary>One page, newest first.</summary>
public sealed class StripeList<T>
{
    public required List<T> Data { get; init; }

    public required bool HasMore { get; init; }
}

/// <summary>What has an id can be a paging cursor.</summary>
public interface IHasId
{
    string Id { get; }
}
