using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Charges every due subscription once, off-session. First the attempts of an earlier run whose answer never came are
/// sent again under their own key; then the due ones, oldest period first, get a new attempt each.
/// </summary>
public sealed class Autopayment(
    JobRun run, Db db, DueSubscriptions due, ChargePlan plan, Attempts attempts, Charge charge, Settlement settlement,
    IntentEnding ending, Dunning dunning, Settings settings) : IJob
{
    public async Task RunAsync()
    {
        run.Counters.Add("charged", 0);
        var planned = await plan.CheckAsync();
        var parallel = Parallelism.Of(settings);
        await run.EachAsync(await attempts.UnansweredAsync(), a => Text(a.SubscriptionId!.Value), ReplayAsync, parallel);
        await run.EachAsync(due.ReadAsync(), s => Text(s.Id), ChargeAsync, parallel, planned);
        await Parking.TellStaffAsync(db, run, settings);
    }

    private async Task ReplayAsync(Payment attempt)
    {
        if (await attempts.RenewKeyAsync(attempt) is not { } key)
        {
            return;
        }

        if (run.DryRun)
        {
            run.Count("replayed", attempt.SubscriptionId!.Value, ("payment_id", attempt.Id));
            return;
        }

        run.Counters.Add("replayed");
        Count(attempt.SubscriptionId!.Value, await charge.SendAsync(attempt, key));
    }

    private async Task ChargeAsync(DueSubscription subscription)
    {
        if (run.DryRun)
        {
            run.Count(
                subscription.HasMethod ? "charged" : "no_payment_method", subscription.Id,
                ("amount_minor", subscription.AmountMinor), ("currency", subscription.Currency), ("ended_at", subscription.EndedAt));
            return;
        }

        if (subscription.HasOpenAttempt && !await EndEarlierAttemptsAsync(subscription))
        {
            return;
        }

        // A method that turns out to be detached is blocked and costs no retry: the next one, if any, is tried at once.
        for (var methods = 0; methods < 3; methods++)
        {
            var prepared = await attempts.PrepareAsync(subscription);
            if (prepared.Payment is null)
            {
                await NotPreparedAsync(subscription, prepared);
                return;
            }

            var outcome = await charge.SendAsync(prepared.Payment, prepared.Key);
            if (outcome != ChargeOutcome.MethodUnusable)
            {
                Count(subscription.Id, outcome);
                return;
            }
        }
    }

    /// <summary>
    /// An earlier attempt may still be paid by its mailed link. Only when nothing can be paid on it any more may there be
    /// another; while no other can be made, the link stays good.
    /// </summary>
    /// <returns>False when one succeeded meanwhile, or cannot be ended now.</returns>
    private async Task<bool> EndEarlierAttemptsAsync(DueSubscription subscription)
    {
        foreach (var earlier in await attempts.OpenAsync(subscription.Id))
        {
            var (end, intent) = subscription.HasMethod
                ? await ending.EndAsync(earlier.ProviderPaymentId!)
                : await ending.StateAsync(earlier.ProviderPaymentId!);
            switch (end)
            {
                case IntentEnd.Canceled or IntentEnd.NotFound:
                    await settlement.CloseAsync(earlier, earlier.ProviderPaymentId, PaymentStatus.Canceled, "superseded");
                    break;
                case IntentEnd.Open:
                    break;
                default:
                    var outcome = await settlement.SettleAsync(earlier, intent!);
                    run.Count(outcome == SettlementOutcome.Fulfilled ? "fulfilled" : "waiting", subscription.Id, ("payment_id", earlier.Id));
                    return false;
            }
        }

        return true;
    }

    private async Task NotPreparedAsync(DueSubscription subscription, Prepared prepared)
    {
        if (prepared.LacksMethod)
        {
            await db.TransactionAsync(
                tx => dunning.LackMethodAsync(tx, subscription.Id, subscription.UserId, subscription.EndedAt), run.Aborting);
            run.Count("no_payment_method", subscription.Id);
        }
        else
        {
            run.Count(prepared.AwaitsCustomer ? "awaiting_customer" : "no_longer_due", subscription.Id);
        }
    }

    private void Count(long subscriptionId, ChargeOutcome outcome) => run.Count(
        outcome switch
        {
            ChargeOutcome.Charged => "charged",
            ChargeOutcome.Declined => "declined",
            ChargeOutcome.Parked => "parked_payments",
            ChargeOutcome.MethodUnusable => "no_payment_method",
            _ => "waiting",
        },
        subscriptionId);

    private static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);
}
