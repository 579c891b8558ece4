using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;
using Jobs.Terminals;

namespace Jobs.Doctor;

/// <summary>What is certainly safe to repair, and the same when repeated: each a compare-and-set with its audit row.</summary>
internal sealed class Repairs(ToolRun run, ToolServices services)
{
    private Db Db => services.Db;

    // Whoever reserves or releases holds the product's row until it commits: with it locked, the sum and the counter belong together.
    private const string Recount =
        """
        SELECT id FROM products WHERE id = @Id FOR NO KEY UPDATE;
        WITH truth AS (
            SELECT coalesce(sum(quantity), 0)::bigint AS reserved FROM stock_reservations WHERE product_id = @Id AND released_at IS NULL
        ),
        changed AS (
            UPDATE products AS p
            SET stock_reserved = truth.reserved, updated_at = clock_timestamp()
            FROM truth, (SELECT id, stock_reserved FROM products WHERE id = @Id) AS before
            WHERE p.id = before.id AND p.stock_reserved <> truth.reserved
            RETURNING p.id, before.stock_reserved AS was, p.stock_reserved
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, data)
        SELECT @Actor, 'product.recounted', 'product', id, jsonb_build_object('was', was, 'stock_reserved', stock_reserved)
        FROM changed
        """;

    public async Task<int> RecountAsync(IEnumerable<MoneyChecks.Drift> drifted, CancellationToken cancellation)
    {
        var recounted = 0;
        foreach (var product in drifted)
        {
            recounted += await Db.TransactionAsync(tx => tx.ExecuteAsync(Recount, new { product.Id, services.Origin.Actor }), cancellation);
        }

        return recounted;
    }

    // A holder that renewed since, or is another one, is alive.
    private const string Release =
        """
        WITH released AS (
            DELETE FROM leases WHERE name = @Name AND holder = @Holder AND expires_at = @ExpiresAt RETURNING name, holder
        )
        INSERT INTO audit_logs (actor, action, subject_type, data)
        SELECT @Actor, 'lease.released', 'lease', jsonb_build_object('name', name, 'holder', holder) FROM released
        """;

    public async Task<int> ReleaseAsync(IEnumerable<RunChecks.Lease> orphans)
    {
        var released = 0;
        foreach (var lease in orphans)
        {
            released += await Db.TransactionAsync(
                tx => tx.ExecuteAsync(Release, new { lease.Name, lease.Holder, lease.ExpiresAt, services.Origin.Actor }), run.Stopping);
        }

        return released;
    }

    private const string Close =
        $"""
        WITH closed AS (
            UPDATE job_runs
            SET status = 'failed', finished_at = clock_timestamp(), error = '{RunLedger.WithoutAWord}'
            WHERE id = @Id AND status = 'running'
            RETURNING id, job
        )
        INSERT INTO audit_logs (actor, action, subject_type, run_id, data)
        SELECT @Actor, 'job_run.closed', 'job_run', id, jsonb_build_object('job', job) FROM closed
        """;

    public async Task<int> CloseAsync(IEnumerable<RunChecks.Running> dead)
    {
        var closed = 0;
        foreach (var ended in dead)
        {
            closed += await Db.TransactionAsync(tx => tx.ExecuteAsync(Close, new { ended.Id, services.Origin.Actor }), run.Stopping);
        }

        return closed;
    }

    /// <summary>What Stripe has taken and nobody booked goes the way of every success.</summary>
    /// <returns>By payment, what became of it.</returns>
    public async Task<Dictionary<long, string>> BookAsync(IEnumerable<MoneyChecks.Unbooked> found, CancellationToken cancellation)
    {
        var notes = new Dictionary<long, string>();
        foreach (var payment in found.Where(p => p is { Lacks: "receipt", Provider: "stripe", ProviderPaymentId: not null }))
        {
            try
            {
                var intent = (await services.Get<StripeClient>().PaymentIntents.GetAsync(payment.ProviderPaymentId!, [Fulfilment.LatestCharge], cancellation)).Value;
                if (intent.Status == PaymentIntentStatus.Succeeded && await services.Get<Fulfilment>().RepairAsync(intent) is var outcome && outcome != FulfilmentOutcome.AlreadyFulfilled)
                {
                    notes[payment.Id] = string.Create(CultureInfo.InvariantCulture, $"payment {payment.Id} had no receipt: {Outcome(outcome)}");
                }
            }
            catch (Exception e) when (e is StripeException or OperatorException)
            {
                await run.WarnAsync(string.Create(CultureInfo.InvariantCulture, $"payment {payment.Id} was not booked: {run.Sentence(e)}"));
            }
        }

        return notes;
    }

    private static string Outcome(FulfilmentOutcome outcome) => outcome switch
    {
        FulfilmentOutcome.Fulfilled => "booked now",
        FulfilmentOutcome.Refunded => "booked now as refunded",
        _ => "parked, for it fits nothing: jobctl resolve list",
    };

    public Task<int> DropUnwantedAsync() => services.Get<TerminalQueue>().DropUnwantedAsync();
}
