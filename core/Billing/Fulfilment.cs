using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;
using Npgsql;

namespace Jobs.Billing;

public enum FulfilmentOutcome
{
    /// <summary>Booked now, with what it grants.</summary>
    Fulfilled,

    /// <summary>Was booked before; nothing changed.</summary>
    AlreadyFulfilled,

    /// <summary>Booked now; all of it had gone back already, so that nothing was granted.</summary>
    Refunded,

    /// <summary>Could not be tied to what it pays for: in `unmatched_payments`.</summary>
    Parked,
}

/// <summary>
/// Grants what a succeeded payment bought, exactly once: a compare-and-set on the payment row, unique keys underneath,
/// and the payer's row locked so that two fulfilments of one person queue up. Every job that learns of a success calls
/// this; calling it again is safe.
/// </summary>
public sealed class Fulfilment(Db db, JobRun run, BusinessZone zone, Granting granting)
{
    /// <summary>Expanded, it tells whether the money went back.</summary>
    public const string LatestCharge = "latest_charge";

    /// <param name="intent">
    /// Read from Stripe just now, status succeeded; never an old replay. One that may be old is read with its
    /// <see cref="LatestCharge"/>: what went back in full meanwhile grants nothing.
    /// </param>
    /// <param name="billingSubscriptionId">Set for the payment of a Stripe Billing invoice: our subscription it belongs to, recorded without extending.</param>
    /// <param name="orderId">The order that it pays, when the caller knows and the PaymentIntent may not say.</param>
    public async Task<FulfilmentOutcome> FulfilAsync(PaymentIntent intent, long? billingSubscriptionId = null, long? orderId = null)
    {
        if (intent.Status != PaymentIntentStatus.Succeeded)
        {
            throw new ArgumentException($"{intent.Id} is {intent.Status}, not succeeded", nameof(intent));
        }

        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await db.TransactionAsync(tx => InTransactionAsync(tx, intent, billingSubscriptionId, orderId), run.Aborting);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation && attempt < 3)
            {
                // Somebody booked the same success between our look and our write; the next look sees it.
            }
        }
    }

    /// <summary>
    /// What <see cref="FulfilAsync"/> would come to, for a dry run: whose payment it is and whether the money agrees. What
    /// else may be wrong with what it pays for shows only when it is granted.
    /// </summary>
    public Task<FulfilmentOutcome> ForeseeAsync(PaymentIntent intent, long? billingSubscriptionId = null) =>
        db.TransactionAsync(
            async tx =>
            {
                var metadata = new PaymentMetadata(intent.Metadata);
                var (user, row, _) = await FindPayerAsync(tx, LookAtPayer, intent, metadata, billingSubscriptionId, null);
                return IsBooked(intent, row) ? FulfilmentOutcome.AlreadyFulfilled
                    : Refusal(intent, metadata, row, user) is not null ? FulfilmentOutcome.Parked
                    : WentBack(intent) ? FulfilmentOutcome.Refunded
                    : FulfilmentOutcome.Fulfilled;
            },
            run.Aborting);

    /// <summary>Keeps a success that the caller cannot tie to anything; safe to repeat.</summary>
    public Task<FulfilmentOutcome> ParkAsync(PaymentIntent intent, string reason) =>
        db.TransactionAsync(tx => ParkAsync(tx, intent, null, reason), run.Aborting);

    // Nobody sees it in between: what follows in the same transaction books it, or parks it.
    private const string Unbooked =
        """
        UPDATE payments SET status = 'failed', updated_at = clock_timestamp()
        WHERE provider_payment_id = @Id AND status = 'succeeded' AND NOT EXISTS (SELECT FROM receipts AS r WHERE r.payment_id = payments.id)
        """;

    /// <summary>
    /// Books a success whose row somebody marked as succeeded without booking it: no receipt, nothing granted. What is booked stays
    /// as it is; what cannot be granted is parked. Safe to repeat.
    /// </summary>
    /// <inheritdoc cref="FulfilAsync" path="/param"/>
    public async Task<FulfilmentOutcome> RepairAsync(PaymentIntent intent)
    {
        if (intent.Status != PaymentIntentStatus.Succeeded)
        {
            throw new ArgumentException($"{intent.Id} is {intent.Status}, not succeeded", nameof(intent));
        }

        return await db.TransactionAsync(
            async tx =>
            {
                await FindPayerAsync(tx, LockPayer, intent, new PaymentMetadata(intent.Metadata), null, null);
                return await tx.ExecuteAsync(Unbooked, new { intent.Id }) == 0
                    ? FulfilmentOutcome.AlreadyFulfilled
                    : await InTransactionAsync(tx, intent, null, null);
            },
            run.Aborting);
    }

    private async Task<FulfilmentOutcome> InTransactionAsync(Tx tx, PaymentIntent intent, long? billingSubscriptionId, long? paidOrderId)
    {
        var metadata = new PaymentMetadata(intent.Metadata);
        var (user, row, looked) = await FindPayerAsync(tx, LockPayer, intent, metadata, billingSubscriptionId, paidOrderId);
        if (IsBooked(intent, row))
        {
            return FulfilmentOutcome.AlreadyFulfilled;
        }

        if (Refusal(intent, metadata, row, user) is { } refusal)
        {
            return await ParkAsync(tx, intent, row?.Id, refusal);
        }

        var orderId = row?.OrderId ?? metadata.OrderId ?? paidOrderId ?? (SaysNothing(row) ? await OrderOfAsync(tx, intent) : null);
        var success = new Success
        {
            Origin = run.Origin,
            Received = Received.From(intent),
            Row = row,
            UserId = user!.Id,
            Purpose = billingSubscriptionId is not null ? "subscription" : PurposeOf(row, metadata, orderId),
            RecordOnly = billingSubscriptionId is not null,
            SubscriptionId = billingSubscriptionId ?? row?.SubscriptionId ?? metadata.SubscriptionId,
            Looked = looked,
            PlanId = row?.PlanId,
            Plan = metadata.Plan,
            OrderId = orderId,
            MembershipId = row?.MembershipId,
            MembershipType = row?.MembershipType ?? metadata.MembershipType,
            ReducedPrice = row?.ReducedPrice ?? metadata.ReducedPrice,
            PeriodStart = row?.PeriodStart ?? metadata.PeriodStart,
        };
        if (WentBack(intent))
        {
            return await RecordRefundedAsync(tx, success);
        }

        if (await granting.GrantAsync(tx, success) is { } refused)
        {
            return await ParkAsync(tx, intent, row?.Id, refused.Reason);
        }

        run.Log.LogFulfilled(success.Booked.Id, intent.Id, success.Booked.Number);
        return FulfilmentOutcome.Fulfilled;
    }

    /// <summary>In full; a part of the price that went back takes nothing away.</summary>
    public static bool WentBack(PaymentIntent intent) =>
        intent.LatestCharge?.Object is { } charge && charge.AmountRefunded >= intent.AmountReceived && intent.AmountReceived > 0;

    // Of the payer alone; a period, an order that another payment has is left to that one.
    private const string Owned =
        """
        SELECT (SELECT id FROM subscriptions WHERE id = @SubscriptionId AND user_id = @UserId
                AND NOT EXISTS (SELECT FROM payments WHERE subscription_id = @SubscriptionId AND period_start = @PeriodStart
                                AND status IN ('succeeded', 'refunded', 'disputed'))) AS subscription_id,
               (SELECT id FROM orders WHERE id = @OrderId AND user_id = @UserId
                AND NOT EXISTS (SELECT FROM payments WHERE order_id = @OrderId AND status IN ('succeeded', 'refunded', 'disputed'))) AS order_id
        """;

    private sealed class OwnedByPayer
    {
        public long? SubscriptionId { get; init; }
        public long? OrderId { get; init; }
    }

    /// <summary>As if granted and then ended, in one step: the money's way is on the books, and no entitlement is left behind.</summary>
    private async Task<FulfilmentOutcome> RecordRefundedAsync(Tx tx, Success success)
    {
        var owned = await tx.SingleAsync<OwnedByPayer>(Owned, new { success.SubscriptionId, success.OrderId, success.UserId, success.PeriodStart });
        (success.SubscriptionId, success.OrderId) = (owned.SubscriptionId, owned.OrderId);
        success.Refunded = true;
        await success.BookAsync(tx, zone);
        await tx.EndAsync(run, success.Booked.Id, "refunded");
        return FulfilmentOutcome.Refunded;
    }

    private static string PurposeOf(Payment? row, PaymentMetadata metadata, long? orderId) =>
        row is not null && row.Purpose != "other" ? row.Purpose
        : metadata.Purpose
            ?? (orderId is not null ? "order"
                : metadata.MembershipType is not null ? "membership"
                : metadata.SubscriptionId is not null || metadata.Plan is not null ? "subscription"
                : "other");

    // By the provider's id, else by the row that the metadata names - if its key, when stated, is that row's.
    private const string OfIntent =
        """
        FROM payments
        WHERE provider_payment_id = @IntentId
           OR (id = @PaymentId AND (@AttemptKey::text IS NULL OR idempotency_key = @AttemptKey)
               AND method = 'card' AND provider IS DISTINCT FROM 'sumup')
        ORDER BY provider_payment_id = @IntentId DESC NULLS LAST
        LIMIT 1
        """;

    private const string Payer =
        $"""
        coalesce((SELECT user_id {OfIntent}), @UserId,
                 (SELECT user_id FROM subscriptions WHERE id = @BillingSubscriptionId),
                 (SELECT user_id FROM orders WHERE id = @PaidOrderId),
                 (SELECT user_id FROM orders WHERE payment_intent_id = @IntentId LIMIT 1),
                 (SELECT id FROM users WHERE provider_customer_id = @CustomerId))
        """;

    private const string LookAtPayer =
        $"""
        SELECT id FROM users WHERE id = {Payer};
        {PayerAndRow}
        """;

    // The row is looked for after the lock, when nobody else can book for this person.
    private const string LockPayer =
        $"""
        SELECT id FROM users WHERE id = {Payer} FOR NO KEY UPDATE;
        {PayerAndRow}
        """;

    private const string PayerAndRow =
        $"""
        SELECT id, provider_customer_id,
               EXISTS (SELECT FROM users AS other WHERE other.provider_customer_id = @CustomerId AND other.id <> users.id) AS paid_by_another
        FROM users
        WHERE id = {Payer};
        SELECT {Payment.Columns} {OfIntent}
        """;

    private sealed class User
    {
        public long Id { get; init; }
        public string? ProviderCustomerId { get; init; }

        /// <summary>The customer that paid is another user's.</summary>
        public bool PaidByAnother { get; init; }
    }

    /// <remarks>A renewal of ours says in its metadata what it is for: its subscription is looked at in the same round trip.</remarks>
    private static async Task<(User? User, Payment? Row, SubscriptionFulfilment.Looked? Looked)> FindPayerAsync(
        Tx tx, string sql, PaymentIntent intent, PaymentMetadata metadata, long? billingSubscriptionId, long? paidOrderId)
    {
        var renewal = metadata is { PaymentId: not null, SubscriptionId: not null, PeriodStart: not null } && billingSubscriptionId is null;
        while (true)
        {
            await using var answers = await tx.QueryMultipleAsync(
                renewal ? $"{sql};\n{SubscriptionFulfilment.Look(tx)}" : sql,
                new
                {
                    IntentId = intent.Id,
                    metadata.PaymentId,
                    metadata.AttemptKey,
                    metadata.UserId,
                    BillingSubscriptionId = billingSubscriptionId,
                    PaidOrderId = paidOrderId,
                    intent.CustomerId,
                    metadata.SubscriptionId,
                    PlanId = (long?)null,
                    metadata.Plan,
                    metadata.PeriodStart,
                });
            var locked = await answers.ReadSingleOrDefaultAsync<long?>();
            var user = await answers.ReadSingleOrDefaultAsync<User>();
            var row = await answers.ReadSingleOrDefaultAsync<Payment>();
            // Nearly always; a row that came up while the lock was waited for may name another payer.
            if (user?.Id == locked)
            {
                return (user, row, renewal ? await SubscriptionFulfilment.ReadAsync(answers, metadata.SubscriptionId, metadata.PeriodStart) : null);
            }
        }
    }

    /// <summary>No row, or one that names nothing it pays for.</summary>
    private static bool SaysNothing(Payment? row) => row is null or { Purpose: "other", SubscriptionId: null, MembershipId: null, PlanId: null };

    /// <summary>An application may have put its PaymentIntent on the order and nothing in the metadata.</summary>
    private static Task<long?> OrderOfAsync(Tx tx, PaymentIntent intent) =>
        tx.SingleOrDefaultAsync<long?>("SELECT id FROM orders WHERE payment_intent_id = @Id LIMIT 1", new { intent.Id });

    private static bool IsBooked(PaymentIntent intent, Payment? row) => row is { IsTerminal: true } && row.ProviderPaymentId == intent.Id;

    /// <summary>Why the money cannot be booked for this payer and row; null when nothing speaks against it.</summary>
    private static string? Refusal(PaymentIntent intent, PaymentMetadata metadata, Payment? row, User? user)
    {
        if (user is null)
        {
            return ParkingReason.UserUnknown;
        }

        if (row is { IsTerminal: true })
        {
            return ParkingReason.Duplicate;
        }

        if (user.PaidByAnother || (row is not null && metadata.UserId is { } named && named != row.UserId))
        {
            return ParkingReason.CustomerMismatch;
        }

        var expected = row?.ProviderCustomerId ?? user.ProviderCustomerId;
        if (expected is not null && intent.CustomerId is not null && intent.CustomerId != expected)
        {
            return ParkingReason.CustomerMismatch;
        }

        return row is null ? null
            : intent.Currency != row.Currency ? ParkingReason.CurrencyMismatch
            : intent.AmountReceived != row.AmountMinor ? ParkingReason.AmountMismatch
            : null;
    }

    private async Task<FulfilmentOutcome> ParkAsync(Tx tx, PaymentIntent intent, long? paymentId, string reason)
    {
        if (await tx.ParkAsync(run.Origin, Received.From(intent), paymentId, reason))
        {
            run.Log.LogParked(intent.Id, reason);
        }

        return FulfilmentOutcome.Parked;
    }
}
