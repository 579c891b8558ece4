using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>One collection of money from one customer. Amounts are minor units of <see cref="Currency"/>.</summary>
public sealed class PaymentIntent : IHasCreated
{
    public required string Id { get; init; }

    public string? Object { get; init; }

    public required long Amount { get; init; }

    [JsonConverter(typeof(TolerantAmountConverter))]
    public long AmountReceived { get; init; }

    [JsonConverter(typeof(TolerantAmountConverter))]
    public long AmountCapturable { get; init; }

    /// <summary>Three lower-case letters.</summary>
    public required string Currency { get; init; }

    /// <summary>See <see cref="PaymentIntentStatus"/>; an open list.</summary>
    public required string Status { get; init; }

    /// <summary>Whole seconds; many objects share one.</summary>
    public required DateTimeOffset Created { get; init; }

    public DateTimeOffset? CanceledAt { get; init; }

    public string? CancellationReason { get; init; }

    public string? CaptureMethod { get; init; }

    public string? Description { get; init; }

    [JsonConverter(typeof(TolerantFlagConverter))]
    public bool Livemode { get; init; }

    public IReadOnlyDictionary<string, string> Metadata { get => field ?? MetadataConverter.None; init; }

    [JsonConverter(typeof(ExpandableFieldConverter<Customer>))]
    public ExpandableField<Customer>? Customer { get; init; }

    [JsonIgnore]
    public string? CustomerId => Customer?.Id;

    [JsonConverter(typeof(ExpandableFieldConverter<PaymentMethod>))]
    public ExpandableField<PaymentMethod>? PaymentMethod { get; init; }

    [JsonIgnore]
    public string? PaymentMethodId => PaymentMethod?.Id;

    [JsonConverter(typeof(ExpandableFieldConverter<Charge>))]
    public ExpandableField<Charge>? LatestCharge { get; init; }

    [JsonIgnore]
    public string? LatestChargeId => LatestCharge?.Id;

    /// <summary>Only API versions before 2025-03-31; later ones are asked through <see cref="InvoicePaymentService"/>.</summary>
    [JsonConverter(typeof(ExpandableFieldConverter<Invoice>))]
    public ExpandableField<Invoice>? Invoice { get; init; }

    /// <summary>Why the last confirmation failed; kept until the next one.</summary>
    [JsonConverter(typeof(TolerantObjectConverter<StripeError>))]
    public StripeError? LastPaymentError { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<PaymentIntentNextAction>))]
    public PaymentIntentNextAction? NextAction { get; init; }
}

/// <summary>What the customer has to do before the payment can go on.</summary>
public sealed class PaymentIntentNextAction
{
    public string? Type { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<PaymentIntentNextActionRedirectToUrl>))]
    public PaymentIntentNextActionRedirectToUrl? RedirectToUrl { get; init; }
}

public sealed class PaymentIntentNextActionRedirectToUrl
{
    public string? Url { get; init; }
}

public static class PaymentIntentStatus
{
    public const string RequiresPaymentMethod = "requires_payment_method";
    public const string RequiresConfirmation = "requires_confirmation";
    public const string RequiresAction = "requires_action";
    public const string Processing = "processing";
    public const string RequiresCapture = "requires_capture";
    public const string Succeeded = "succeeded";
    public const string Canceled = "canceled";
}
