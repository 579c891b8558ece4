using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Stripe;
using Npgsql;

namespace Jobs;

/// <param name="Payment">Null when there is nothing to send.</param>
public readonly record struct Prepared(Payment? Payment, IdempotencyKey Key, bool LacksMethod, bool AwaitsCustomer);

/// <summary>
/// The rows behind the charges. A row is committed, with the key and every byte that will be sent, before anything is
/// sent; while it is in flight the database admits no other for the subscription.
/// </summary>
public sealed class Attempts(JobRun run, Db db, DueSubscriptions due, BusinessZone zone, RenewalPolicy policy, TimeProvider clock)
{
    public const string OpenOf =
        """
        SELECT FROM payments AS a
        WHERE a.subscription_id = s.id AND a.status IN ('failed', 'canceled', 'expired')
          AND a.provider_payment_id IS NOT NULL AND a.provider_ended_at IS NULL AND a.provider IS DISTINCT FROM 'sumup'
        """;

    private const string Open =
        $"""
        SELECT {Payment.Columns}
        FROM payments
        WHERE subscription_id = @subscriptionId AND status IN ('failed', 'canceled', 'expired')
          AND provider_payment_id IS NOT NULL AND provider_ended_at IS NULL AND provider IS DISTINCT FROM 'sumup'
        ORDER BY id
        """;

    /// <summary>Earlier attempts on which the customer might still pay.</summary>
    public Task<List<Payment>> OpenAsync(long subscriptionId) =>
        db.TransactionAsync(tx => tx.QueryAsync<Payment>(Open, new { subscriptionId }), run.Aborting);

    private const string Lock = "SELECT id FROM users WHERE id = @UserId FOR NO KEY UPDATE";

    // After the lock, in a statement of its own on the same round trip: only a new snapshot sees what the previous holder wrote.
    private readonly string _recheck =
        $"""
        SELECT s.id AS subscription_id, s.plan_id, s.ended_at, p.code AS plan, p.amount_minor, p.currency,
               u.provider_customer_id AS customer, method.usable[1] AS method, coalesce(method.awaits, false) AS awaits,
               EXISTS ({OpenOf}) AS has_open_attempt,
               nextval(pg_get_serial_sequence('payments', 'id')) AS payment_id,
               (SELECT count(*) FROM payments AS a
                WHERE a.subscription_id = s.id AND a.period_start >= (s.ended_at AT TIME ZONE @Zone)::date)::int AS attempts
        FROM subscriptions AS s
        JOIN plans AS p ON p.id = s.plan_id
        JOIN users AS u ON u.id = s.user_id
        {Renewal.Method}
        WHERE s.id = @Id AND {Renewal.Due}{due.Noticed}
        FOR NO KEY UPDATE OF s
        """;

    private const string Insert =
        $"""
        WITH attempt AS (
            INSERT INTO payments (
                id, user_id, subscription_id, plan_id, purpose, amount_minor, currency, status, method, provider,
                provider_customer_id, provider_payment_method_id, idempotency_key, provider_request, period_start, attempt,
                created_at, sent_at)
            VALUES (
                @PaymentId, @UserId, @SubscriptionId, @PlanId, 'subscription', @AmountMinor, @Currency, 'pending', 'card', 'stripe',
                @Customer, @Method, @Key, @Request, @PeriodStart, @Attempt,
                @Now, clock_timestamp())
            RETURNING *
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'payment.attempted', 'payment', id, @RunId,
                   jsonb_build_object('subscription_id', subscription_id, 'period_start', period_start, 'attempt', attempt,
                       'amount_minor', amount_minor, 'currency', currency)
            FROM attempt
        )
        SELECT {Payment.Columns} FROM attempt
        """;

    private sealed class Candidate
    {
        public long SubscriptionId { get; init; }
        public long PlanId { get; init; }
        public DateTime EndedAt { get; init; }
        public string Plan { get; init; } = "";
        public long AmountMinor { get; init; }
        public string Currency { get; init; } = "";
        public string? Customer { get; init; }
        public string? Method { get; init; }
        public bool Awaits { get; init; }
        public bool HasOpenAttempt { get; init; }
        public long PaymentId { get; init; }
        public int Attempts { get; init; }
    }

    /// <summary>Asks under lock whether the subscription is still due and, if so, commits the attempt.</summary>
    public async Task<Prepared> PrepareAsync(DueSubscription subscription)
    {
        // Taken before the row exists: a process that sleeps from here on wakes with a key that is too old.
        var key = IdempotencyKey.New(clock.GetUtcNow() + Renewal.KeyLife);
        try
        {
            return await db.TransactionAsync(tx => PrepareAsync(tx, subscription, key), run.Aborting);
        }
        catch (PostgresException e) when (e is { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "payments_one_in_flight" })
        {
            return default;
        }
    }

