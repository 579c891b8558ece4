using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>A charge questioned by the cardholder's bank. Amounts are minor units.</summary>
public sealed class Dispute : IHasCreated
{
    public required string Id { get; init; }

    public required long Amount { get; init; }

    public required DateTimeOffset Created { get; init; }

    /// <summary>See <see cref="DisputeStatus"/>; an open list.</summary>
    public required string Status { get; init; }

    [JsonConverter(typeof(ExpandableFieldConverter<PaymentIntent>))]
    public ExpandableField<PaymentIntent>? PaymentIntent { get; init; }

    [JsonIgnore]
    public string? PaymentIntentId => PaymentIntent?.Id;
}

public static class DisputeStatus
{
    public const string Lost = "lost";
    public const string Won = "won";

    /// <summary>The money is with the cardholder for good, unless an appeal brings it back.</summary>
    public static bool IsLost(string? status) => status is Lost or "appeal_needs_response" or "appeal_under_review";

    /// <summary>No money is withheld: decided for us, never opened, or an inquiry, which comes before any dispute.</summary>
    public static bool IsHarmless(string? status) =>
        status is null or Won or "prevented" or "warning_needs_response" or "warning_under_review" or "warning_closed";
}

public sealed class DisputeListOptions : ListOptions
{
    public string? PaymentIntent { get; init; }

    private protected override void AddTo(FormWriter query) => query.Add("payment_intent", PaymentIntent);
}

public sealed class DisputeService
{
    private readonly StripeTransport transport;

    internal DisputeService(StripeTransport transport) => this.transport = transport;

    public IAsyncEnumerable<Dispute> ListAsync(DisputeListOptions? options = null, CancellationToken cancellationToken = default) =>
        transport.ListAsync("/v1/disputes", options ?? new(), StripeJson.Default.Disputes, cancellationToken);
}
