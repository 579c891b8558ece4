using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs;

/// <summary>
/// Stripe Billing's subscriptions follow Stripe, and so do refunds and disputes of every payment. The full sweep lists all of
/// them and also finds what is here and not at Stripe; --since-cursor goes by Events since the last complete run. A
/// subscription that is ours alone is finished by the clock when it was to end with its period.
/// </summary>
public sealed class SubscriptionSync(
    JobRun run, Db db, JobOptions options, JobCursor cursor, StripeClient stripe, BillingSubscriptions subscriptions, Reversals reversals, Settings settings) : IJob
{
    public static readonly JobOption<bool> SinceCursor = new(
        "--since-cursor", "", "Only what Events tell of since the last complete run, instead of everything.", OptionValue.Flag, false);

    public static readonly JobOption<int?> MaxMissing = new(
        "--max-missing", "n",
        "Cancel at most this many subscriptions that Stripe does not know. Default: 10, or a tenth of those that are here.", OptionValue.NotNegative, null);

    // Wide enough for a lagging list and clocks that differ.
    private static readonly TimeSpan Overlap = TimeSpan.FromHours(1);
    private static readonly TimeSpan EventsKept = TimeSpan.FromDays(30);
    private const int LookUp = 100;
    private const int MissingAtLeast = 10;

    private static readonly string[] EventTypes =
    [
        "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted", "customer.subscription.paused",
        "customer.subscription.resumed", "charge.refunded", "charge.refund.updated", "refund.created", "refund.updated", "refund.failed",
        "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
    ];

    private int Parallel => Parallelism.Of(settings);
    private int Pages => Parallelism.OfPages(settings);

    public async Task RunAsync()
    {
        if (!run.Options.Shard.IsAll)
        {
            throw new OperatorException("subscription-sync goes through one list of all subscriptions: --shard does not apply; use --limit, or --only for one subscription");
        }

        run.Counters.Add("updated", 0);
        await FinishAsync();
        await subscriptions.ReadPlansAsync();
        if (run.Options.Only is { } only)
        {
            await OneAsync(only);
        }
        else if (options.Get(SinceCursor))
        {
            await AnnouncedAsync();
        }
        else
        {
            await EverythingAsync();
        }

        await cursor.MoveAsync();
    }

    // Until an attempt in flight is settled nobody knows whether another period is paid.
    private const string Finished =
        """
        SELECT s.id, s.ended_at
        FROM subscriptions AS s
        WHERE s.status IN ('active', 'past_due') AND s.provider_subscription_id IS NULL AND s.cancel_at_period_end
          AND s.ended_at < @Now AND (s.ended_at, s.id) > (@AfterEnd, @AfterId)
          AND NOT EXISTS (SELECT FROM payments AS a WHERE a.subscription_id = s.id AND a.status IN ('pending', 'processing', 'requires_action'))
          AND (@Only::bigint IS NULL OR s.id = @Only)
        ORDER BY s.ended_at, s.id
        LIMIT @Size
        """;

    private const string Finish =
        """
        WITH canceled AS (
            UPDATE subscriptions
            SET status = 'canceled', next_attempt_at = NULL, updated_at = clock_timestamp()
            WHERE id = @Id AND status IN ('active', 'past_due') AND provider_subscription_id IS NULL AND cancel_at_period_end AND ended_at = @EndedAt
            RETURNING id, ended_at
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'subscription.canceled', 'subscription', id, @RunId, jsonb_build_object('reason', 'cancel_at_period_end', 'ended_at', ended_at)
        FROM canceled
        """;

    private sealed class EndedSubscription
    {
        public long Id { get; init; }
        public DateTime EndedAt { get; init; }
    }

    private Task FinishAsync() =>
        run.EachAsync(
            Keyset.ReadAsync<EndedSubscription, (DateTime End, long Id)>(
                run, db, Finished, Keyset.Beginning, s => (s.EndedAt, s.Id),
                (after, size) => new { run.Now, AfterEnd = after.End, AfterId = after.Id, run.Options.Only, Size = size }),
            s => s.Id.ToString(CultureInfo.InvariantCulture), FinishAsync, Parallel);

    private async Task FinishAsync(EndedSubscription ended)
    {
        if (run.DryRun
            || await db.TransactionAsync(
                tx => tx.ExecuteAsync(Finish, new { ended.Id, ended.EndedAt, Actor = run.Job.Name, RunId = run.Id }), run.Aborting) == 1)
        {
            run.Count("canceled", ended.Id, ("ended_at", ended.EndedAt), ("reason", "cancel_at_period_end"));
        }
    }

    private async Task OneAsync(long id)
    {
        if (await subscriptions.ProviderIdAsync(id) is { } providerId)
        {
            await run.EachAsync([providerId], one => one, one => subscriptions.SyncAsync(one), 1);
        }
    }

    /// <summary>Frozen at the run's now: what is created while we list belongs to the next run.</summary>
    private DateRangeOptions Until(DateTimeOffset from) => new() { GreaterThanOrEqual = from, LessThanOrEqual = new DateTimeOffset(run.Now) };

    private async Task EverythingAsync()
    {
        var always = Until(DateTimeOffset.UnixEpoch);
        var seen = new SeenIds();
        var last = await subscriptions.LastIdAsync();
        var listed = stripe.Subscriptions.ListAsync(new() { Status = "all", Created = always, Parallel = Pages }, run.Aborting);
        await run.EachAsync(subscriptions.DifferingAsync(listed, seen), s => s.Id, s => subscriptions.SyncAsync(s.Id, s), Parallel);
        await ReconcileAsync(RefundedAsync(stripe.Refunds.ListAsync(new() { Created = always, Parallel = Pages }, run.Aborting)));
        await ReconcileAsync(DisputedAsync(stripe.Disputes.ListAsync(new() { Created = always, Parallel = Pages }, run.Aborting)));
        // Last, as it may end the run: money that went back is not to wait until people have decided about the missing.
        await MissingAsync(seen, last);
    }

    /// <summary>Here and not in the list: asked for one by one, and canceled when Stripe does not know them.</summary>
    private async Task MissingAsync(SeenIds seen, long last)
    {
        if (run.Stopping.IsCancellationRequested || run.Options.Partial)
        {
            return;
        }

        var (here, missing) = (0L, 0L);
        await foreach (var row in subscriptions.FollowedAsync(last))
        {
            here++;
            missing += seen.Contains(row.Id) ? 0 : 1;
        }

        var most = options.Get(MaxMissing) ?? Math.Max(MissingAtLeast, here / 10);
        if (missing > most)
        {
            throw new OperatorException(
                $"{missing} of the {here} Stripe Billing subscriptions here are not at Stripe, which looks like another account's STRIPE_SECRET_KEY; if they really are gone, run again with --max-missing {missing}");
        }

        if (missing == 0)
        {
            return;
        }

        await run.EachAsync(
            subscriptions.FollowedAsync(last).Where(row => !seen.Contains(row.Id)), row => row.ProviderSubscriptionId,
            row => subscriptions.SyncAsync(row.ProviderSubscriptionId), Parallel);
    }

    private Task ReconcileAsync(IAsyncEnumerable<string> intents) => run.EachAsync(intents, intent => intent, ReconcileAsync, Parallel);

    // A refund differs when its amount is not on record, or when it is and no longer counts.
    private const string DifferingRefunds =
        """
        SELECT DISTINCT stripe.intent
        FROM unnest(@ids, @intents, @amounts) AS stripe (id, intent, amount_minor)
        LEFT JOIN payments AS p ON p.provider_payment_id = stripe.intent AND p.status IN ('succeeded', 'refunded', 'disputed')
        LEFT JOIN payment_refunds AS r ON r.provider_refund_id = stripe.id
        WHERE coalesce(r.amount_minor, 0) <> stripe.amount_minor
        """;

    private async IAsyncEnumerable<string> RefundedAsync(IAsyncEnumerable<Refund> listed)
    {
        await foreach (var some in listed.Where(r => r.PaymentIntentId is not null).Chunk(LookUp))
        {
            run.Counters.Add("seen_refunds", some.Length);
            var differing = await db.TransactionAsync(
                tx => tx.QueryAsync<string>(
                    DifferingRefunds,
                    new
                    {
                        ids = some.Select(r => r.Id).ToArray(),
                        intents = some.Select(r => r.PaymentIntentId!).ToArray(),
                        amounts = some.Select(r => r.Counts ? r.Amount : 0).ToArray(),
                    }),
                run.Aborting);
            foreach (var intent in differing)
            {
                yield return intent;
            }
        }
    }

    private const string DifferingDisputes =
        """
        SELECT DISTINCT stripe.intent
        FROM unnest(@intents, @statuses) AS stripe (intent, status)
        LEFT JOIN payments AS p ON p.provider_payment_id = stripe.intent AND p.status IN ('succeeded', 'refunded', 'disputed')
        WHERE p.provider_dispute_status IS DISTINCT FROM stripe.status
        """;

    private async IAsyncEnumerable<string> DisputedAsync(IAsyncEnumerable<Dispute> listed)
    {
        await foreach (var some in listed.Where(d => d.PaymentIntentId is not null).Chunk(LookUp))
        {
            run.Counters.Add("seen_disputes", some.Length);
            var differing = await db.TransactionAsync(
                tx => tx.QueryAsync<string>(
                    DifferingDisputes, new { intents = some.Select(d => d.PaymentIntentId!).ToArray(), statuses = some.Select(d => d.Status).ToArray() }),
                run.Aborting);
            foreach (var intent in differing)
            {
                yield return intent;
            }
        }
    }

    private async Task ReconcileAsync(string intent)
    {
        var reversal = await reversals.ReconcileAsync(intent);
        if (reversal != Reversal.None)
        {
            run.Counters.Add(reversal.Name());
            run.Item(intent, reversal.Name(), ("where", reversal == Reversal.Unbooked ? "stripe" : "both"));
        }
    }

    /// <summary>What an event says is only which object changed: the object is read again.</summary>
    private async Task AnnouncedAsync()
    {
        var oldest = run.Now - EventsKept;
        var from = (await cursor.ReadAsync() ?? oldest) - Overlap;
        if (from < oldest)
        {
            run.Log.LogEventsGone(from);
        }

        var events = stripe.Events.ListAsync(
            new() { Types = EventTypes, Created = Until(new DateTimeOffset(from < run.Now ? from : run.Now - Overlap)), Parallel = Pages }, run.Aborting);
        await run.EachAsync(
            ChangedAsync(events), changed => changed.Id,
            changed => changed.IsSubscription ? subscriptions.SyncAsync(changed.Id) : ReconcileAsync(changed.Id), Parallel);
    }

    private async IAsyncEnumerable<(bool IsSubscription, string Id)> ChangedAsync(IAsyncEnumerable<Event> events)
    {
        await foreach (var some in events.Chunk(LookUp))
        {
            run.Counters.Add("seen", some.Length);
            var changed = some.Select(e => e.Data.ObjectType == "subscription" ? (true, e.Data.ObjectId) : (false, e.Data.IdOf("payment_intent")));
            foreach (var (isSubscription, id) in changed.Distinct())
            {
                if (id is not null)
                {
                    yield return (isSubscription, id);
                }
            }
        }
    }
}
