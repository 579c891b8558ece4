using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>Which payment paid which invoice.</summary>
public sealed class InvoicePayment : IHasId
{
    public required string Id { get; init; }

    [JsonConverter(typeof(ExpandableFieldConverter<Invoice>))]
    public ExpandableField<Invoice>? Invoice { get; init; }

    /// <summary><c>open</c>, <c>paid</c> or <c>canceled</c>; an open list.</summary>
    public string? Status { get; init; }

    /// <summary>Minor units; null until paid.</summary>
    public long? AmountPaid { get; init; }

    public string? Currency { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<InvoicePaymentPayment>))]
    public InvoicePaymentPayment? Payment { get; init; }

    [JsonIgnore]
    public string? PaymentIntentId => Payment?.PaymentIntent?.Id;
}

public sealed class InvoicePaymentPayment
{
    public string? Type { get; init; }

    [JsonConverter(typeof(ExpandableFieldConverter<PaymentIntent>))]
    public ExpandableField<PaymentIntent>? PaymentIntent { get; init; }
}

public sealed class InvoicePaymentListOptions : ListOptions
{
    /// <summary>Only the invoices that this <c>pi_...</c> pays.</summary>
    public string? PaymentIntent { get; init; }

    public string? Invoice { get; init; }

    public string? Status { get; init; }

    private protected override void AddTo(FormWriter query) => query
        .Add("payment[type]", PaymentIntent is null ? null : "payment_intent")
        .Add("payment[payment_intent]", PaymentIntent)
        .Add("invoice", Invoice)
        .Add("status", Status);
}

public sealed class InvoicePaymentService
{
    private readonly StripeTransport transport;

    internal InvoicePaymentService(StripeTransport transport) => this.transport = transport;

    public IAsyncEnumerable<InvoicePayment> ListAsync(InvoicePaymentListOptions options, CancellationToken cancellationToken = default) =>
        transport.ListAsync("/v1/invoice_payments", options, StripeJson.Default.InvoicePayments, cancellationToken);

    /// <summary>The invoices that one PaymentIntent pays, each expanded; none for a payment outside Stripe Billing.</summary>
    public IAsyncEnumerable<InvoicePayment> ListAsync(string paymentIntentId, CancellationToken cancellationToken = default) =>
        ListAsync(new InvoicePaymentListOptions { PaymentIntent = paymentIntentId, Expand = ["data.invoice"] }, cancellationToken);
}
