using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;

namespace Jobs;

/// <summary>A row that follows a Stripe subscription.</summary>
public sealed class FollowedSubscription
{
    public long Id { get; init; }
    public string ProviderSubscriptionId { get; init; } = "";
    public string Status { get; init; } = "";
    public long PlanId { get; init; }
    public string Plan { get; init; } = "";
    public DateTime? EndedAt { get; init; }
    public bool CancelAtPeriodEnd { get; init; }
    public string? CustomerId { get; init; }

    /// <summary>The row's own: any write since changes it.</summary>
    public string Version { get; init; } = "";
}

/// <summary>Brings the state of single Stripe Billing subscriptions into their rows.</summary>
public sealed class BillingSubscriptions(JobRun run, Db db, StripeClient stripe)
{
    private const int Looks = 5;
    private const int LookUp = 100;

    private Dictionary<string, long> _plans = [];

    /// <summary>Stripe's word for a state as ours; null for one that Stripe has invented since.</summary>
    public static string? StatusOf(string stripeStatus) => stripeStatus switch
    {
        SubscriptionStatus.Trialing or SubscriptionStatus.Active => "active",
        SubscriptionStatus.PastDue or SubscriptionStatus.Unpaid => "past_due",
        SubscriptionStatus.Incomplete => "pending",
        SubscriptionStatus.IncompleteExpired => "expired",
        SubscriptionStatus.Canceled => "canceled",
        SubscriptionStatus.Paused => "paused",
        _ => null,
    };

    private sealed class PlanCode
    {
        public long Id { get; init; }
        public string Code { get; init; } = "";
    }

    /// <summary>Few, and read once a run.</summary>
    public async Task ReadPlansAsync()
    {
        var plans = await db.TransactionAsync(tx => tx.QueryAsync<PlanCode>("SELECT id, code FROM plans"), run.Aborting);
        _plans = plans.ToDictionary(p => p.Code, p => p.Id, StringComparer.Ordinal);
    }

    /// <summary>The plans that it names: in its metadata, and by the lookup keys of its prices.</summary>
    private static IEnumerable<string> CodesOf(Subscription subscription) =>
        (subscription.Items?.Data.Select(item => item.Price?.LookupKey) ?? [])
            .Prepend(subscription.Metadata.GetValueOrDefault("plan"))
            .Where(code => !string.IsNullOrEmpty(code))!;

    private long? PlanOf(Subscription subscription) =>
        CodesOf(subscription).Where(_plans.ContainsKey).Select(code => (long?)_plans[code]).FirstOrDefault();

    private const string Columns =
        """
        SELECT s.id, s.provider_subscription_id, s.status, s.plan_id, p.code AS plan, s.ended_at, s.cancel_at_period_end,
               u.provider_customer_id AS customer_id, s.xmin::text AS version
        FROM subscriptions AS s
        JOIN plans AS p ON p.id = s.plan_id
        JOIN users AS u ON u.id = s.user_id
        """;

    private const string ByProviderId = $"{Columns} WHERE s.provider_subscription_id = ANY (@ids)";

    private const string Followed =
        $"""
        {Columns}
        WHERE s.provider_subscription_id IS NOT NULL AND s.status NOT IN ('canceled', 'expired') AND s.id > @After AND s.id <= @last
        ORDER BY s.id
        LIMIT @Size
        """;

    /// <summary>Those that are not over, whether Stripe knows them or not.</summary>
    /// <param name="last">Rows after this one came into being meanwhile.</param>
    public IAsyncEnumerable<FollowedSubscription> FollowedAsync(long last) =>
        Keyset.ReadAsync<FollowedSubscription, long>(run, db, Followed, 0L, s => s.Id, (after, size) => new { After = after, last, Size = size });

    public Task<long> LastIdAsync() =>
        db.TransactionAsync(tx => tx.SingleAsync<long>("SELECT coalesce(max(id), 0) FROM subscriptions"), run.Aborting);

    /// <returns>Null for one that Stripe Billing does not run.</returns>
    public Task<string?> ProviderIdAsync(long id) =>
        db.TransactionAsync(
            tx => tx.SingleOrDefaultAsync<string?>("SELECT provider_subscription_id FROM subscriptions WHERE id = @id", new { id }), run.Aborting);

