using Jobs.Stripe;

namespace Jobs.Billing;

/// <summary>Money that has arrived: at a provider, or in somebody's hands.</summary>
public sealed record Received(long AmountMinor, string Currency, string Method)
{
    /// <summary>Null: taken by hand.</summary>
    public string? Provider { get; init; }
    public string? ProviderPaymentId { get; init; }
    public string? ProviderPaymentMethodId { get; init; }
    public string? ProviderCustomerId { get; init; }

    /// <summary>What was blocked before this works again.</summary>
    public DateTime? ProviderCreatedAt { get; init; }

    /// <summary>What the provider says of it, for whoever has to find out what it paid.</summary>
    public string? Description { get; init; }

    /// <inheritdoc cref="Description"/>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    public long? RecordedBy { get; init; }
    public string? Reference { get; init; }

    /// <summary>What a provider has taken can only be refunded.</summary>
    public bool CanBeRefused => Provider is null;

    public static Received From(PaymentIntent intent) => new(intent.AmountReceived, intent.Currency, "card")
    {
        Provider = "stripe",
        ProviderPaymentId = intent.Id,
        ProviderPaymentMethodId = intent.PaymentMethodId,
        ProviderCustomerId = intent.CustomerId,
        ProviderCreatedAt = intent.Created.UtcDateTime,
        Description = intent.Description,
        Metadata = intent.Metadata,
    };
}
