using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>A page of Stripe's on which a customer pays. What is to be paid there is ended by expiring the session.</summary>
public sealed class CheckoutSession : IHasId
{
    public required string Id { get; init; }

    /// <summary>See <see cref="CheckoutSessionStatus"/>; an open list.</summary>
    public string? Status { get; init; }

    /// <summary><c>paid</c>, <c>unpaid</c> or <c>no_payment_required</c>; an open list.</summary>
    public string? PaymentStatus { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Null in recent API versions until the customer pays.</summary>
    [JsonConverter(typeof(ExpandableFieldConverter<PaymentIntent>))]
    public ExpandableField<PaymentIntent>? PaymentIntent { get; init; }

    [JsonIgnore]
    public string? PaymentIntentId => PaymentIntent?.Id;

    public IReadOnlyDictionary<string, string> Metadata { get => field ?? MetadataConverter.None; init; }
}

public static class CheckoutSessionStatus
{
    public const string Open = "open";
    public const string Complete = "complete";
    public const string Expired = "expired";
}

public sealed class CheckoutSessionListOptions : ListOptions
{
    /// <summary>Only the sessions of this <c>pi_...</c>.</summary>
    public string? PaymentIntent { get; init; }

    public string? Customer { get; init; }

    public string? Status { get; init; }

    private protected override void AddTo(FormWriter query) => query
        .Add("payment_intent", PaymentIntent)
        .Add("customer", Customer)
        .Add("status", Status);
}

public sealed class CheckoutSessionService
{
    private const string Path = "/v1/checkout/sessions";
    private readonly StripeTransport transport;

    internal CheckoutSessionService(StripeTransport transport) => this.transport = transport;

    public Task<StripeResponse<CheckoutSession>> GetAsync(string id, CancellationToken cancellationToken = default) =>
        transport.GetAsync(StripePath.Of(Path, id), [], StripeJson.Default.CheckoutSession, cancellationToken);

    /// <summary>Only an open one can be expired; any other is refused: <see cref="StripeException.IsInvalidRequest"/>.</summary>
    public Task<StripeResponse<CheckoutSession>> ExpireAsync(string id, IdempotencyKey key, CancellationToken cancellationToken = default) =>
        transport.PostAsync(StripePath.Of(Path, id, "expire"), FormBody.Empty, key, StripeJson.Default.CheckoutSession, cancellationToken);

    public IAsyncEnumerable<CheckoutSession> ListAsync(CheckoutSessionListOptions options, CancellationToken cancellationToken = default) =>
        transport.ListAsync(Path, options, StripeJson.Default.CheckoutSessions, cancellationToken);
}
