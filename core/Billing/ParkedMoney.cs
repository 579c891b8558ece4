using Jobs.Database;

namespace Jobs.Billing;

/// <summary>Books money that was parked, on a person's word, for nothing in particular: payment, receipt, mail and audit row, once.</summary>
public sealed class ParkedMoney(BusinessZone zone)
{
    // The attempt that the money was tied to stays as it ended; the money has a row of its own.
    private const string LetGo =
        """
        UPDATE payments SET provider_payment_id = NULL, updated_at = clock_timestamp()
        WHERE provider_payment_id = @ProviderPaymentId AND status NOT IN ('succeeded', 'refunded', 'disputed')
        """;

    /// <summary>The payer and the parked row are locked by the caller, and the row is unresolved: booking it resolves it.</summary>
    /// <returns>The payment and the number of its receipt.</returns>
    public async Task<(long PaymentId, string Receipt)> BookAsync(Tx tx, Origin origin, Received received, long userId)
    {
        await tx.ExecuteAsync(LetGo, new { received.ProviderPaymentId });
        var success = new Success { Origin = origin, Received = received, UserId = userId, Purpose = "other", MoreFollows = true };
        await success.BookAsync(tx, zone);
        return (success.Booked.Id, success.Booked.Number);
    }
}