    /// <summary>Of what Stripe lists, what is not here or not the same; the rows that are here are noted as seen.</summary>
    public async IAsyncEnumerable<Subscription> DifferingAsync(IAsyncEnumerable<Subscription> listed, SeenIds seen)
    {
        await foreach (var some in listed.Chunk(LookUp))
        {
            run.Counters.Add("seen", some.Length);
            var ids = some.Select(s => s.Id).ToArray();
            var rows = (await db.TransactionAsync(tx => tx.QueryAsync<FollowedSubscription>(ByProviderId, new { ids }), run.Aborting))
                .ToDictionary(row => row.ProviderSubscriptionId, StringComparer.Ordinal);
            foreach (var subscription in some)
            {
                var row = rows.GetValueOrDefault(subscription.Id);
                if (row is not null)
                {
                    seen.Add(row.Id);
                }

                if (row is null || Differs(row, subscription))
                {
                    yield return subscription;
                }
            }
        }
    }

    private sealed record State(string Status, long PlanId, DateTime? EndedAt, bool CancelAtPeriodEnd);

    private static State Here(FollowedSubscription row) => new(row.Status, row.PlanId, row.EndedAt, row.CancelAtPeriodEnd);

    /// <summary>What the row should say; where Stripe's word is not understood, or absent, it keeps its own.</summary>
    private State Wanted(FollowedSubscription row, Subscription subscription) => new(
        StatusOf(subscription.Status) ?? row.Status,
        PlanOf(subscription) ?? row.PlanId,
        subscription.PeriodEnd?.UtcDateTime ?? row.EndedAt,
        subscription.EndsWithPeriod);

    private bool Differs(FollowedSubscription row, Subscription subscription) =>
        Here(row) != Wanted(row, subscription) || Doubt(row, subscription) is not null;

    /// <summary>What cannot be brought here and is for people to look at.</summary>
    private string? Doubt(FollowedSubscription row, Subscription subscription) =>
        StatusOf(subscription.Status) is null ? "unknown_status"
        : subscription.CustomerId != row.CustomerId ? "unknown_customer"
        : CodesOf(subscription).Any() && PlanOf(subscription) is null ? "unknown_plan"
        : null;

    /// <summary>
    /// Reads the row, then the subscription, and writes if the row is still the same: so what is written was always seen after
    /// whatever it replaces, however old the list or the event that led here.
    /// </summary>
    /// <param name="id"><c>sub_...</c></param>
    /// <param name="listed">Enough when nothing here is replaced by it: there is no row yet, or it says the same.</param>
    public async Task SyncAsync(string id, Subscription? listed = null)
    {
        for (var look = 1; look <= Looks; look++)
        {
            var row = await db.TransactionAsync(tx => tx.SingleOrDefaultAsync<FollowedSubscription>(ByProviderId, new { ids = new[] { id } }), run.Aborting);
            var subscription = look == 1 && listed is not null && (row is null || Here(row) == Wanted(row, listed)) ? listed : await GetAsync(id);
            var done = (row, subscription) switch
            {
                (null, null) => true,
                (null, { } created) => await CreateAsync(created),
                ({ } gone, null) => await CancelDeletedAsync(gone),
                ({ } here, { } now) => await UpdateAsync(here, now),
            };
            if (done)
            {
                return;
            }
        }

        throw new InvalidOperationException($"the row of {id} changed under every look at it");
    }

