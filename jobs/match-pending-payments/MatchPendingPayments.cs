using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Payments that are unresolved here get what Stripe says of them: success, failure, or still open. Those of the last hour
/// are asked about in every run, older ones hourly for a day and daily after that. A charge of ours whose answer was lost
/// is looked for by listing; that it did not happen is concluded only 25 hours after it was sent.
/// </summary>
public sealed class MatchPendingPayments(
    JobRun run, Db db, Settlement settlement, IntentEnding intents, IntentSearch search, Settings settings) : IJob
{
    private const string Due =
        $"""
        {Payment.SelectWithCustomer}
        WHERE {UnresolvedPayment.IsAskedAboutNow}
          AND (p.created_at, p.id) > (@AfterCreated, @AfterId)
          AND (@Only::bigint IS NULL OR p.id = @Only)
          AND (@Count = 1 OR p.id % @Count = @Index)
        ORDER BY p.created_at, p.id
        LIMIT @Size
        """;

    // Hourly for a day, then daily; and as soon as silence proves that a charge did not happen.
    private const string Postpone =
        """
        UPDATE payments
        SET next_check_at = CASE
                WHEN provider_payment_id IS NULL AND sent_at + @ProvesAbsence > @Now
                    THEN least(@Now::timestamptz + ladder.step, sent_at + @ProvesAbsence + interval '1 minute')
                ELSE @Now::timestamptz + ladder.step
            END
        FROM (SELECT CASE WHEN created_at > @Now::timestamptz - interval '24 hours' THEN interval '1 hour' ELSE interval '24 hours' END AS step
              FROM payments WHERE id = @Id) AS ladder
        WHERE id = @Id AND status IN ('pending', 'processing', 'requires_action')
        """;

    public async Task RunAsync()
    {
        run.Counters.Add("matched", 0);
        await run.EachAsync(DueAsync(), p => p.Id.ToString(CultureInfo.InvariantCulture), MatchAsync, Parallelism.Of(settings));
        await Parking.TellStaffAsync(db, run, settings);
    }

    private IAsyncEnumerable<Payment> DueAsync() =>
        Keyset.ReadAsync<Payment, (DateTime Created, long Id)>(
            run, db, Due, Keyset.Beginning, p => (p.CreatedAt, p.Id),
            (after, size) => new
            {
                run.Now,
                AfterCreated = after.Created,
                AfterId = after.Id,
                Size = size,
                run.Options.Only,
                run.Options.Shard.Count,
                run.Options.Shard.Index,
            });

    private async Task MatchAsync(Payment payment)
    {
        var silenceProves = IsOurCharge(payment) && !await search.MayStillHappenAsync(payment);
        var intent = payment.ProviderPaymentId is { } id ? await intents.LookAsync(id) : await search.FindAsync(payment);
        var outcome = (intent, run.DryRun) switch
        {
            ({ } found, false) => await settlement.SettleAsync(payment, found),
            ({ } found, true) => await settlement.ForeseeAsync(payment, found),
            _ when !silenceProves => SettlementOutcome.StillOpen,
            (_, true) => SettlementOutcome.Canceled,
            _ => await settlement.CloseAsync(payment, null, PaymentStatus.Failed, "no_provider_payment"),
        };
        if (outcome == SettlementOutcome.StillOpen && !run.DryRun)
        {
            await db.TransactionAsync(tx => tx.ExecuteAsync(Postpone, new { payment.Id, run.Now, UnresolvedPayment.ProvesAbsence }), run.Aborting);
        }

        run.Count(
            outcome switch
            {
                SettlementOutcome.Fulfilled => "matched",
                SettlementOutcome.Refunded => "refunded",
                SettlementOutcome.Declined => "declined",
                SettlementOutcome.Canceled => "closed",
                SettlementOutcome.Parked => "parked_payments",
                SettlementOutcome.AlreadyFulfilled => "already_settled",
                _ => "still_open",
            },
            payment.Id,
            ("provider_payment_id", intent?.Id));
    }

    /// <summary>An application may create the PaymentIntent of its payment at any time: of that, silence proves nothing.</summary>
    private static bool IsOurCharge(Payment payment) =>
        payment is { ProviderPaymentId: null, ProviderCustomerId: not null, ProviderRequest: not null, SentAt: not null };
}
