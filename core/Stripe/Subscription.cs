using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>Of Stripe Billing, which charges it by itself.</summary>
public sealed class Subscription : IHasCreated
{
    public required string Id { get; init; }

    /// <summary>See <see cref="SubscriptionStatus"/>; an open list.</summary>
    public required string Status { get; init; }

    public required DateTimeOffset Created { get; init; }

    public DateTimeOffset? StartDate { get; init; }

    [JsonConverter(typeof(TolerantFlagConverter))]
    public bool CancelAtPeriodEnd { get; init; }

    /// <summary>When it will end, or was to end.</summary>
    public DateTimeOffset? CancelAt { get; init; }

    public IReadOnlyDictionary<string, string> Metadata { get => field ?? MetadataConverter.None; init; }

    [JsonConverter(typeof(ExpandableFieldConverter<Customer>))]
    public ExpandableField<Customer>? Customer { get; init; }

    [JsonIgnore]
    public string? CustomerId => Customer?.Id;

    [JsonConverter(typeof(TolerantObjectConverter<StripeList<SubscriptionItem>>))]
    public StripeList<SubscriptionItem>? Items { get; init; }

    /// <summary>Only API versions before 2025-03-31; later ones have a period for each item.</summary>
    public DateTimeOffset? CurrentPeriodEnd { get; init; }

    /// <summary>The end of the paid period, from either API shape: the earliest among the items.</summary>
    [JsonIgnore]
    public DateTimeOffset? PeriodEnd => Items?.Data.Min(item => item.CurrentPeriodEnd) ?? CurrentPeriodEnd;

    /// <summary>It ends with the paid period, whichever of the two ways it was asked to.</summary>
    [JsonIgnore]
    public bool EndsWithPeriod => CancelAtPeriodEnd || CancelAt <= PeriodEnd;
}

public sealed class SubscriptionItem
{
    public string? Id { get; init; }

    public DateTimeOffset? CurrentPeriodEnd { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<Price>))]
    public Price? Price { get; init; }
}

public sealed class Price
{
    public required string Id { get; init; }

    /// <summary>The account's own name for it.</summary>
    public string? LookupKey { get; init; }
}

public static class SubscriptionStatus
{
    public const string Incomplete = "incomplete";
    public const string IncompleteExpired = "incomplete_expired";
    public const string Trialing = "trialing";
    public const string Active = "active";
    public const string PastDue = "past_due";
    public const string Canceled = "canceled";
    public const string Unpaid = "unpaid";
    public const string Paused = "paused";
}

public sealed class SubscriptionListOptions : ListOptions
{
    /// <summary>One status, <c>ended</c> or <c>all</c>; without it Stripe hides canceled ones.</summary>
    public string? Status { get; init; }

    public string? Customer { get; init; }

    private protected override void AddTo(FormWriter query) => query.Add("status", Status).Add("customer", Customer);
}

public sealed class SubscriptionService
{
    private const string Path = "/v1/subscriptions";
    private readonly StripeTransport transport;

    internal SubscriptionService(StripeTransport transport) => this.transport = transport;

    public Task<StripeResponse<Subscription>> GetAsync(string id, CancellationToken cancellationToken = default) =>
        transport.GetAsync(StripePath.Of(Path, id), [], StripeJson.Default.Subscription, cancellationToken);

    public IAsyncEnumerable<Subscription> ListAsync(SubscriptionListOptions? options = null, CancellationToken cancellationToken = default) =>
        transport.ListAsync(Path, options ?? new(), StripeJson.Default.Subscriptions, cancellationToken);
}