    private async Task<Prepared> PrepareAsync(Tx tx, DueSubscription subscription, IdempotencyKey key)
    {
        // A repetition after a commit whose answer was lost: the row is there.
        if (tx.IsRepetition && await FindAsync(tx, subscription.UserId, key) is { } committed)
        {
            return new Prepared(committed, key, LacksMethod: false, AwaitsCustomer: false);
        }

        var candidate = await LockAndRecheckAsync(tx, subscription);
        if (candidate?.Method is null)
        {
            return new Prepared(null, key, LacksMethod: candidate is { Awaits: false }, AwaitsCustomer: candidate is { Awaits: true });
        }

        // A method that came up since the subscription was read: the earlier attempt was left payable, the next run ends it.
        if (candidate.HasOpenAttempt)
        {
            return new Prepared(null, key, LacksMethod: false, AwaitsCustomer: true);
        }

        var periodStart = zone.Date(policy.IsLapsed(candidate.EndedAt, run.Now) ? run.Now : candidate.EndedAt);
        var payment = await tx.SingleAndCommitAsync<Payment>(
            Insert,
            new
            {
                candidate.PaymentId,
                subscription.UserId,
                candidate.SubscriptionId,
                candidate.PlanId,
                candidate.AmountMinor,
                candidate.Currency,
                candidate.Customer,
                candidate.Method,
                Key = key.Value,
                Request = Request(candidate, subscription.UserId, periodStart, key).ToString(),
                PeriodStart = periodStart,
                Attempt = candidate.Attempts + 1,
                run.Now,
                Actor = run.Job.Name,
                RunId = run.Id,
            });
        return new Prepared(payment, key, LacksMethod: false, AwaitsCustomer: false);
    }

    private async Task<Candidate?> LockAndRecheckAsync(Tx tx, DueSubscription subscription)
    {
        await using var answers = await tx.QueryMultipleAsync(
            $"{Lock};\n{_recheck}", new { subscription.UserId, subscription.Id, run.Now, due.EndOfToday, due.NoticedBy, Zone = zone.Id });
        await answers.ReadAsync<long>();
        return await answers.ReadSingleOrDefaultAsync<Candidate>();
    }

    private static async Task<Payment?> FindAsync(Tx tx, long userId, IdempotencyKey key)
    {
        await tx.ExecuteAsync(Lock, new { userId });
        return await tx.SingleOrDefaultAsync<Payment>(
            $"SELECT {Payment.Columns} FROM payments WHERE idempotency_key = @Value", new { key.Value });
    }

    /// <summary>Nothing in it differs from run to run: it is what the key stands for.</summary>
    private static FormBody Request(Candidate candidate, long userId, DateOnly periodStart, IdempotencyKey key) =>
        new PaymentIntentCreateOptions
        {
            Amount = candidate.AmountMinor,
            Currency = candidate.Currency,
            Customer = candidate.Customer,
            PaymentMethod = candidate.Method,
            Confirm = true,
            OffSession = true,
            Metadata =
            [
                new("payment_id", Text(candidate.PaymentId)),
                new("user_id", Text(userId)),
                new("purpose", "subscription"),
                new("subscription_id", Text(candidate.SubscriptionId)),
                new("plan", candidate.Plan),
                new("period_start", periodStart.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)),
                new("attempt_key", key.Value),
            ],
        }.ToForm();

    private const string Unanswered =
        $"""
        SELECT {Payment.Columns}
        FROM payments
        WHERE status = 'pending' AND purpose = 'subscription' AND provider = 'stripe' AND provider_payment_id IS NULL
          AND provider_request IS NOT NULL AND sent_at > clock_timestamp() - @KeyLife
          AND (@Only::bigint IS NULL OR subscription_id = @Only)
          AND (@Count = 1 OR subscription_id % @Count = @Index)
        ORDER BY id
        """;

    /// <summary>Attempts whose answer never came, young enough to be sent again under their own key.</summary>
    public Task<List<Payment>> UnansweredAsync() =>
        db.TransactionAsync(
            tx => tx.QueryAsync<Payment>(
                Unanswered, new { Renewal.KeyLife, run.Options.Only, run.Options.Shard.Count, run.Options.Shard.Index }),
            run.Aborting);

    private const string StillChargeable =
        $"""
        SELECT extract(epoch FROM clock_timestamp() - a.sent_at)::float8
        FROM payments AS a
        JOIN subscriptions AS s ON s.id = a.subscription_id
        JOIN plans AS p ON p.id = s.plan_id
        WHERE a.id = @Id AND a.status = 'pending' AND a.provider_payment_id IS NULL AND {Renewal.Chargeable}
        """;

    /// <returns>The key with the time it has left, or null when the attempt is settled or must not be sent any more.</returns>
    public async Task<IdempotencyKey?> RenewKeyAsync(Payment attempt)
    {
        var now = clock.GetUtcNow();
        var age = await db.TransactionAsync(
            tx => tx.SingleOrDefaultAsync<double?>(StillChargeable, new { attempt.Id, due.EndOfToday }), run.Aborting);
        return age is { } seconds && seconds < Renewal.KeyLife.TotalSeconds
            ? new IdempotencyKey(attempt.IdempotencyKey!, now + Renewal.KeyLife - TimeSpan.FromSeconds(seconds))
            : null;
    }

    private static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);
}
