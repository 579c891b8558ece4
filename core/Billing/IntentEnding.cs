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
/// Ends a PaymentIntent so that nobody can pay on it any more; one of a Checkout Session ends with its session. Success
/// may slip in between any look and any cancel, so a refusal is followed by another look. Any other trouble throws: the
/// state is unknown, and the caller must not act as if it were ended. Where the id of a Checkout Session stands for the
/// PaymentIntent to come, it is taken too.
/// </summary>
public sealed class IntentEnding(StripeClient stripe, JobRun run)
{
    private static readonly PaymentIntentCancelOptions Abandoned = new() { CancellationReason = "abandoned" };

    /// <param name="uncaptured">Also one that waits for a capture: that releases the authorization.</param>
    public async Task<(IntentEnd End, PaymentIntent? Intent)> EndAsync(string id, bool uncaptured = false)
    {
        var (end, intent) = await StateAsync(id, uncaptured);
        return end == IntentEnd.Open ? await CancelAsync(intent?.Id ?? id, uncaptured) : (end, intent);
    }

    /// <summary>Ends what was open a moment ago.</summary>
    public async Task<(IntentEnd End, PaymentIntent? Intent)> CancelAsync(string id, bool uncaptured = false)
    {
        try
        {
            // A fresh key: canceling twice does no harm, and a stored refusal from yesterday must not be replayed.
            return IsSession(id)
                ? await ExpireAsync(id)
                : Of((await stripe.PaymentIntents.CancelAsync(id, Abandoned, IdempotencyKey.New(), run.Aborting)).Value);
        }
        catch (StripeException e) when (e.IsInvalidRequest)
        {
            var (end, intent) = await StateAsync(id, uncaptured);
            if (end == IntentEnd.Open && !IsSession(id))
            {
                await ExpireSessionsAsync(id);
                (end, intent) = await StateAsync(id, uncaptured);
            }

            if (end == IntentEnd.Open)
            {
                run.Log.LogNotEnded(id, e.Message);
            }

            return (end == IntentEnd.Open ? IntentEnd.Busy : end, intent);
        }
    }

    /// <summary>Only looks: what a dry run may know, and what is asked when nothing must be ended yet.</summary>
    public async Task<(IntentEnd End, PaymentIntent? Intent)> StateAsync(string id, bool uncaptured = false) =>
        IsSession(id) ? await SessionStateAsync(id, uncaptured)
        : await LookAsync(id) is { } intent ? Of(intent, uncaptured)
        : (IntentEnd.NotFound, null);

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

    /// <summary>What the state of a PaymentIntent, read just now, means for ending it.</summary>
    public static (IntentEnd End, PaymentIntent? Intent) Of(PaymentIntent intent, bool uncaptured = false) => intent.Status switch
    {
        PaymentIntentStatus.Succeeded => (IntentEnd.Succeeded, intent),
        PaymentIntentStatus.Canceled => (IntentEnd.Canceled, intent),
        PaymentIntentStatus.RequiresPaymentMethod or PaymentIntentStatus.RequiresConfirmation or PaymentIntentStatus.RequiresAction =>
            (IntentEnd.Open, intent),
        PaymentIntentStatus.RequiresCapture when uncaptured => (IntentEnd.Open, intent),
        _ => (IntentEnd.Busy, intent),
    };

    private static bool IsSession(string id) => id.StartsWith("cs_", StringComparison.Ordinal);

    private async Task<(IntentEnd End, PaymentIntent? Intent)> SessionStateAsync(string id, bool uncaptured)
    {
        CheckoutSession session;
        try
        {
            session = (await stripe.CheckoutSessions.GetAsync(id, run.Aborting)).Value;
        }
        catch (StripeException e) when (e.IsNotFound)
        {
            return (IntentEnd.NotFound, null);
        }

        return session switch
        {
            { Status: CheckoutSessionStatus.Open } => (IntentEnd.Open, null),
            { PaymentIntentId: { } intentId } => await StateAsync(intentId, uncaptured),
            { Status: CheckoutSessionStatus.Expired } => (IntentEnd.Canceled, null),
            _ => (IntentEnd.Busy, null),
        };
    }

    private async Task<(IntentEnd End, PaymentIntent? Intent)> ExpireAsync(string sessionId)
    {
        var session = (await stripe.CheckoutSessions.ExpireAsync(sessionId, IdempotencyKey.New(), run.Aborting)).Value;
        return session.PaymentIntentId is { } intentId ? await EndAsync(intentId) : (IntentEnd.Canceled, null);
    }

    private async Task ExpireSessionsAsync(string intentId)
    {
        var open = new CheckoutSessionListOptions { PaymentIntent = intentId, Status = CheckoutSessionStatus.Open };
        await foreach (var session in stripe.CheckoutSessions.ListAsync(open, run.Aborting))
        {
            try
            {
                await stripe.CheckoutSessions.ExpireAsync(session.Id, IdempotencyKey.New(), run.Aborting);
            }
            catch (StripeException e) when (e.IsInvalidRequest)
            {
                // Completed or expired in between: the next look tells.
            }
        }
    }
}
