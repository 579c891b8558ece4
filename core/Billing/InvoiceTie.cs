using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs.Billing;

/// <summary>Whether a PaymentIntent paid a Stripe Billing invoice, and which of our subscriptions that is.</summary>
/// <param name="SubscriptionId">Our id.</param>
/// <param name="Known">False: an invoice of a subscription that is not here (yet).</param>
public readonly record struct BillingInvoice(long SubscriptionId, bool Known);

/// <summary>Ties PaymentIntents to Stripe Billing subscriptions; since 2025-03-31 only `invoice_payments` knows.</summary>
public sealed class InvoiceTie(StripeClient stripe, Db db, JobRun run)
{
    /// <returns>Null when no subscription invoice was paid with it.</returns>
    public async Task<BillingInvoice?> FindAsync(PaymentIntent intent)
    {
        if (new PaymentMetadata(intent.Metadata).IsOurs)
        {
            return null;
        }

        await foreach (var payment in stripe.InvoicePayments.ListAsync(intent.Id, run.Aborting))
        {
            var invoice = payment.Invoice?.Object
                ?? (payment.Invoice is { } reference ? (await stripe.Invoices.GetAsync(reference.Id, run.Aborting)).Value : null);
            if (invoice?.SubscriptionId is { } providerId)
            {
                var id = await db.TransactionAsync(
                    tx => tx.SingleOrDefaultAsync<long?>("SELECT id FROM subscriptions WHERE provider_subscription_id = @providerId", new { providerId }),
                    run.Aborting);
                return new BillingInvoice(id ?? 0, id is not null);
            }
        }

        return null;
    }
}
