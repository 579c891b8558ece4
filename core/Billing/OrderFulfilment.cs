using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>
/// What a paid order grants: the reservations close and the stock leaves the shelf. Money for an expired order reinstates
/// it when the stock is still there; otherwise, and for a canceled order, the refund is due.
/// </summary>
public sealed class OrderFulfilment(JobRun run, BusinessZone zone, Settings settings)
{
    private sealed class Order
    {
        public long Id { get; init; }
        public long UserId { get; init; }
        public string Status { get; init; } = "";
        public long TotalMinor { get; init; }
        public string Currency { get; init; } = "";
    }

    /// <returns>Null when booked, else the parking reason and nothing written.</returns>
    internal async Task<string?> GrantAsync(Tx tx, Success success)
    {
        var order = await tx.SingleOrDefaultAsync<Order>(
            "SELECT id, user_id, status, total_minor, currency FROM orders WHERE id = @OrderId FOR NO KEY UPDATE", new { success.OrderId });
        if (order is null)
        {
            return ParkingReason.OrderUnknown;
        }

        if (order.UserId != success.UserId)
        {
            return ParkingReason.CustomerMismatch;
        }

        if (success.Disagreement(order.TotalMinor, order.Currency) is { } disagreement)
        {
            return disagreement;
        }

        if (order.Status is "paid" or "refund_due" || await IsPaidAsync(tx, order.Id))
        {
            return ParkingReason.Duplicate;
        }

        var status = order.Status switch
        {
            "canceled" => "refund_due",
            "expired" => await TakeUnreservedStockAsync(tx, order.Id) ? "paid" : "refund_due",
            _ => await TakeReservedStockAsync(tx, order.Id),
        };
        var booked = await success.BookAsync(tx, run, zone);
        await SetStatusAsync(tx, order.Id, status, booked.Id);
        run.Log.LogFulfilled(booked.Id, success.Intent.Id, booked.Number);
        return null;
    }

    private static Task<bool> IsPaidAsync(Tx tx, long orderId) =>
        tx.SingleAsync<bool>(
            "SELECT EXISTS (SELECT FROM payments WHERE order_id = @orderId AND status IN ('succeeded', 'refunded', 'disputed'))",
            new { orderId });

    // Relative writes under row locks taken in one order; a product that is gone has no counter to move.
    private const string TakeReserved =
        """
        WITH closed AS (
            UPDATE stock_reservations
            SET released_at = @Now
            WHERE order_id = @orderId AND released_at IS NULL
            RETURNING product_id, quantity
        ),
        taken AS (
            SELECT product_id, sum(quantity)::bigint AS quantity FROM closed GROUP BY product_id
        ),
        locked AS (
            SELECT p.id FROM products AS p JOIN taken ON taken.product_id = p.id ORDER BY p.id FOR NO KEY UPDATE OF p
        ),
        moved AS (
            UPDATE products AS p
            SET stock_reserved = p.stock_reserved - taken.quantity, stock_on_hand = p.stock_on_hand - taken.quantity,
                updated_at = clock_timestamp()
            FROM taken, locked
            WHERE p.id = taken.product_id AND locked.id = p.id
            RETURNING p.id, taken.quantity
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'product.sold', 'product', id, @RunId, jsonb_build_object('order_id', @orderId, 'quantity', quantity)
        FROM moved
        """;

    private async Task<string> TakeReservedStockAsync(Tx tx, long orderId)
    {
        await tx.ExecuteAsync(TakeReserved, new { orderId, run.Now, Actor = run.Job.Name, RunId = run.Id });
        return "paid";
    }

    private const string LockNeeded =
        """
        SELECT count(*) FILTER (WHERE p.id IS NULL OR p.stock_on_hand - p.stock_reserved < need.quantity)
        FROM (SELECT product_id, sum(quantity)::bigint AS quantity FROM order_items WHERE order_id = @orderId GROUP BY product_id) AS need
        LEFT JOIN (
            SELECT id, stock_on_hand, stock_reserved FROM products
            WHERE id IN (SELECT product_id FROM order_items WHERE order_id = @orderId)
            ORDER BY id
            FOR NO KEY UPDATE
        ) AS p ON p.id = need.product_id
        """;

    private const string TakeUnreserved =
        """
        WITH moved AS (
            UPDATE products AS p
            SET stock_on_hand = p.stock_on_hand - need.quantity, updated_at = clock_timestamp()
            FROM (SELECT product_id, sum(quantity)::bigint AS quantity FROM order_items WHERE order_id = @orderId GROUP BY product_id) AS need
            WHERE p.id = need.product_id
            RETURNING p.id, need.quantity
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'product.sold', 'product', id, @RunId,
               jsonb_build_object('order_id', @orderId, 'quantity', quantity, 'reinstated', true)
        FROM moved
        """;

    private async Task<bool> TakeUnreservedStockAsync(Tx tx, long orderId)
    {
        if (await tx.SingleAsync<long>(LockNeeded, new { orderId }) > 0)
        {
            return false;
        }

        await tx.ExecuteAsync(TakeUnreserved, new { orderId, Actor = run.Job.Name, RunId = run.Id });
        return true;
    }

    private const string SetStatus =
        """
        WITH changed AS (
            UPDATE orders SET status = @status, updated_at = clock_timestamp() WHERE id = @id RETURNING id
        ),
        staff AS (
            INSERT INTO notifications (kind, to_address, payload, dedupe_key, created_at)
            SELECT 'staff_refund_due', @StaffEmail, jsonb_build_object('order_id', id, 'payment_id', @paymentId),
                   'staff_refund_due:' || @paymentId, @Now
            FROM changed
            WHERE @status = 'refund_due' AND @StaffEmail::text IS NOT NULL
            ON CONFLICT (dedupe_key) DO NOTHING
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'order.' || @status, 'order', id, @RunId, jsonb_build_object('payment_id', @paymentId)
        FROM changed
        """;

    private Task<int> SetStatusAsync(Tx tx, long id, string status, long paymentId) =>
        tx.ExecuteAsync(
            SetStatus,
            new { id, status, paymentId, StaffEmail = settings.Optional("STAFF_EMAIL"), run.Now, Actor = run.Job.Name, RunId = run.Id });
}
