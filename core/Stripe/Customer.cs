using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>A deleted customer has an id and <see cref="Deleted"/>, nothing else.</summary>
public sealed class Customer : IHasId
{
    public required string Id { get; init; }

    [JsonConverter(typeof(TolerantFlagConverter))]
    public bool Deleted { get; init; }

    public string? Email { get; init; }

    public string? Name { get; init; }

    public DateTimeOffset? Created { get; init; }

    public string? Currency { get; init; }

    [JsonConverter(typeof(TolerantFlagConverter))]
    public bool Livemode { get; init; }

    public IReadOnlyDictionary<string, string> Metadata { get => field ?? MetadataConverter.None; init; }

    /// <summary>The older kind of default method, asked after the invoice settings' one.</summary>
    [JsonConverter(typeof(ExpandableFieldConverter<PaymentMethod>))]
    public ExpandableField<PaymentMethod>? DefaultSource { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<CustomerInvoiceSettings>))]
    public CustomerInvoiceSettings? InvoiceSettings { get; init; }
}

public sealed class CustomerInvoiceSettings
{
    [JsonConverter(typeof(ExpandableFieldConverter<PaymentMethod>))]
    public ExpandableField<PaymentMethod>? DefaultPaymentMethod { get; init; }
}

public sealed class CustomerService
{
    private readonly StripeTransport transport;

    internal CustomerService(StripeTransport transport) => this.transport = transport;

    /// <summary>A deleted customer is an answer, not an error: see <see cref="Customer.Deleted"/>.</summary>
    public Task<StripeResponse<Customer>> GetAsync(string id, CancellationToken cancellationToken = default) =>
        transport.GetAsync(StripePath.Of("/v1/customers", id), [], StripeJson.Default.Customer, cancellationToken);
}
