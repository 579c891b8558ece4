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
public sealed class Fulfilment(
    Db db, JobRun run, BusinessZone zone, SubscriptionFulfilment subscriptions, OrderFulfilment orders, MembershipFulfilment memberships)
{
    /// <summary>Expanded, it tells whether the money went back.</summary>
    public const string LatestCharge = "latest_charge";

    /// <param name="intent">
    /// Read from Stripe just now, status succeeded; never an old replay. One that may be old is read with its
    /// <see cref="LatestCharge"/>: what went back in full meanwhile grants nothing.
    /// </param>
    /// <param name="billingSubscriptionId">Set for the payment of a Stripe Billing invoice: our subscription it belongs to, recorded without extending.</param>
    public async Task<FulfilmentOutcome> FulfilAsync(PaymentIntent intent, long? billingSubscriptionId = null)
    {
        if (intent.Status != PaymentIntentStatus.Succeeded)
        {
            throw new ArgumentException($"{intent.Id} is {intent.Status}, not succeeded", nameof(intent));
        }

        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await db.TransactionAsync(tx => InTransactionAsync(tx, intent, billingSubscriptionId), run.Aborting);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation && attempt < 3)
            {
                // Somebody booked the same success between our look and our write; the next look sees it.
            }
        }
    }

    /// <summary>Keeps a success that the caller cannot tie to anything; safe to repeat.</summary>
    public Task<FulfilmentOutcome> ParkAsync(PaymentIntent intent, string reason) =>
        db.TransactionAsync(tx => ParkAsync(tx, intent, null, reason), run.Aborting);

    private async Task<FulfilmentOutcome> InTransactionAsync(Tx tx, PaymentIntent intent, long? billingSubscriptionId)
    {
        var metadata = new PaymentMetadata(intent.Metadata);
        var found = await FindRowAsync(tx, intent, metadata);
        var userId = found?.UserId ?? await FindUserAsync(tx, intent, metadata, billingSubscriptionId);
        if (userId is null || await LockUserAsync(tx, userId.Value, intent.CustomerId) is not { } user)
        {
            return await ParkAsync(tx, intent, found?.Id, ParkingReason.UserUnknown);
        }

        // Again, now that nobody else can book for this person.
        var row = await FindRowAsync(tx, intent, metadata);
        if (row is { IsTerminal: true } && row.ProviderPaymentId == intent.Id)
        {
            return FulfilmentOutcome.AlreadyFulfilled;
        }

        if (row is { IsTerminal: true } || (row?.ProviderPaymentId is { } other && other != intent.Id && await IsBookedAsync(tx, other)))
        {
            return await ParkAsync(tx, intent, row.Id, ParkingReason.Duplicate);
        }

        if (Mismatch(intent, metadata, row, user) is { } mismatch)
        {
            return await ParkAsync(tx, intent, row?.Id, mismatch);
        }

        var orderId = row?.OrderId ?? metadata.OrderId ?? (row is null ? await OrderOfAsync(tx, intent) : null);
        var success = new Success
        {
            Intent = intent,
            Metadata = metadata,
            Row = row,
            UserId = userId.Value,
            Purpose = billingSubscriptionId is not null ? "subscription" : PurposeOf(row, metadata, orderId),
            RecordOnly = billingSubscriptionId is not null,
            SubscriptionId = billingSubscriptionId ?? row?.SubscriptionId ?? metadata.SubscriptionId,
            PlanId = row?.PlanId,
            OrderId = orderId,
            MembershipId = row?.MembershipId,
            PeriodStart = row?.PeriodStart ?? metadata.PeriodStart,
        };
        if (WentBack(intent))
        {
            return await RecordRefundedAsync(tx, success);
        }

        var refused = success.Purpose switch
        {
            "subscription" => await subscriptions.GrantAsync(tx, success),
            "order" => await orders.GrantAsync(tx, success),
            "membership" => await memberships.GrantAsync(tx, success),
            _ => await RecordAsync(tx, success),
        };
        return refused is null ? FulfilmentOutcome.Fulfilled : await ParkAsync(tx, intent, row?.Id, refused);
    }

    /// <summary>A payment for nothing we know how to grant is only booked, and only when its row says what it should be.</summary>
    private async Task<string?> RecordAsync(Tx tx, Success success)
    {
        if (success.AmountMinor is not { } amount)
        {
            return ParkingReason.PlanUnknown;
        }

        if (success.Disagreement(amount, success.Currency!) is { } disagreement)
        {
            return disagreement;
        }

        await success.BookAsync(tx, run, zone);
        return null;
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
        var booked = await success.BookAsync(tx, run, zone);
        await tx.EndAsync(run, booked.Id, "refunded");
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
    private const string FindRow =
        $"""
        SELECT {Payment.Columns}
        FROM payments
        WHERE provider_payment_id = @IntentId
           OR (id = @PaymentId AND (@AttemptKey::text IS NULL OR idempotency_key = @AttemptKey)
               AND method = 'card' AND provider IS DISTINCT FROM 'sumup')
        ORDER BY provider_payment_id = @IntentId DESC NULLS LAST
        LIMIT 1
        """;

    private static Task<Payment?> FindRowAsync(Tx tx, PaymentIntent intent, PaymentMetadata metadata) =>
        tx.SingleOrDefaultAsync<Payment>(FindRow, new { IntentId = intent.Id, metadata.PaymentId, metadata.AttemptKey });

    private const string FindUser =
        """
        SELECT id FROM users
        WHERE id = coalesce(@UserId, (SELECT user_id FROM subscriptions WHERE id = @BillingSubscriptionId),
                            (SELECT user_id FROM orders WHERE payment_intent_id = @Id LIMIT 1),
                            (SELECT id FROM users WHERE provider_customer_id = @CustomerId))
        """;

    private static Task<long?> FindUserAsync(Tx tx, PaymentIntent intent, PaymentMetadata metadata, long? billingSubscriptionId) =>
        tx.SingleOrDefaultAsync<long?>(FindUser, new { metadata.UserId, BillingSubscriptionId = billingSubscriptionId, intent.Id, intent.CustomerId });

    private sealed class User
    {
        public string? ProviderCustomerId { get; init; }

        /// <summary>The customer that paid is another user's.</summary>
        public bool PaidByAnother { get; init; }
    }

    private const string LockUser =
        """
        SELECT provider_customer_id,
               EXISTS (SELECT FROM users AS other WHERE other.provider_customer_id = @customerId AND other.id <> users.id) AS paid_by_another
        FROM users
        WHERE id = @id
        FOR NO KEY UPDATE
        """;

    private static Task<User?> LockUserAsync(Tx tx, long id, string? customerId) =>
        tx.SingleOrDefaultAsync<User>(LockUser, new { id, customerId });

    private static Task<bool> IsBookedAsync(Tx tx, string intentId) =>
        tx.SingleAsync<bool>(
            "SELECT EXISTS (SELECT FROM payments WHERE provider_payment_id = @intentId AND status IN ('succeeded', 'refunded', 'disputed'))",
            new { intentId });

    /// <summary>An application may have put its PaymentIntent on the order and nothing in the metadata.</summary>
    private static Task<long?> OrderOfAsync(Tx tx, PaymentIntent intent) =>
        tx.SingleOrDefaultAsync<long?>("SELECT id FROM orders WHERE payment_intent_id = @Id LIMIT 1", new { intent.Id });

    private static string? Mismatch(PaymentIntent intent, PaymentMetadata metadata, Payment? row, User user)
    {
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
        if (await tx.ParkAsync(run, intent, paymentId, reason))
        {
            run.Log.LogParked(intent.Id, reason);
        }

        return FulfilmentOutcome.Parked;
    }
}
