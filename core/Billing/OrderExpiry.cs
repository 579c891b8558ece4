using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs.Billing;

public enum OrderExpiryOutcome
{
    /// <summary>Nothing can pay it any more; its stock is free.</summary>
    Expired,

    /// <summary>It had been paid meanwhile, and is booked.</summary>
    Paid,

    /// <summary>A payment is under way, or cannot be ended: back to waiting.</summary>
    Waiting,

    /// <summary>Money arrived that fits nothing: a person decides.</summary>
    Parked,

    /// <summary>Somebody else settled it between our look and our write.</summary>
    AlreadySettled,
}

public readonly record struct OrderExpiryResult(OrderExpiryOutcome Outcome, int PaymentIntentsCanceled = 0, long StockReleased = 0);

/// <summary>
/// Expires an order: `expiring` by compare-and-set, every PaymentIntent ended, then `expired` and its stock released in one
/// transaction. Killed anywhere, the order stays `expiring` and the next run goes on. While a payment is under way nothing
/// is touched. Success wins until the last moment.
/// </summary>
public sealed class OrderExpiry(Db db, JobRun run, IntentEnding ending, IntentSearch search, Fulfilment fulfilment)
{
    public async Task<OrderExpiryResult> ExpireAsync(StaleOrder order)
    {
        var states = await LookAsync(order);
        if (!CanExpire(order, states))
        {
            return await WaitAsync(order);
        }

        var marked = await db.TransactionAsync(tx => MarkAsync(tx, order.Id), run.Aborting);
        if (marked is null)
        {
            return new(OrderExpiryOutcome.AlreadySettled);
        }

        // Given a place in the queue for the card terminals since the look.
        if (marked.Held)
        {
            return await WaitAsync(marked);
        }

        // What was added to the order since the look.
        foreach (var id in marked.IntentIds.Except(states.Keys, StringComparer.Ordinal))
        {
            states[id] = await StateAsync(id);
        }

        var canceled = 0;
        foreach (var (id, (state, intent)) in states.Where(s => s.Value.End == IntentEnd.Open).ToList())
        {
            states[id] = await ending.CancelAsync(intent?.Id ?? id);
            canceled += states[id].End == IntentEnd.Canceled ? 1 : 0;
        }

        return await DecideAsync(order, [.. states.Values], canceled);
    }

    /// <summary>What <see cref="ExpireAsync"/> would come to; only looks.</summary>
    public async Task<OrderExpiryResult> ForeseeAsync(StaleOrder order)
    {
        var states = await LookAsync(order);
        return !CanExpire(order, states) ? new(OrderExpiryOutcome.Waiting)
            : states.Values.Any(s => s.End == IntentEnd.Succeeded) ? new(OrderExpiryOutcome.Paid)
            : new(
                OrderExpiryOutcome.Expired,
                states.Values.Count(s => s.End == IntentEnd.Open),
                await db.TransactionAsync(tx => tx.SingleAsync<long>(Reserved, new { order.Id }), run.Aborting));
    }

    private static bool CanExpire(StaleOrder order, Dictionary<string, (IntentEnd End, PaymentIntent? Intent)> states) =>
        !order.Held
        && (states.Values.Any(s => s.End == IntentEnd.Succeeded) || states.Values.All(s => s.End != IntentEnd.Busy));

    /// <summary>By id. An order that names no PaymentIntent, or a payment without its own, is looked for in the customer's list.</summary>
    private async Task<Dictionary<string, (IntentEnd End, PaymentIntent? Intent)>> LookAsync(StaleOrder order)
    {
        var states = new Dictionary<string, (IntentEnd, PaymentIntent?)>(StringComparer.Ordinal);
        if (order.Held)
        {
            return states;
        }

        if (order.IntentIds.Length == 0 || order.UnnamedPaymentIds.Length > 0)
        {
            foreach (var intent in await search.FindAsync(order))
            {
                states[intent.Id] = await WeighAsync(IntentEnding.Of(intent));
            }
        }

        foreach (var id in order.IntentIds.Where(id => !states.ContainsKey(id)))
        {
            states[id] = await StateAsync(id);
        }

        return states;
    }

