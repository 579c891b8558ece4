using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>Of Stripe Billing. Amounts are minor units of <see cref="Currency"/>.</summary>
public sealed class Invoice : IHasId
{
    public required string Id { get; init; }

    public string? Status { get; init; }

    public string? BillingReason { get; init; }

    public required long AmountPaid { get; init; }

    public required string Currency { get; init; }

    public DateTimeOffset? Created { get; init; }

    /// <summary>When the invoice's items were collected; the paid time is in <see cref="FirstLinePeriod"/>.</summary>
    public DateTimeOffset? PeriodStart { get; init; }

    public DateTimeOffset? PeriodEnd { get; init; }

    public IReadOnlyDictionary<string, string> Metadata { get => field ?? MetadataConverter.None; init; }

    [JsonConverter(typeof(ExpandableFieldConverter<Customer>))]
    public ExpandableField<Customer>? Customer { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<InvoiceParent>))]
    public InvoiceParent? Parent { get; init; }

    /// <summary>Only API versions before 2025-03-31.</summary>
    [JsonConverter(typeof(ExpandableFieldConverter<Subscription>))]
    public ExpandableField<Subscription>? Subscription { get; init; }

    /// <summary>Only API versions before 2025-03-31.</summary>
    [JsonConverter(typeof(TolerantObjectConverter<InvoiceSubscriptionDetails>))]
    public InvoiceSubscriptionDetails? SubscriptionDetails { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<StripeList<InvoiceLineItem>>))]
    public StripeList<InvoiceLineItem>? Lines { get; init; }

    /// <summary>From either API shape; null for an invoice without a subscription.</summary>
    [JsonIgnore]
    public string? SubscriptionId => (Parent?.SubscriptionDetails?.Subscription ?? Subscription)?.Id;

    /// <summary>The subscription's metadata as the invoice froze it, from either API shape.</summary>
    [JsonIgnore]
    public IReadOnlyDictionary<string, string> SubscriptionMetadata =>
        (Parent?.SubscriptionDetails ?? SubscriptionDetails)?.Metadata ?? MetadataConverter.None;

    /// <summary>The time that the first line pays for.</summary>
    [JsonIgnore]
    public InvoiceLineItemPeriod? FirstLinePeriod => Lines?.Data.FirstOrDefault()?.Period;
}

public sealed class InvoiceParent
{
    public string? Type { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<InvoiceSubscriptionDetails>))]
    public InvoiceSubscriptionDetails? SubscriptionDetails { get; init; }
}

public sealed class InvoiceSubscriptionDetails
{
    [JsonConverter(typeof(ExpandableFieldConverter<Subscription>))]
    public ExpandableField<Subscription>? Subscription { get; init; }

    public IReadOnlyDictionary<string, string> Metadata { get => field ?? MetadataConverter.None; init; }
}

public sealed class InvoiceLineItem
{
    public string? Id { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<InvoiceLineItemPeriod>))]
    public InvoiceLineItemPeriod? Period { get; init; }
}

public sealed class InvoiceLineItemPeriod
{
    public required DateTimeOffset Start { get; init; }

    public required DateTimeOffset End { get; init; }
}

public sealed class InvoiceService
{
    private readonly StripeTransport transport;

    internal InvoiceService(StripeTransport transport) => this.transport = transport;

    public Task<StripeResponse<Invoice>> GetAsync(string id, CancellationToken cancellationToken = default) =>
        transport.GetAsync(StripePath.Of("/v1/invoices", id), [], StripeJson.Default.Invoice, cancellationToken);
}
