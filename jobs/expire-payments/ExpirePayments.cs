using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Payments pending for more than 7 days become expired - after Stripe was asked and the PaymentIntent was canceled, so
/// that nobody can pay on it later. What succeeded meanwhile is fulfilled; what is processing is left. A payment waiting
/// at a card terminal is not stale.
/// </summary>
public sealed class ExpirePayments(
    JobRun run, Db db, JobOptions options, Settlement settlement, IntentEnding ending, IntentSearch search, Settings settings) : IJob
{
    public static readonly JobOption<TimeSpan?> OlderThan = new(
        "--older-than", "duration", "Expire payments pending for more than this long. Default: 7d.", OptionValue.Duration, TimeSpan.FromDays(7));

    private const string Stale =
        $"""
        SELECT {Payment.Columns}
        FROM payments
        WHERE status = 'pending' AND created_at < @Before AND (created_at, id) > (@AfterCreated, @AfterId)
          AND provider IS DISTINCT FROM 'sumup'
          AND NOT EXISTS (SELECT FROM payment_queue AS q WHERE q.payment_id = payments.id AND q.status IN ('waiting', 'processing', 'unknown'))
          AND (@Only::bigint IS NULL OR id = @Only)
          AND (@Count = 1 OR id % @Count = @Index)
        ORDER BY created_at, id
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
            run, db, Stale, (DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc), 0L), p => (p.CreatedAt, p.Id),
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
        var intentId = payment.ProviderPaymentId ?? (await search.FindAsync(payment))?.Id;
        var (end, intent) = intentId is null ? (IntentEnd.NotFound, null) : await ending.EndAsync(intentId);
        var outcome = end switch
        {
            IntentEnd.Succeeded or IntentEnd.Busy when run.DryRun => Settlement.Foresee(payment, intent!),
            _ when run.DryRun => SettlementOutcome.Canceled,
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
                SettlementOutcome.Parked => "parked_payments",
                _ => "left",
            },
            payment.Id,
            ("provider_payment_id", intentId));
    }
}