    private async Task<(IntentEnd End, PaymentIntent? Intent)> StateAsync(string id) => await WeighAsync(await ending.StateAsync(id));

    private const string WhatBecameOf =
        """
        SELECT resolved_at IS NOT NULL FROM unmatched_payments WHERE provider_payment_id = @Id
        UNION ALL
        SELECT status = 'refunded' FROM payments WHERE provider_payment_id = @Id AND status IN ('succeeded', 'refunded', 'disputed')
        LIMIT 1
        """;

    /// <summary>
    /// A success that was parked, or booked for something else, is in other hands: until it is resolved the order waits, then
    /// it is over.
    /// </summary>
    private async Task<(IntentEnd End, PaymentIntent? Intent)> WeighAsync((IntentEnd End, PaymentIntent? Intent) state)
    {
        if (state is not (IntentEnd.Succeeded, { } intent))
        {
            return state;
        }

        return await db.TransactionAsync(tx => tx.SingleOrDefaultAsync<bool?>(WhatBecameOf, new { intent.Id }), run.Aborting) switch
        {
            null => state,
            true => (IntentEnd.Canceled, intent),
            false => (IntentEnd.Busy, intent),
        };
    }

    private const string Mark =
        $"""
        WITH marked AS (
            UPDATE orders AS o
            SET status = 'expiring', updated_at = clock_timestamp()
            WHERE o.id = @id AND o.status = 'pending_payment' AND o.expires_at < @Now AND NOT {StaleOrder.IsHeld}
            RETURNING o.id, o.expires_at
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'order.expiring', 'order', id, @RunId, jsonb_build_object('expires_at', expires_at)
        FROM marked
        """;

    private const string Marked = $"{StaleOrder.Select} WHERE o.id = @id AND o.status = 'expiring' AND o.expires_at < @Now";

    /// <returns>The order as it is now that it can no longer be paid in the application; null when it is no longer to expire.</returns>
    private async Task<StaleOrder?> MarkAsync(Tx tx, long id)
    {
        await tx.ExecuteAsync(Mark, new { id, run.Now, Actor = run.Job.Name, RunId = run.Id });
        return await tx.SingleOrDefaultAsync<StaleOrder>(Marked, new { id, run.Now });
    }

    private async Task<OrderExpiryResult> DecideAsync(
        StaleOrder order, IReadOnlyList<(IntentEnd End, PaymentIntent? Intent)> states, int canceled)
    {
        var outcome = OrderExpiryOutcome.Expired;
        foreach (var (_, intent) in states.Where(s => s.End == IntentEnd.Succeeded))
        {
            // A second success of one order is parked as a duplicate; the first still paid it.
            outcome = await fulfilment.FulfilAsync(intent!, orderId: order.Id) switch
            {
                FulfilmentOutcome.Fulfilled => OrderExpiryOutcome.Paid,
                _ when outcome == OrderExpiryOutcome.Paid => outcome,
                FulfilmentOutcome.Parked => OrderExpiryOutcome.Parked,
                _ => OrderExpiryOutcome.AlreadySettled,
            };
        }

        if (outcome == OrderExpiryOutcome.Expired && states.Any(s => s.End == IntentEnd.Busy))
        {
            outcome = OrderExpiryOutcome.Waiting;
        }

        if (outcome != OrderExpiryOutcome.Expired)
        {
            await PutBackAsync(order.Id);
            return new(outcome, canceled);
        }

        string[] ended = [.. states.Where(s => s.End == IntentEnd.Canceled).Select(s => s.Intent?.Id).OfType<string>()];
        var released = await db.TransactionAsync(
            tx => tx.SingleOrDefaultAsync<long?>(
                Expire, new { order.Id, ended, canceled, run.Now, Actor = run.Job.Name, RunId = run.Id }),
            run.Aborting);
        return released is null ? new(OrderExpiryOutcome.AlreadySettled, canceled) : new(OrderExpiryOutcome.Expired, canceled, released.Value);
    }

