using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Payments pending for more than 7 days become expired - after Stripe was asked and the PaymentIntent was canceled, so
/// that nobody can pay on it later. What succeeded meanwhile is fulfilled; what is processing is left. A payment in the queue
/// for the card terminals is not stale; one that left it without a result is, and Stripe does not know of it.
/// </summary>
public sealed class ExpirePayments(
    JobRun run, Db db, JobOptions options, Settlement settlement, IntentEnding ending, IntentSearch search, Settings settings) : IJob
{
    public static readonly JobOption<TimeSpan?> OlderThan = new(
        "--older-than", "duration", "Expire payments pending for more than this long. Default: 7d.", OptionValue.Duration, UnresolvedPayment.GivenUpAfter);

    // The user's customer stands in where an application's row names none: its PaymentIntent is found by listing that one.
    private const string Stale =
        $"""
        {Payment.SelectWithCustomer}
        WHERE {UnresolvedPayment.MayBeGivenUp}
          AND p.created_at < @Before AND (p.created_at, p.id) > (@AfterCreated, @AfterId)
          AND (@Only::bigint IS NULL OR p.id = @Only)
          AND (@Count = 1 OR p.id % @Count = @Index)
        ORDER BY p.created_at, p.id
        LIMIT @Size
        """;

    public async Task RunAsync()
    {
        run.Counters.Add("expired", 0);
        await run.EachAsync(
            StaleAsync(), p => p.Id.ToString(System.Globalization.CultureInfo.InvariantCulture), ExpireAsync, Parallelism.Of(settings));
        await Parking.TellStaffAsync(db, run, settings);
    }

    private IAsyncEnumerable<Payment> StaleAsync()
    {
        var before = run.Now - options.Get(OlderThan)!.Value;
        return Keyset.ReadAsync<Payment, (DateTime Created, long Id)>(
            run, db, Stale, Keyset.Beginning, p => (p.CreatedAt, p.Id),
            (after, size) => new
            {
                Before = before,
                AfterCreated = after.Created,
                AfterId = after.Id,
                Size = size,
                run.Options.Only,
                run.Options.Shard.Count,
                run.Options.Shard.Index,
            });
    }

    private async Task ExpireAsync(Payment payment)
    {
        if (payment.Provider == "sumup")
        {
            var closed = run.DryRun
                || await settlement.CloseAsync(payment, null, PaymentStatus.Expired, "not_in_queue") == SettlementOutcome.Canceled;
            run.Count(closed ? "expired" : "left", payment.Id, ("provider_payment_id", null), ("created_at", payment.CreatedAt));
            return;
        }

        var mayStillHappen = await search.MayStillHappenAsync(payment);
        var intentId = payment.ProviderPaymentId ?? (await search.FindAsync(payment))?.Id;
        if (intentId is null && mayStillHappen)
        {
            run.Count("left", payment.Id, ("provider_payment_id", null), ("created_at", payment.CreatedAt));
            return;
        }

        if (run.DryRun)
        {
            var state = intentId is null ? IntentEnd.NotFound : (await ending.StateAsync(intentId)).End;
            run.Count(
                state switch { IntentEnd.Succeeded => "fulfilled", IntentEnd.Busy => "left", _ => "expired" },
                payment.Id, ("provider_payment_id", intentId), ("created_at", payment.CreatedAt));
            return;
        }

        var (end, intent) = intentId is null ? (IntentEnd.NotFound, null) : await ending.EndAsync(intentId);
        var outcome = end switch
        {
            IntentEnd.Succeeded or IntentEnd.Busy => await settlement.SettleAsync(payment, intent!),
            IntentEnd.Canceled => await settlement.CloseAsync(payment, intentId, PaymentStatus.Expired, "abandoned"),
            _ => await settlement.CloseAsync(
                payment, null, PaymentStatus.Expired, intentId is null ? "no_provider_payment" : "provider_not_found"),
        };
        run.Count(
            outcome switch
            {
                SettlementOutcome.Canceled => "expired",
                SettlementOutcome.Fulfilled => "fulfilled",
                SettlementOutcome.Refunded => "refunded",
                SettlementOutcome.Parked => "parked_payments",
                _ => "left",
            },
            payment.Id,
            ("provider_payment_id", intentId));
    }
}
