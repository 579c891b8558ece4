using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>Money given back. Amounts are minor units.</summary>
public sealed class Refund : IHasCreated
{
    public required string Id { get; init; }

    public required long Amount { get; init; }

    public required DateTimeOffset Created { get; init; }

    /// <summary><c>pending</c>, <c>requires_action</c>, <c>succeeded</c>, <c>failed</c> or <c>canceled</c>.</summary>
    public string? Status { get; init; }

    [JsonConverter(typeof(ExpandableFieldConverter<PaymentIntent>))]
    public ExpandableField<PaymentIntent>? PaymentIntent { get; init; }

    [JsonIgnore]
    public string? PaymentIntentId => PaymentIntent?.Id;

    /// <summary>As Stripe counts: on its way or arrived. A failed or canceled one gives the amount back to the payment.</summary>
    [JsonIgnore]
    public bool Counts => Status is not ("failed" or "canceled") && Amount > 0;
}

public sealed class RefundListOptions : ListOptions
{
    public string? PaymentIntent { get; init; }

    private protected override void AddTo(FormWriter query) => query.Add("payment_intent", PaymentIntent);
}

public sealed class RefundService
{
    private readonly StripeTransport transport;

    internal RefundService(StripeTransport transport) => this.transport = transport;

    public IAsyncEnumerable<Refund> ListAsync(RefundListOptions? options = null, CancellationToken cancellationToken = default) =>
        transport.ListAsync("/v1/refunds", options ?? new(), StripeJson.Default.Refunds, cancellationToken);
}
