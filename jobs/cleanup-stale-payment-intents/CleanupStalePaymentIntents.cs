using System.Runtime.CompilerServices;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs;

/// <summary>
/// PaymentIntents that nobody paid for more than 7 days are canceled at Stripe, and our rows follow. Only those that are
/// ours - by their metadata or by a row here - and that nothing alive needs: no order still in time, no younger payment
/// under way, no open Checkout Session. An authorization is released only when asked for.
/// </summary>
public sealed class CleanupStalePaymentIntents(
    JobRun run, Db db, JobOptions options, StripeClient stripe, IntentEnding ending, Settlement settlement, Fulfilment fulfilment,
    Settings settings) : IJob
{
    public static readonly JobOption<TimeSpan?> OlderThan = new(
        "--older-than", "duration", "Cancel PaymentIntents created longer ago than this. Default: 7d.", OptionValue.Duration, TimeSpan.FromDays(7));

    public static readonly JobOption<bool> IncludeRequiresCapture = new(
        "--include-requires-capture", "", "Cancel those that wait for a capture too: that releases the authorization.", OptionValue.Flag, false);

    private const int LookUp = 100;

    // The row that names the PaymentIntent; else the one that its metadata names, unless that one has gone on to another.
    private const string Known =
        """
        SELECT i.id, p.id AS payment_id, p.status AS payment_status,
               p.id IS NOT NULL OR EXISTS (SELECT FROM orders AS o WHERE o.payment_intent_id = i.id) AS is_known,
               EXISTS (
                   SELECT FROM orders AS o
                   WHERE o.id IN (
                       SELECT i.order_id UNION ALL SELECT p.order_id UNION ALL SELECT id FROM orders WHERE payment_intent_id = i.id)
                     AND o.status IN ('pending_payment', 'expiring') AND coalesce(o.expires_at, 'infinity') >= @Now) AS order_in_time,
               coalesce(
                   p.status IN ('pending', 'processing', 'requires_action') AND p.created_at >= @Before
                   OR EXISTS (SELECT FROM payment_queue AS q WHERE q.payment_id = p.id AND q.status IN ('waiting', 'processing', 'unknown')),
                   false) AS payment_under_way
        FROM unnest(@Ids::text[], @PaymentIds::bigint[], @OrderIds::bigint[], @Keys::text[]) AS i (id, payment_id, order_id, attempt_key)
        LEFT JOIN LATERAL (
            SELECT * FROM payments WHERE provider_payment_id = i.id
            UNION ALL
            SELECT * FROM payments
            WHERE id = i.payment_id AND provider_payment_id IS NULL AND (i.attempt_key IS NULL OR idempotency_key = i.attempt_key)
            LIMIT 1
        ) AS p ON true
        """;

    private sealed class KnownIntent
    {
        public string Id { get; init; } = "";
        public long? PaymentId { get; init; }
        public string? PaymentStatus { get; init; }
        public bool IsKnown { get; init; }
        public bool OrderInTime { get; init; }
        public bool PaymentUnderWay { get; init; }
        public bool IsInFlight => PaymentStatus is not null && Billing.PaymentStatus.IsInFlight(PaymentStatus);
    }

    private readonly record struct Stale(PaymentIntent Intent, KnownIntent Known);

    private bool Uncaptured => options.Get(IncludeRequiresCapture);

    public async Task RunAsync()
    {
        if (run.Options.Only is not null || !run.Options.Shard.IsAll)
        {
            throw new OperatorException(
                "cleanup-stale-payment-intents goes through the account's list of PaymentIntents: --only and --shard do not apply; use --limit");
        }

        run.Counters.Add("payment_intents_canceled", 0);
        var before = run.Now - options.Get(OlderThan)!.Value;
        await run.EachAsync(StaleAsync(before), s => s.Intent.Id, CancelAsync, Parallelism.Of(settings));
        await Parking.TellStaffAsync(db, run, settings);
    }

    private async IAsyncEnumerable<Stale> StaleAsync(DateTime before, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        await foreach (var some in OpenOrCanceledAsync(before).Chunk(LookUp).WithCancellation(cancellation))
        {
            run.Counters.Add("seen", some.Length);
            var known = await KnownAsync(some, before);
            foreach (var intent in some)
            {
                if (IsStale(intent, known[intent.Id]))
                {
                    yield return new Stale(intent, known[intent.Id]);
                }
            }
        }
    }

    /// <summary>Canceled ones too: a killed run may have left their rows behind. All others are final or under way.</summary>
    private async IAsyncEnumerable<PaymentIntent> OpenOrCanceledAsync(DateTime before)
    {
        var window = new PaymentIntentListOptions { Created = new DateRangeOptions { LessThan = new DateTimeOffset(before) } };
        await foreach (var intent in stripe.PaymentIntents.ListAsync(window, run.Aborting))
        {
            // Stripe cuts the time of creation to the second, so one of the last second may not be older yet.
            if (intent.Created.UtcDateTime < before
                && (intent.Status is PaymentIntentStatus.Canceled || IntentEnding.Of(intent, uncaptured: true).End == IntentEnd.Open))
            {
                yield return intent;
            }
        }
    }

    private Task<Dictionary<string, KnownIntent>> KnownAsync(PaymentIntent[] intents, DateTime before)
    {
        var metadata = intents.Select(i => new PaymentMetadata(i.Metadata)).ToArray();
        return db.TransactionAsync(
            async tx => (await tx.QueryAsync<KnownIntent>(
                Known,
                new
                {
                    Ids = intents.Select(i => i.Id).ToArray(),
                    PaymentIds = metadata.Select(m => m.PaymentId).ToArray(),
                    OrderIds = metadata.Select(m => m.OrderId).ToArray(),
                    Keys = metadata.Select(m => m.AttemptKey).ToArray(),
                    run.Now,
                    Before = before,
                })).ToDictionary(k => k.Id, StringComparer.Ordinal),
            run.Aborting);
    }

    private bool IsStale(PaymentIntent intent, KnownIntent known)
    {
        if (intent.Status == PaymentIntentStatus.Canceled)
        {
            return known.IsInFlight;
        }

        if (!known.IsKnown && !new PaymentMetadata(intent.Metadata).IsOurs)
        {
            return false;
        }

        var reason = known.OrderInTime ? "order_in_time"
            : known.PaymentUnderWay ? "payment_under_way"
            : intent.Status == PaymentIntentStatus.RequiresCapture && !Uncaptured ? "requires_capture"
            : null;
        if (reason is not null)
        {
            Leave(intent, reason);
        }

        return reason is null;
    }

    private async Task CancelAsync(Stale stale)
    {
        var intent = stale.Intent;
        if (intent.Status != PaymentIntentStatus.Canceled)
        {
            if (await IsInOpenSessionAsync(intent.Id))
            {
                Leave(intent, "checkout_session");
                return;
            }

            var (end, current) = run.DryRun ? (IntentEnd.Canceled, intent) : await ending.EndAsync(intent.Id, Uncaptured);
            switch (end)
            {
                case IntentEnd.Succeeded:
                    Count(await fulfilment.FulfilAsync(current!) == FulfilmentOutcome.Parked ? "parked_payments" : "paid_in_race", current!);
                    return;
                case not IntentEnd.Canceled:
                    Leave(intent, current is null ? "provider_not_found" : "cancel_refused");
                    return;
                default:
                    Count("payment_intents_canceled", intent);
                    intent = current!;
                    break;
            }
        }

        if (stale.Known.PaymentId is { } paymentId && await FollowAsync(paymentId, stale.Known, intent))
        {
            run.Counters.Add("payments_canceled");
        }
    }

    private async Task<bool> IsInOpenSessionAsync(string intentId)
    {
        var open = new CheckoutSessionListOptions { PaymentIntent = intentId, Status = CheckoutSessionStatus.Open, Limit = 1 };
        return await stripe.CheckoutSessions.ListAsync(open, run.Aborting).AnyAsync(run.Aborting);
    }

    /// <summary>Our row becomes canceled as well; one that is final already stays.</summary>
    private async Task<bool> FollowAsync(long paymentId, KnownIntent known, PaymentIntent canceled)
    {
        if (run.DryRun)
        {
            return known.IsInFlight;
        }

        var payment = await db.TransactionAsync(
            tx => tx.SingleAsync<Payment>($"{Payment.SelectWithCustomer} WHERE p.id = @paymentId", new { paymentId }), run.Aborting);
        return await settlement.SettleAsync(payment, canceled) == SettlementOutcome.Canceled;
    }

    private void Leave(PaymentIntent intent, string reason)
    {
        run.Counters.Add("left");
        run.Item(intent.Id, "left", ("reason", reason), ("status", intent.Status), ("created", intent.Created.UtcDateTime));
        run.Log.LogLeft(intent.Id, intent.Status, reason);
    }

    private void Count(string outcome, PaymentIntent intent)
    {
        run.Counters.Add(outcome);
        run.Item(intent.Id, outcome, ("amount_minor", intent.Amount), ("currency", intent.Currency), ("created", intent.Created.UtcDateTime));
    }
}
