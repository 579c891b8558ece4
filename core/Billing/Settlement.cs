using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;
using Npgsql;

namespace Jobs.Billing;

public enum SettlementOutcome
{
    Fulfilled,
    AlreadyFulfilled,

    /// <summary>It succeeded, and all of it had gone back already: booked, nothing granted.</summary>
    Refunded,
    Parked,
    Declined,
    Canceled,

    /// <summary>The provider has not decided: processing, or waiting for the customer.</summary>
    StillOpen,
}

/// <summary>
/// Brings a payments row to what its PaymentIntent, read just now, says. Terminal rows stay as they are: a late "canceled"
/// never undoes a success. Safe to repeat.
/// </summary>
public sealed class Settlement(Db db, JobRun run, Fulfilment fulfilment, Dunning dunning)
{
    public async Task<SettlementOutcome> SettleAsync(Payment payment, PaymentIntent intent) => intent.Status switch
    {
        PaymentIntentStatus.Succeeded => Of(await fulfilment.FulfilAsync(intent)),
        PaymentIntentStatus.Canceled => await CancelAsync(payment, intent),
        PaymentIntentStatus.RequiresPaymentMethod when intent.LastPaymentError is { } error =>
            await DeclineAsync(payment, intent, error),
        // Off-session nobody is there to act: for a renewal attempt this is a demand for authentication.
        PaymentIntentStatus.RequiresAction when payment.IsRenewalAttempt =>
            await DeclineAsync(payment, intent, AuthenticationRequired),
        _ => await KeepOpenAsync(payment, intent),
    };

    /// <summary>
    /// What <see cref="SettleAsync"/> would come to, for a dry run; a success as far as <see cref="Fulfilment.ForeseeAsync"/>
    /// can tell.
    /// </summary>
    public async Task<SettlementOutcome> ForeseeAsync(Payment payment, PaymentIntent intent) => intent.Status switch
    {
        PaymentIntentStatus.Succeeded => Of(await fulfilment.ForeseeAsync(intent)),
        PaymentIntentStatus.Canceled => SettlementOutcome.Canceled,
        PaymentIntentStatus.RequiresPaymentMethod when intent.LastPaymentError is not null => SettlementOutcome.Declined,
        PaymentIntentStatus.RequiresAction when payment.IsRenewalAttempt => SettlementOutcome.Declined,
        _ => SettlementOutcome.StillOpen,
    };

    private static SettlementOutcome Of(FulfilmentOutcome outcome) => outcome switch
    {
        FulfilmentOutcome.Fulfilled => SettlementOutcome.Fulfilled,
        FulfilmentOutcome.AlreadyFulfilled => SettlementOutcome.AlreadyFulfilled,
        FulfilmentOutcome.Refunded => SettlementOutcome.Refunded,
        _ => SettlementOutcome.Parked,
    };

    private static readonly StripeError AuthenticationRequired = new()
    {
        Type = StripeErrorType.CardError,
        Code = StripeErrorCode.AuthenticationRequired,
        DeclineCode = StripeErrorCode.AuthenticationRequired,
    };

    private async Task<SettlementOutcome> DeclineAsync(Payment payment, PaymentIntent intent, StripeError error)
    {
        await db.TransactionAsync(tx => dunning.DeclineAsync(tx, payment, error, intent.Id), run.Aborting);
        return SettlementOutcome.Declined;
    }

    private const string Cancel =
        """
        WITH canceled AS (
            UPDATE payments
            SET status = @status, failure_code = @reason, provider_payment_id = @IntentId, provider_ended_at = @Now,
                next_check_at = NULL, updated_at = clock_timestamp()
            WHERE id = @Id AND status IN ('pending', 'processing', 'requires_action')
            RETURNING id
        ),
        ended AS (
            UPDATE payments
            SET provider_ended_at = coalesce(provider_ended_at, @Now), provider_payment_id = @IntentId, updated_at = clock_timestamp()
            WHERE id = @Id AND status IN ('failed', 'canceled', 'expired') AND coalesce(provider_payment_id, @IntentId) = @IntentId
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.' || @status, 'payment', id, @RunId,
                   jsonb_build_object('reason', @reason, 'provider_payment_id', @IntentId)
            FROM canceled
        )
        SELECT count(*)::int FROM canceled
        """;

    private Task<SettlementOutcome> CancelAsync(Payment payment, PaymentIntent intent) =>
        CloseAsync(payment, intent.Id, PaymentStatus.Canceled, intent.CancellationReason ?? "canceled");

    /// <summary>Closes a row whose PaymentIntent, if any, is certainly over; rows that are final already stay.</summary>
    /// <param name="intentId">Null when the provider never had one.</param>
    public async Task<SettlementOutcome> CloseAsync(Payment payment, string? intentId, string status, string reason)
    {
        var closed = await db.TransactionAsync(
            tx => tx.SingleAsync<int>(
                Cancel,
                new { payment.Id, IntentId = intentId ?? payment.ProviderPaymentId, status, reason, run.Now, Actor = run.Job.Name, RunId = run.Id }),
            run.Aborting);
        return closed == 1 ? SettlementOutcome.Canceled : SettlementOutcome.AlreadyFulfilled;
    }

    private const string KeepOpen =
        """
        WITH moved AS (
            UPDATE payments
            SET status = @status, provider = 'stripe', provider_payment_id = @IntentId, updated_at = clock_timestamp()
            WHERE id = @Id AND status IN ('pending', 'processing', 'requires_action', 'failed', 'canceled', 'expired')
              AND (status, provider_payment_id) IS DISTINCT FROM (@status, @IntentId)
            RETURNING id
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'payment.' || @status, 'payment', id, @RunId, jsonb_build_object('provider_payment_id', @IntentId)
        FROM moved
        """;

    private async Task<SettlementOutcome> KeepOpenAsync(Payment payment, PaymentIntent intent)
    {
        var status = intent.Status switch
        {
            PaymentIntentStatus.Processing => PaymentStatus.Processing,
            PaymentIntentStatus.RequiresAction => PaymentStatus.RequiresAction,
            // Waiting for the customer or for a capture: as before, but its name is known now.
            _ => PaymentStatus.IsInFlight(payment.Status) ? PaymentStatus.Pending : payment.Status,
        };
        try
        {
            await db.TransactionAsync(
                tx => tx.ExecuteAsync(
                    KeepOpen, new { payment.Id, status, IntentId = intent.Id, Actor = run.Job.Name, RunId = run.Id }),
                run.Aborting);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            // Another attempt of the subscription is in flight: this one stays closed, its success would still be found.
        }

        return SettlementOutcome.StillOpen;
    }
}
