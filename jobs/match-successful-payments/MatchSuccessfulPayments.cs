using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs;

/// <summary>
/// What succeeded at Stripe and is unknown here becomes a payment with what it bought. Two ways lead to it: PaymentIntents
/// listed by creation, and Events, because an old PaymentIntent can succeed today. Payments of Stripe Billing invoices are
/// tied to their subscription and recorded without extending it. What cannot be tied to anything is parked, never dropped.
/// </summary>
public sealed class MatchSuccessfulPayments(
    JobRun run, Db db, JobCursor cursor, StripeClient stripe, Fulfilment fulfilment, InvoiceTie invoices, Settings settings) : IJob
{
    // Wide enough for a lagging list, clocks that differ and objects of the same second; what was seen before costs one look here.
    private static readonly TimeSpan Overlap = TimeSpan.FromHours(1);
    private static readonly TimeSpan EventsKept = TimeSpan.FromDays(30);
    private const int LookUp = 100;

    private readonly HashSet<string> _foreseen = new(StringComparer.Ordinal);

    // Known: booked, or parked and not to be parked again.
    private const string Known =
        """
        SELECT provider_payment_id FROM payments
        WHERE provider_payment_id = ANY (@ids) AND status IN ('succeeded', 'refunded', 'disputed')
        UNION
        SELECT provider_payment_id FROM unmatched_payments WHERE provider_payment_id = ANY (@ids)
        """;

    public async Task RunAsync()
    {
        if (run.Options.Only is not null || !run.Options.Shard.IsAll)
        {
            throw new OperatorException(
                "match-successful-payments follows one cursor through all payments: --only and --shard do not apply; use --limit, or match-pending-payments --only for one payment");
        }

        run.Counters.Add("matched", 0);
        var covered = await cursor.ReadAsync() ?? run.Now;
        var from = (covered < run.Now ? covered : run.Now) - Overlap;
        if (run.Now - from > EventsKept)
        {
            run.Log.LogEventsGone(from);
        }

        // Frozen: what is created while we page belongs to the next run.
        var window = new DateRangeOptions { GreaterThanOrEqual = new DateTimeOffset(from), LessThanOrEqual = new DateTimeOffset(run.Now) };
        await MatchAsync(ListedAsync(window));
        await MatchAsync(AnnouncedAsync(window));
        await Parking.TellStaffAsync(db, run, settings);
        await cursor.MoveAsync();
    }

    private Task MatchAsync(IAsyncEnumerable<string> ids) =>
        run.EachAsync(UnknownAsync(ids), id => id, FulfilAsync, Parallelism.Of(settings));

    private async IAsyncEnumerable<string> ListedAsync(DateRangeOptions window)
    {
        var options = new PaymentIntentListOptions { Created = window, Parallel = Parallelism.OfPages(settings) };
        await foreach (var intent in stripe.PaymentIntents.ListAsync(options, run.Aborting))
        {
            if (intent.Status == PaymentIntentStatus.Succeeded)
            {
                yield return intent.Id;
            }
        }
    }

    private async IAsyncEnumerable<string> AnnouncedAsync(DateRangeOptions window)
    {
        var options = new EventListOptions { Type = "payment_intent.succeeded", Created = window, Parallel = Parallelism.OfPages(settings) };
        await foreach (var announced in stripe.Events.ListAsync(options, run.Aborting))
        {
            if (announced.Data.ObjectId is { } id)
            {
                yield return id;
            }
        }
    }

    private async IAsyncEnumerable<string> UnknownAsync(IAsyncEnumerable<string> ids)
    {
        await foreach (var some in ids.Chunk(LookUp))
        {
            run.Counters.Add("seen", some.Length);
            var known = await db.TransactionAsync(tx => tx.QueryAsync<string>(Known, new { ids = some }), run.Aborting);
            foreach (var id in some.Distinct().Except(known).Where(IsNews))
            {
                yield return id;
            }
        }
    }

    /// <summary>A dry run books nothing, so that the list and the events tell it of the same payment.</summary>
    private bool IsNews(string id) => !run.DryRun || _foreseen.Add(id);

    private async Task FulfilAsync(string id)
    {
        // The list or the event may be older than a refund or a correction: what counts is the object now.
        var intent = (await stripe.PaymentIntents.GetAsync(id, [Fulfilment.LatestCharge], run.Aborting)).Value;
        var billing = await invoices.FindAsync(intent);
        var outcome = (billing, run.DryRun) switch
        {
            ({ Known: false }, true) => FulfilmentOutcome.Parked,
            ({ Known: false }, false) => await fulfilment.ParkAsync(intent, ParkingReason.SubscriptionUnknown),
            (_, true) => await fulfilment.ForeseeAsync(intent, billing?.SubscriptionId),
            _ => await fulfilment.FulfilAsync(intent, billing?.SubscriptionId),
        };
        var name = outcome switch
        {
            FulfilmentOutcome.Fulfilled => "matched",
            FulfilmentOutcome.Refunded => "refunded",
            FulfilmentOutcome.Parked => "parked_payments",
            _ => "already_settled",
        };
        run.Counters.Add(name);
        run.Item(id, name, ("amount_minor", intent.AmountReceived), ("currency", intent.Currency));
    }
}
