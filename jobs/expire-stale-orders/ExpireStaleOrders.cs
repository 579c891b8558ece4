using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Unpaid orders past their time: every PaymentIntent that could still pay one is canceled, then the order expires and its
/// stock is released. What succeeded meanwhile is paid; what is processing waits. An order without a time never expires.
/// </summary>
public sealed class ExpireStaleOrders(JobRun run, Db db, OrderExpiry expiry, Settings settings) : IJob
{
    private const string Stale =
        $"""
        {StaleOrder.Select}
        WHERE {StaleOrder.IsPastItsTime} AND (o.expires_at, o.id) > (@AfterExpires, @AfterId)
          AND (@Only::bigint IS NULL OR o.id = @Only)
          AND (@Count = 1 OR o.id % @Count = @Index)
        ORDER BY o.expires_at, o.id
        LIMIT @Size
        """;

    // Given more time in the application while a killed run had begun to expire them.
    private const string PutBackExtended =
        """
        WITH extended AS (
            UPDATE orders SET status = 'pending_payment', updated_at = clock_timestamp()
            WHERE status = 'expiring' AND coalesce(expires_at, 'infinity') >= @Now AND (@Only::bigint IS NULL OR id = @Only)
            RETURNING id, expires_at
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'order.pending_payment', 'order', id, @RunId, jsonb_build_object('expires_at', expires_at)
        FROM extended
        """;

    public async Task RunAsync()
    {
        run.Counters.Add("orders_expired", 0);
        run.Counters.Add("payment_intents_canceled", 0);
        run.Counters.Add("stock_released", 0);
        if (!run.DryRun)
        {
            await db.TransactionAsync(
                tx => tx.ExecuteAsync(PutBackExtended, new { run.Now, run.Options.Only, Actor = run.Job.Name, RunId = run.Id }), run.Aborting);
        }

        await run.EachAsync(StaleAsync(), o => o.Id.ToString(CultureInfo.InvariantCulture), ExpireAsync, Parallelism.Of(settings));
        await Parking.TellStaffAsync(db, run, settings);
    }

    private IAsyncEnumerable<StaleOrder> StaleAsync() =>
        Keyset.ReadAsync<StaleOrder, (DateTime Expires, long Id)>(
            run, db, Stale, Keyset.Beginning, o => (o.ExpiresAt, o.Id),
            (after, size) => new
            {
                run.Now,
                AfterExpires = after.Expires,
                AfterId = after.Id,
                Size = size,
                run.Options.Only,
                run.Options.Shard.Count,
                run.Options.Shard.Index,
            });

    private async Task ExpireAsync(StaleOrder order)
    {
        var result = run.DryRun ? await expiry.ForeseeAsync(order) : await expiry.ExpireAsync(order);
        run.Counters.Add("payment_intents_canceled", result.PaymentIntentsCanceled);
        run.Counters.Add("stock_released", result.StockReleased);
        run.Count(
            result.Outcome switch
            {
                OrderExpiryOutcome.Expired => "orders_expired",
                OrderExpiryOutcome.Paid => "paid_in_race",
                OrderExpiryOutcome.Waiting => "left",
                OrderExpiryOutcome.Parked => "parked_payments",
                _ => "already_settled",
            },
            order.Id,
            ("expires_at", order.ExpiresAt),
            ("payment_intents_canceled", result.PaymentIntentsCanceled),
            ("stock_released", result.StockReleased));
    }
}
