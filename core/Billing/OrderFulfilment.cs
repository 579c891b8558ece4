using Jobs.Database;

namespace Jobs.Billing;

/// <summary>
/// What a paid order grants: the reservations close and the stock leaves the shelf. Money for an expired order reinstates
/// it when the stock is still there; otherwise, and for a canceled order, the refund is due.
/// </summary>
/// <param name="zone">Decides the year of the receipt.</param>
/// <param name="staffEmail">Who hears of a refund that is due.</param>
public sealed class OrderFulfilment(BusinessZone zone, string? staffEmail)
{
    private sealed class Order
    {
        public long Id { get; init; }
        public long UserId { get; init; }
        public string Status { get; init; } = "";
        public long TotalMinor { get; init; }
        public string Currency { get; init; } = "";
    }

    /// <returns>Null when booked - in a dry run or foreseen: when it would be -, else why not, and nothing written.</returns>
    internal async Task<Refusal?> GrantAsync(Tx tx, Success success)
    {
        var order = await tx.SingleOrDefaultAsync<Order>(
            $"SELECT id, user_id, status, total_minor, currency FROM orders WHERE id = @OrderId {tx.RowLock}", new { success.OrderId });
        if (order is null)
        {
            return new(ParkingReason.OrderUnknown, $"there is no order {success.OrderId}");
        }

        if (order.UserId != success.UserId)
        {
            return new(ParkingReason.CustomerMismatch, $"order {order.Id} is another user's");
        }

        if (success.Received.CanBeRefused && order.Status is not ("pending_payment" or "paid"))
        {
            return new(RefusalReason.NotPayable, $"order {order.Id} is {order.Status}, so nothing is to be paid for it");
        }

        if (success.Disagreement(order.TotalMinor, order.Currency) is { } disagreement)
        {
            return disagreement;
        }

        if (order.Status is "paid" or "refund_due" || await IsPaidAsync(tx, order.Id))
        {
            return new(ParkingReason.Duplicate, $"order {order.Id} is paid already");
        }

        if (tx.ReadOnly || success.Foreseen)
        {
            return null;
        }

        var status = order.Status switch
        {
            "canceled" => "refund_due",
            "expired" => await TakeUnreservedStockAsync(tx, order.Id, success.Origin) ? "paid" : "refund_due",
            _ => await TakeReservedStockAsync(tx, order.Id, success.Origin),
        };
        success.RefundDue = status == "refund_due";
        await success.BookAsync(tx, zone);
        await SetStatusAsync(tx, order.Id, status, success.Booked.Id, success.Origin);
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

    private static async Task<string> TakeReservedStockAsync(Tx tx, long orderId, Origin origin)
    {
        await tx.ExecuteAsync(TakeReserved, new { orderId, origin.Now, origin.Actor, origin.RunId });
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

    private static async Task<bool> TakeUnreservedStockAsync(Tx tx, long orderId, Origin origin)
    {
        if (await tx.SingleAsync<long>(LockNeeded, new { orderId }) > 0)
        {
            return false;
        }

        await tx.ExecuteAsync(TakeUnreserved, new { orderId, origin.Actor, origin.RunId });
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

    private Task<int> SetStatusAsync(Tx tx, long id, string status, long paymentId, Origin origin) =>
        tx.ExecuteAsync(
            SetStatus,
            new { id, status, paymentId, StaffEmail = staffEmail, origin.Now, origin.Actor, origin.RunId });
}
