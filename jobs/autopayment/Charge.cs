using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;
using Microsoft.Extensions.Logging;

namespace Jobs;

public enum ChargeOutcome
{
    Charged,
    Declined,
    Parked,

    /// <summary>Stripe is at it, or the customer must act.</summary>
    Waiting,

    /// <summary>The method is not the customer's any more; nothing was charged and the method is blocked.</summary>
    MethodUnusable,
}

/// <summary>
/// Sends an attempt and books the answer. Without a definitive answer the attempt stays in flight, which forbids another
/// one: it is sent again under the same key by a later run, or found by match-pending-payments.
/// </summary>
public sealed class Charge(JobRun run, Db db, StripeClient stripe, Settlement settlement, IntentEnding intents, Dunning dunning)
{
    public async Task<ChargeOutcome> SendAsync(Payment attempt, IdempotencyKey key)
    {
        StripeResponse<PaymentIntent> answer;
        try
        {
            answer = await stripe.PaymentIntents.CreateAsync(FormBody.Parse(attempt.ProviderRequest!), key, run.Aborting);
        }
        catch (StripeException e) when (e.IsCardError)
        {
            return await DeclinedAsync(attempt, e);
        }
        catch (StripeException e) when (e.IsAuthentication || e.IsPermission)
        {
            await CloseIfNothingHappenedAsync(attempt, e, "provider_unauthorized");
            throw new StopRunException($"Stripe refuses the key: {e.Message}; check STRIPE_SECRET_KEY and its permissions. No retry was spent", e);
        }
        catch (StripeException e) when (IsUnusableMethod(e) && !e.MayHaveHappened)
        {
            await BlockAsync(attempt, e, "detached", "payment_method_detached");
            return ChargeOutcome.MethodUnusable;
        }
        catch (StripeException e) when (e is { HttpStatus: System.Net.HttpStatusCode.BadRequest, IsIdempotencyError: false })
        {
            if (IsUnknownCustomer(e) && !e.MayHaveHappened && await IsCustomerDeletedAsync(attempt))
            {
                // All its methods went with it.
                await BlockAsync(attempt, e, "customer_deleted", "customer_deleted");
                return ChargeOutcome.MethodUnusable;
            }

            await CloseIfNothingHappenedAsync(attempt, e, e.StripeError?.Code ?? "invalid_request");
            throw;
        }

        // A replay tells what was true then.
        var intent = answer.IdempotentReplayed ? await intents.LookAsync(answer.Value.Id) ?? answer.Value : answer.Value;
        return Of(await settlement.SettleAsync(attempt, intent));
    }

    private async Task<ChargeOutcome> DeclinedAsync(Payment attempt, StripeException e)
    {
        var refused = e.StripeError!.PaymentIntent;
        if (e.IdempotentReplayed && refused is not null && await intents.LookAsync(refused.Id) is { } now)
        {
            return Of(await settlement.SettleAsync(attempt, now));
        }

        await db.TransactionAsync(tx => dunning.DeclineAsync(tx, attempt, e.StripeError, refused?.Id), run.Aborting);
        return ChargeOutcome.Declined;
    }

    private static ChargeOutcome Of(SettlementOutcome outcome) => outcome switch
    {
        SettlementOutcome.Fulfilled or SettlementOutcome.AlreadyFulfilled or SettlementOutcome.Refunded => ChargeOutcome.Charged,
        SettlementOutcome.Parked => ChargeOutcome.Parked,
        SettlementOutcome.Declined or SettlementOutcome.Canceled => ChargeOutcome.Declined,
        _ => ChargeOutcome.Waiting,
    };

    /// <summary>Unknown, or no longer attached to the customer.</summary>
    private static bool IsUnusableMethod(StripeException e) =>
        e is { HttpStatus: System.Net.HttpStatusCode.BadRequest or System.Net.HttpStatusCode.NotFound, IsIdempotencyError: false }
        && (e.StripeError?.Param == "payment_method"
            || (e.StripeError?.Message?.Contains("must be attached to the customer", StringComparison.OrdinalIgnoreCase) ?? false));

    private static bool IsUnknownCustomer(StripeException e) =>
        e is { IsNotFound: true, StripeError.Param: "customer" };

    /// <summary>Stripe remembers whom it deleted. Another account's key, of which no customer is known, blocks nothing.</summary>
    private async Task<bool> IsCustomerDeletedAsync(Payment attempt)
    {
        try
        {
            return attempt.ProviderCustomerId is { } customer && (await stripe.Customers.GetAsync(customer, run.Aborting)).Value.Deleted;
        }
        catch (StripeException e) when (e.IsNotFound)
        {
            return false;
        }
    }

    private const string Block =
        """
        INSERT INTO blocked_payment_methods (provider_payment_method_id, reason)
        VALUES (@ProviderPaymentMethodId, @reason)
        ON CONFLICT (provider_payment_method_id) DO NOTHING
        """;

    private async Task BlockAsync(Payment attempt, StripeException e, string reason, string failureCode)
    {
        run.Log.LogInformation("Subscription {Subscription}: payment method not usable: {Reason}", attempt.SubscriptionId, e.Message);
        await db.TransactionAsync(tx => tx.ExecuteAsync(Block, new { attempt.ProviderPaymentMethodId, reason }), run.Aborting);
        await settlement.CloseAsync(attempt, null, PaymentStatus.Failed, failureCode);
    }

    /// <summary>An attempt that certainly charged nothing is closed, so that the next run makes a new one at once.</summary>
    private async Task CloseIfNothingHappenedAsync(Payment attempt, StripeException e, string reason)
    {
        // A replayed attempt may have been carried out in an earlier run: only its own key's answer could tell.
        if (!e.MayHaveHappened && attempt.SentAt is { } sent && await IsFirstSendAsync(sent))
        {
            await settlement.CloseAsync(attempt, null, PaymentStatus.Canceled, reason);
        }
    }

    private Task<bool> IsFirstSendAsync(DateTime sent) =>
        db.TransactionAsync(
            tx => tx.SingleAsync<bool>("SELECT started_at <= @sent FROM job_runs WHERE id = @Id", new { sent, run.Id }), run.Aborting);
}