    private const string Reserved =
        """
        SELECT coalesce(sum(r.quantity), 0)::bigint
        FROM stock_reservations AS r
        JOIN products AS p ON p.id = r.product_id
        WHERE r.order_id = @Id AND r.released_at IS NULL
        """;

    // Relative writes under row locks taken in one order, and only what is still reserved: no stock is lost, none invented.
    private const string Expire =
        """
        WITH expired AS (
            UPDATE orders SET status = 'expired', updated_at = clock_timestamp()
            WHERE id = @Id AND status = 'expiring'
            RETURNING id
        ),
        closed AS (
            UPDATE stock_reservations AS r
            SET released_at = @Now
            FROM expired
            WHERE r.order_id = expired.id AND r.released_at IS NULL
            RETURNING r.product_id, r.quantity
        ),
        freed AS (
            SELECT product_id, sum(quantity)::bigint AS quantity FROM closed GROUP BY product_id
        ),
        locked AS (
            SELECT p.id FROM products AS p JOIN freed ON freed.product_id = p.id ORDER BY p.id FOR NO KEY UPDATE OF p
        ),
        released AS (
            UPDATE products AS p
            SET stock_reserved = p.stock_reserved - freed.quantity, updated_at = clock_timestamp()
            FROM freed, locked
            WHERE p.id = freed.product_id AND locked.id = p.id
            RETURNING p.id, freed.quantity
        ),
        canceled AS (
            UPDATE payments AS p
            SET status = 'canceled', provider_ended_at = @Now, next_check_at = NULL, updated_at = clock_timestamp(),
                failure_code = CASE
                    WHEN p.provider_payment_id IS NULL THEN 'no_provider_payment'
                    WHEN p.provider_payment_id = ANY (@ended) OR p.provider_payment_id LIKE 'cs\_%' THEN 'abandoned'
                    ELSE 'provider_not_found'
                END
            FROM expired
            WHERE p.order_id = expired.id AND p.status IN ('pending', 'processing', 'requires_action')
              AND p.method = 'card' AND p.provider IS DISTINCT FROM 'sumup'
            RETURNING p.id, p.provider_payment_id, p.failure_code
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'order.expired', 'order', id, @RunId,
                   jsonb_build_object('expired_at', @Now::timestamptz, 'payment_intents_canceled', @canceled,
                       'stock_released', (SELECT coalesce(sum(quantity), 0) FROM released))
            FROM expired
            UNION ALL
            SELECT @Actor, 'product.released', 'product', id, @RunId, jsonb_build_object('order_id', @Id, 'quantity', quantity)
            FROM released
            UNION ALL
            SELECT @Actor, 'payment.canceled', 'payment', id, @RunId,
                   jsonb_build_object('reason', failure_code, 'provider_payment_id', provider_payment_id, 'order_id', @Id)
            FROM canceled
        )
        SELECT (SELECT coalesce(sum(quantity), 0)::bigint FROM released) FROM expired
        """;

    /// <summary>Nothing was touched, unless a killed run had begun with it.</summary>
    private async Task<OrderExpiryResult> WaitAsync(StaleOrder order)
    {
        if (order.Status == "expiring")
        {
            await PutBackAsync(order.Id);
        }

        return new(OrderExpiryOutcome.Waiting);
    }

    private const string PutBack =
        """
        WITH waiting AS (
            UPDATE orders SET status = 'pending_payment', updated_at = clock_timestamp()
            WHERE id = @id AND status = 'expiring'
            RETURNING id
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id)
        SELECT @Actor, 'order.pending_payment', 'order', id, @RunId
        FROM waiting
        """;

    private Task<int> PutBackAsync(long id) =>
        db.TransactionAsync(tx => tx.ExecuteAsync(PutBack, new { id, Actor = run.Job.Name, RunId = run.Id }), run.Aborting);
}
