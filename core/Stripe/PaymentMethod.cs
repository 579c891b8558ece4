using System.Text.Json.Serialization;

namespace Jobs.Stripe;

public sealed class PaymentMethod : IHasId
{
    public required string Id { get; init; }

    /// <summary><c>card</c>, <c>sepa_debit</c>, ...; an open list.</summary>
    public string? Type { get; init; }

    public DateTimeOffset? Created { get; init; }

    [JsonConverter(typeof(TolerantFlagConverter))]
    public bool Livemode { get; init; }

    /// <summary>Null once detached: a detached method can never be charged again.</summary>
    [JsonConverter(typeof(ExpandableFieldConverter<Customer>))]
    public ExpandableField<Customer>? Customer { get; init; }

    [JsonIgnore]
    public string? CustomerId => Customer?.Id;

    [JsonConverter(typeof(TolerantObjectConverter<PaymentMethodCard>))]
    public PaymentMethodCard? Card { get; init; }
}

public sealed class PaymentMethodCard
{
    public string? Brand { get; init; }

    [JsonPropertyName("last4")]
    public string? Last4 { get; init; }

    public long? ExpMonth { get; init; }

    public long? ExpYear { get; init; }

    /// <summary>The same for the same card number, whatever the customer.</summary>
    public string? Fingerprint { get; init; }
}

public sealed class PaymentMethodListOptions : ListOptions
{
    public string? Type { get; init; }

    private protected override void AddTo(FormWriter query) => query.Add("type", Type);
}

public sealed class PaymentMethodService
{
    private readonly StripeTransport transport;

    internal PaymentMethodService(StripeTransport transport) => this.transport = transport;

    public Task<StripeResponse<PaymentMethod>> GetAsync(string id, CancellationToken cancellationToken = default) =>
        transport.GetAsync(StripePath.Of("/v1/payment_methods", id), [], StripeJson.Default.PaymentMethod, cancellationToken);

    /// <summary>The methods attached to a customer; a creation window is not among Stripe's filters here.</summary>
    public IAsyncEnumerable<PaymentMethod> ListForCustomerAsync(string customerId, PaymentMethodListOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (options?.Created is not null)
            throw new ArgumentException("Stripe does not filter payment methods by creation time.");
        return transport.ListAsync(
            StripePath.Of("/v1/customers", customerId, "payment_methods"), options ?? new(), StripeJson.Default.PaymentMethods, cancellationToken);
    }
}
