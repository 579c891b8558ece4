using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs.Billing;

public enum IntentEnd
{
    /// <summary>Canceled, now or before: nothing can be paid on it any more.</summary>
    Canceled,

    /// <summary>The provider does not know it.</summary>
    NotFound,

    /// <summary>It succeeded; the PaymentIntent comes along.</summary>
    Succeeded,

    /// <summary>The provider is at it, or holds an authorization: it cannot be ended now.</summary>
    Busy,

    /// <summary>It can still be paid, and be ended.</summary>
    Open,
}

/// <summary>
/// Ends a PaymentIntent so that nobody can pay on it any more. Success may slip in between any look and any cancel, so the
/// cancel comes first and a refusal is followed by a look. Any other trouble throws: the state is unknown, and the caller
/// must not act as if it were ended.
/// </summary>
public sealed class IntentEnding(StripeClient stripe, JobRun run)
{
    private static readonly PaymentIntentCancelOptions Abandoned = new() { CancellationReason = "abandoned" };

    public async Task<(IntentEnd End, PaymentIntent? Intent)> EndAsync(string intentId)
    {
        var (end, intent) = await StateAsync(intentId);
        if (end != IntentEnd.Open)
        {
            return (end, intent);
        }

        try
        {
            // A fresh key: canceling twice does no harm, and a stored refusal from yesterday must not be replayed.
            var canceled = await stripe.PaymentIntents.CancelAsync(intentId, Abandoned, IdempotencyKey.New(), run.Aborting);
            return Of(canceled.Value);
        }
        catch (StripeException e) when (e.IsUnexpectedState)
        {
            (end, intent) = await StateAsync(intentId);
            return (end == IntentEnd.Open ? IntentEnd.Busy : end, intent);
        }
    }

    /// <summary>Only looks: what a dry run may know, and what is asked when nothing must be ended yet.</summary>
    public async Task<(IntentEnd End, PaymentIntent? Intent)> StateAsync(string intentId) =>
        await LookAsync(intentId) is not { } intent ? (IntentEnd.NotFound, null)
        : IsCancelable(intent.Status) ? (IntentEnd.Open, intent)
        : Of(intent);

    /// <returns>The current state with the charge, or null when the provider does not know the id.</returns>
    public async Task<PaymentIntent?> LookAsync(string intentId)
    {
        try
        {
            return (await stripe.PaymentIntents.GetAsync(intentId, [Fulfilment.LatestCharge], run.Aborting)).Value;
        }
        catch (StripeException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    private static bool IsCancelable(string status) =>
        status is PaymentIntentStatus.RequiresPaymentMethod or PaymentIntentStatus.RequiresConfirmation or PaymentIntentStatus.RequiresAction;

    private static (IntentEnd, PaymentIntent?) Of(PaymentIntent intent) => intent.Status switch
    {
        PaymentIntentStatus.Succeeded => (IntentEnd.Succeeded, intent),
        PaymentIntentStatus.Canceled => (IntentEnd.Canceled, intent),
        _ => (IntentEnd.Busy, intent),
    };
}
