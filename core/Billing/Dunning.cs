using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs.Billing;

/// <summary>
/// What a refused renewal does to its subscription. Soft: past_due and tried again on the policy's days. Hard: past_due and
/// the payment method is blocked. Authentication required: past_due and a mail with a link, no blind retry.
/// </summary>
public sealed class Dunning(JobRun run, BusinessZone zone, RenewalPolicy policy, Settings settings)
{
    private sealed class Subscription
    {
        public DateTime EndedAt { get; init; }
        public string Status { get; init; } = "";
    }

    // A subscription that was paid, canceled or moved meanwhile has nothing to be dunned for.
    private const string LockUnpaid =
        """
        SELECT ended_at, status
        FROM subscriptions
        WHERE id = @SubscriptionId AND status IN ('active', 'past_due') AND (ended_at AT TIME ZONE @Zone)::date <= @PeriodStart
        FOR NO KEY UPDATE
        """;

    private const string CloseAttempt =
        """
        WITH closed AS (
            UPDATE payments
            SET status = 'failed', failure_code = @code, provider_payment_id = coalesce(@intentId, provider_payment_id),
                next_check_at = NULL, updated_at = clock_timestamp()
            WHERE id = @Id AND status IN ('pending', 'processing', 'requires_action')
            RETURNING id
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.failed', 'payment', id, @RunId,
                   jsonb_build_object('failure_code', @code, 'decline', @kind, 'provider_payment_id', @intentId)
            FROM closed
        )
        SELECT count(*)::int FROM closed
        """;

    private const string Block =
        """
        INSERT INTO blocked_payment_methods (provider_payment_method_id, reason)
        VALUES (@ProviderPaymentMethodId, @code)
        ON CONFLICT (provider_payment_method_id) DO NOTHING
        """;

    private const string FallPastDue =
        """
        WITH fallen AS (
            UPDATE subscriptions
            SET status = 'past_due', retry_count = retry_count + @spent, next_attempt_at = @next, last_decline_code = @code,
                updated_at = clock_timestamp()
            WHERE id = @SubscriptionId
            RETURNING id, retry_count
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'subscription.past_due', 'subscription', id, @RunId,
               jsonb_build_object('payment_id', @Id, 'decline_code', @code, 'retry_count', retry_count, 'next_attempt_at', @next::timestamptz)
        FROM fallen
        """;

    /// <summary>Closes an attempt that Stripe refused and draws the consequences; nothing when it was closed before.</summary>
    /// <returns>False when the attempt was no longer in flight.</returns>
    public async Task<bool> DeclineAsync(Tx tx, Payment attempt, StripeError error, string? intentId)
    {
        var kind = Decline.Classify(error);
        var code = Decline.Code(error);
        await tx.ExecuteAsync("SELECT FROM users WHERE id = @UserId FOR NO KEY UPDATE", new { attempt.UserId });
        var closed = await tx.SingleAsync<int>(
            CloseAttempt, new { attempt.Id, code, intentId, kind = kind.ToString(), Actor = run.Job.Name, RunId = run.Id });
        if (closed == 0)
        {
            return false;
        }

        if (!attempt.IsRenewalAttempt)
        {
            return true;
        }

        if (kind == DeclineKind.Hard && attempt.ProviderPaymentMethodId is not null)
        {
            await tx.ExecuteAsync(Block, new { attempt.ProviderPaymentMethodId, code });
        }

        var subscription = await tx.SingleOrDefaultAsync<Subscription>(
            LockUnpaid, new { attempt.SubscriptionId, Zone = zone.Id, attempt.PeriodStart });
        if (subscription is not null)
        {
            await FallAsync(tx, attempt, subscription, kind, code);
        }

        return true;
    }

    private async Task FallAsync(Tx tx, Payment attempt, Subscription subscription, DeclineKind kind, string code)
    {
        var retry = kind == DeclineKind.Soft ? policy.NextAttempt(subscription.EndedAt, run.Now, zone) : null;
        // Null means due: after a hard decline or a demand for authentication another payment method makes it so.
        var next = kind == DeclineKind.Soft ? retry ?? DateTime.MaxValue : (DateTime?)null;
        await tx.ExecuteAsync(
            FallPastDue,
            new { attempt.SubscriptionId, attempt.Id, spent = kind == DeclineKind.Soft ? 1 : 0, next, code, Actor = run.Job.Name, RunId = run.Id });
        var (mail, key) = kind switch
        {
            DeclineKind.AuthenticationRequired => ("payment_action_required", $"payment_action_required:{attempt.Id}"),
            DeclineKind.Hard => ("payment_method_required", MethodRequiredKey(attempt.SubscriptionId!.Value, zone.Date(subscription.EndedAt))),
            _ => ("payment_failed", $"payment_failed:{attempt.Id}"),
        };
        await tx.NotifyUserAsync(
            run.Origin, mail, attempt.UserId, key,
            JsonText.Of(
                ("subscription_id", attempt.SubscriptionId), ("payment_id", attempt.Id), ("amount_minor", attempt.AmountMinor),
                ("currency", attempt.Currency), ("next_attempt_at", retry), ("grace_ends_at", subscription.EndedAt + policy.Grace),
                ("action_url", kind == DeclineKind.AuthenticationRequired ? ActionUrl(attempt.Id) : null)));
    }

    private string? ActionUrl(long paymentId) =>
        settings.Optional("PAYMENT_ACTION_URL")?.Replace(
            "{payment_id}", paymentId.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);

    private const string LackMethod =
        """
        WITH fallen AS (
            UPDATE subscriptions
            SET status = 'past_due', last_decline_code = coalesce(last_decline_code, 'no_payment_method'), updated_at = clock_timestamp()
            WHERE id = @id AND status = 'active'
            RETURNING id
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'subscription.past_due', 'subscription', id, @RunId, jsonb_build_object('reason', 'no usable payment method')
        FROM fallen
        """;

    /// <summary>A due subscription that nothing can be charged on: past_due, and the customer told once a period.</summary>
    public async Task LackMethodAsync(Tx tx, long subscriptionId, long userId, DateTime endedAt)
    {
        await tx.ExecuteAsync(LackMethod, new { id = subscriptionId, Actor = run.Job.Name, RunId = run.Id });
        await tx.NotifyUserAsync(
            run.Origin, "payment_method_required", userId, MethodRequiredKey(subscriptionId, zone.Date(endedAt)),
            JsonText.Of(("subscription_id", subscriptionId), ("grace_ends_at", endedAt + policy.Grace)));
    }

    private static string MethodRequiredKey(long subscriptionId, DateOnly end) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"payment_method_required:{subscriptionId}:{end:yyyy-MM-dd}");
}
