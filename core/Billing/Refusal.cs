using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>Why a payment or a membership cannot be had.</summary>
/// <param name="Reason">For programs: a <see cref="ParkingReason"/> or a <see cref="RefusalReason"/>.</param>
/// <param name="Sentence">For people.</param>
public sealed record Refusal(string Reason, string Sentence);

/// <summary>What is refused to people and never happens to money that a provider has taken.</summary>
public static class RefusalReason
{
    /// <summary>Missing, malformed or not fitting each other.</summary>
    public const string Invalid = "invalid";

    /// <summary>The reference stands for another payment or membership.</summary>
    public const string ReferenceUsed = "reference_used";

    /// <summary>Only staff and administrators record.</summary>
    public const string RecorderRefused = "recorder_refused";

    /// <summary>A payment for the same is under way, online or at a card terminal: both might succeed.</summary>
    public const string InFlight = "in_flight";

    /// <summary>The order is neither paid nor waiting to be.</summary>
    public const string NotPayable = "not_payable";

    /// <summary>Stripe Billing collects for this subscription itself.</summary>
    public const string BilledByStripe = "billed_by_stripe";

    /// <summary>The plan is not sold any more.</summary>
    public const string PlanInactive = "plan_inactive";

    /// <summary>The payment that is to pay a membership is unknown, another's, given back, or has paid for something else.</summary>
    public const string PaymentRefused = "payment_refused";

    /// <summary>There is no card terminal.</summary>
    public const string MethodUnavailable = "method_unavailable";
}

/// <summary>A business rule says no, and nothing was written: the message is the sentence to show.</summary>
public sealed class RefusedException : OperatorException
{
    public RefusedException(string reason, string sentence)
        : base(sentence) => Reason = reason;

    internal RefusedException(Refusal refusal)
        : this(refusal.Reason, refusal.Sentence)
    {
    }

    /// <summary>For programs: a <see cref="ParkingReason"/> or a <see cref="RefusalReason"/>.</summary>
    public string Reason { get; }
}