    /// <returns>Null when Stripe does not know it, or knows no more than that it was.</returns>
    private async Task<Subscription?> GetAsync(string id)
    {
        try
        {
            return (await stripe.Subscriptions.GetAsync(id, run.Aborting)).Value;
        }
        catch (StripeException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    private const string FindUser = "SELECT id FROM users WHERE provider_customer_id = @CustomerId";

    private const string Create =
        """
        WITH created AS (
            INSERT INTO subscriptions (
                user_id, plan_id, status, started_at, ended_at, auto_renew, cancel_at_period_end, provider_subscription_id, created_at)
            VALUES (@userId, @planId, @status, @StartedAt, @EndedAt, NOT @EndsWithPeriod, @EndsWithPeriod, @Id, @Now)
            ON CONFLICT (provider_subscription_id) DO NOTHING
            RETURNING id
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'subscription.created', 'subscription', id, @RunId,
                   jsonb_build_object('provider_subscription_id', @Id, 'status', @status, 'ended_at', @EndedAt::timestamptz)
            FROM created
        )
        SELECT count(*)::int FROM created
        """;

    /// <returns>False when a row has come into being meanwhile.</returns>
    private async Task<bool> CreateAsync(Subscription subscription)
    {
        var userId = subscription.CustomerId is null ? null
            : await db.TransactionAsync(tx => tx.SingleOrDefaultAsync<long?>(FindUser, new { subscription.CustomerId }), run.Aborting);
        var planId = PlanOf(subscription);
        var status = StatusOf(subscription.Status);
        if (userId is null || planId is null || status is null)
        {
            var reason = userId is null ? "unknown_customer" : planId is null ? "unknown_plan" : "unknown_status";
            run.Log.LogNotCreated(subscription.Id, reason);
            run.Counters.Add(reason);
            run.Item(
                subscription.Id, reason, ("where", "stripe"), ("customer", subscription.CustomerId), ("status", subscription.Status),
                ("plan", subscription.Metadata.GetValueOrDefault("plan")));
            return true;
        }

        if (!run.DryRun && await db.TransactionAsync(
            tx => tx.SingleAsync<int>(
                Create,
                new
                {
                    userId,
                    planId,
                    status,
                    StartedAt = (subscription.StartDate ?? subscription.Created).UtcDateTime,
                    EndedAt = subscription.PeriodEnd?.UtcDateTime,
                    subscription.EndsWithPeriod,
                    subscription.Id,
                    run.Now,
                    Actor = run.Job.Name,
                    RunId = run.Id,
                }),
            run.Aborting) == 0)
        {
            return false;
        }

        run.Counters.Add("created");
        run.Item(subscription.Id, "created", ("where", "stripe"), ("user_id", userId), ("status", status), ("ended_at", subscription.PeriodEnd?.UtcDateTime));
        return true;
    }

    private const string Update =
        """
        WITH changed AS (
            UPDATE subscriptions
            SET status = @Status, plan_id = @PlanId, ended_at = @EndedAt, cancel_at_period_end = @CancelAtPeriodEnd, updated_at = clock_timestamp()
            WHERE id = @Id AND xmin::text = @Version
            RETURNING id
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'subscription.synced', 'subscription', id, @RunId, @data::jsonb
            FROM changed
        )
        SELECT count(*)::int FROM changed
        """;

    /// <returns>False when the row has changed since it was read.</returns>
    private async Task<bool> UpdateAsync(FollowedSubscription row, Subscription subscription)
    {
        var (here, wanted) = (Here(row), Wanted(row, subscription));
        if (here != wanted)
        {
            var (before, after) = Differences(here, wanted);
            if (!run.DryRun && !await WriteAsync(row, wanted, JsonText.Of(("before", before), ("after", after))))
            {
                return false;
            }

            run.Counters.Add("updated");
            run.Item(row.ProviderSubscriptionId, "updated", ("where", "both"), ("subscription_id", row.Id), ("here", before), ("stripe", after));
        }

        if (Doubt(row, subscription) is { } doubt)
        {
            run.Log.LogKept(row.ProviderSubscriptionId, doubt);
            run.Counters.Add(doubt);
            run.Item(
                row.ProviderSubscriptionId, doubt, ("where", "both"), ("subscription_id", row.Id), ("customer", subscription.CustomerId),
                ("status", subscription.Status), ("plan", row.Plan));
        }

        return true;
    }

    /// <summary>What it says is unknown at Stripe: a test account that was emptied, or data that was erased.</summary>
    private async Task<bool> CancelDeletedAsync(FollowedSubscription row)
    {
        if (row.Status is "canceled" or "expired")
        {
            return true;
        }

        if (!run.DryRun && !await WriteAsync(row, Here(row) with { Status = "canceled" }, JsonText.Of(("reason", "deleted_at_stripe"), ("before", row.Status))))
        {
            return false;
        }

        run.Counters.Add("deleted_at_stripe");
        run.Item(row.ProviderSubscriptionId, "deleted_at_stripe", ("where", "here"), ("subscription_id", row.Id), ("status", row.Status));
        return true;
    }

    private Task<bool> WriteAsync(FollowedSubscription row, State state, string data) =>
        db.TransactionAsync(
            async tx => await tx.SingleAsync<int>(
                Update,
                new
                {
                    row.Id,
                    row.Version,
                    state.Status,
                    state.PlanId,
                    state.EndedAt,
                    state.CancelAtPeriodEnd,
                    data,
                    Actor = run.Job.Name,
                    RunId = run.Id,
                }) == 1,
            run.Aborting);

    private (Dictionary<string, string> Before, Dictionary<string, string> After) Differences(State here, State wanted)
    {
        var (before, after) = (new Dictionary<string, string>(StringComparer.Ordinal), new Dictionary<string, string>(StringComparer.Ordinal));
        Note("status", here.Status, wanted.Status);
        Note("plan", Code(here.PlanId), Code(wanted.PlanId));
        Note("ended_at", Text(here.EndedAt), Text(wanted.EndedAt));
        Note("cancel_at_period_end", here.CancelAtPeriodEnd ? "true" : "false", wanted.CancelAtPeriodEnd ? "true" : "false");
        return (before, after);

        void Note(string field, string was, string isNow)
        {
            if (was != isNow)
            {
                (before[field], after[field]) = (was, isNow);
            }
        }
    }

    private string Code(long planId) => _plans.FirstOrDefault(p => p.Value == planId).Key ?? "";

    private static string Text(DateTime? at) => at?.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture) ?? "";
}
