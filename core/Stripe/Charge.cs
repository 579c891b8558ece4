using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>One try on the card network. Amounts are minor units of <see cref="Currency"/>.</summary>
public sealed class Charge : IHasId
{
    public required string Id { get; init; }

    public long? Amount { get; init; }

    [JsonConverter(typeof(TolerantAmountConverter))]
    public long AmountRefunded { get; init; }

    public string? Currency { get; init; }

    /// <summary><c>succeeded</c>, <c>pending</c> or <c>failed</c>.</summary>
    public string? Status { get; init; }

    [JsonConverter(typeof(TolerantFlagConverter))]
    public bool Refunded { get; init; }

    [JsonConverter(typeof(TolerantFlagConverter))]
    public bool Disputed { get; init; }

    public string? FailureCode { get; init; }

    [JsonConverter(typeof(TolerantObjectConverter<ChargeOutcome>))]
    public ChargeOutcome? Outcome { get; init; }
}

public sealed class ChargeOutcome
{
    public string? NetworkStatus { get; init; }

    /// <summary><c>previously_declined_do_not_retry</c> means that Stripe itself blocks further tries for days.</summary>
    public string? Reason { get; init; }

    public string? Type { get; init; }
}
