using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs.Billing;

/// <summary>
/// Finds the PaymentIntent of a payment whose provider id was never learned: by listing the customer's PaymentIntents of
/// the time in question and reading their metadata. Listing is complete at once; Search is not, and is never used.
/// </summary>
public sealed class IntentSearch(StripeClient stripe, Db db, JobRun run)
{
    // The provider's clock may differ from ours.
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(10);

    // The longest that a key is sent again (23 h), and time for the last send to be carried out.
    private static readonly TimeSpan LongestSend = TimeSpan.FromHours(25);

    /// <summary>
    /// Whether a charge of ours may still be carried out, so that finding nothing proves nothing. Asked before the search: a run may be frozen
    /// after it while the charge goes through. The key's age decides, by the database's clock, not the row's.
    /// </summary>
    public async Task<bool> MayStillHappenAsync(Payment payment) =>
        payment is { ProviderPaymentId: null, SentAt: { } sent }
        && await db.TransactionAsync(
            tx => tx.SingleAsync<bool>("SELECT clock_timestamp() <= @sent + @ProvesAbsence", new { sent, UnresolvedPayment.ProvesAbsence }), run.Aborting);

    /// <returns>Null when the provider has none for this payment, or when there is no customer to list by.</returns>
    public async Task<PaymentIntent?> FindAsync(Payment payment)
    {
        if (payment.ProviderCustomerId is null)
        {
            return null;
        }

        var from = new DateTimeOffset(payment.SentAt ?? payment.CreatedAt) - Skew;
        var options = new PaymentIntentListOptions
        {
            Customer = payment.ProviderCustomerId,
            Expand = ["data." + Fulfilment.LatestCharge],
            Created = new DateRangeOptions
            {
                GreaterThanOrEqual = from,
                LessThanOrEqual = payment.SentAt is { } sent ? new DateTimeOffset(sent) + LongestSend : null,
            },
        };
        PaymentIntent? found = null;
        await foreach (var intent in stripe.PaymentIntents.ListAsync(options, run.Aborting))
        {
            if (Belongs(intent, payment) && (found is null || intent.Status == PaymentIntentStatus.Succeeded))
            {
                found = intent;
            }
        }

        return found;
    }

    /// <summary>
    /// The PaymentIntents that say they pay this order, or one of its payments; none when there is no customer to list by.
    /// </summary>
    public async Task<IReadOnlyList<PaymentIntent>> FindAsync(StaleOrder order)
    {
        var found = new List<PaymentIntent>();
        if (order.ProviderCustomerId is null)
        {
            return found;
        }

        var options = new PaymentIntentListOptions
        {
            Customer = order.ProviderCustomerId,
            Created = new DateRangeOptions { GreaterThanOrEqual = new DateTimeOffset(order.CreatedAt) - Skew },
        };
        await foreach (var intent in stripe.PaymentIntents.ListAsync(options, run.Aborting))
        {
            var metadata = new PaymentMetadata(intent.Metadata);
            if (metadata.OrderId == order.Id || (metadata.PaymentId is { } payment && order.UnnamedPaymentIds.Contains(payment)))
            {
                found.Add(intent);
            }
        }

        return found;
    }

    private static bool Belongs(PaymentIntent intent, Payment payment)
    {
        var metadata = new PaymentMetadata(intent.Metadata);
        return metadata.PaymentId == payment.Id
            && (metadata.AttemptKey is not { } key || key == payment.IdempotencyKey);
    }
}
