using System.Text.Json;
using Dapper;
using Jobs.Testing;
using Npgsql;

namespace Jobs.Tests.Rig;

/// <summary>
/// A migrated database of its own, a fake Stripe of its own, and the published jobs run against both - under the role that
/// may only read and write rows.
/// </summary>
public sealed class JobWorld : IAsyncDisposable
{
    private readonly ThrowawayPostgres _server;
    private readonly WorldPool? _pool;
    private readonly NpgsqlDataSource _owner;
    private readonly Dictionary<string, string?> _plain;
    private readonly List<object> _beside = [];

    /// <param name="pool">Takes the world back at its end; null: the database is dropped then.</param>
    internal JobWorld(ThrowawayPostgres server, string database, FakeStripeProcess stripe, WorldPool? pool)
    {
        (_server, Database, Stripe, _pool) = (server, database, stripe, pool);
        _owner = NpgsqlDataSource.Create(server.ConnectionFor(database).ConnectionString + ";Maximum Pool Size=5");
        Environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = server.UrlFor(database, PostgresFixture.JobsLogin, PostgresFixture.JobsPassword),
            ["STRIPE_SECRET_KEY"] = "sk_test_fake",
            ["STRIPE_API_BASE"] = stripe.Base.ToString(),
            ["STRIPE_MAX_REQUESTS_PER_SECOND"] = "500",
            ["STAFF_EMAIL"] = "staff@example.test",
            ["PAYMENT_ACTION_URL"] = "https://example.test/pay/{payment_id}",
        };
        _plain = new(Environment, StringComparer.Ordinal);
    }

    public string Database { get; }
    public FakeStripeProcess Stripe { get; }

    /// <summary>The jobs' environment; change it before starting one.</summary>
    public Dictionary<string, string?> Environment { get; }

    public ThrowawayPostgres Server => _server;

    /// <summary>Something of the world's own besides PostgreSQL and Stripe, such as a mail server or a folder: it ends with the world.</summary>
    public T With<T>(T thing)
        where T : class
    {
        _beside.Add(thing);
        return thing;
    }

    /// <summary>What <see cref="With"/> brought.</summary>
    public T The<T>()
        where T : class => _beside.OfType<T>().Single();

    /// <summary>Nothing stands beside it any more, and the jobs' environment is as it was.</summary>
    public async Task StripAsync()
    {
        foreach (var thing in _beside)
        {
            if (thing is IAsyncDisposable disposable)
                await disposable.DisposeAsync();
            if (thing is DirectoryInfo folder && Directory.Exists(folder.FullName))
                folder.Delete(recursive: true);
        }

        _beside.Clear();
        Environment.Clear();
        foreach (var (name, value) in _plain)
            Environment[name] = value;
    }

    /// <summary>Inside the test's process.</summary>
    public JobInProcess Start(string job, params string[] args) => JobInProcess.Start(job, Environment, args);

    /// <summary>The published job as a process of its own.</summary>
    public JobProcess StartPublished(string job, params string[] args) => JobProcess.Start(job, Environment, args);

    /// <summary>Runs to the end inside the test's process, with --output json.</summary>
    public async Task<JobResult> RunAsync(string job, params string[] args)
    {
        using var run = Start(job, ["--output", "json", .. args]);
        return await run.EndAsync();
    }

    /// <summary>The same as a process of its own: the published job.</summary>
    public async Task<JobResult> RunPublishedAsync(string job, params string[] args)
    {
        using var process = StartPublished(job, ["--output", "json", .. args]);
        return await process.EndAsync();
    }

    public async Task<int> ExecuteAsync(string sql, object? parameters = null)
    {
        await using var connection = await _owner.OpenConnectionAsync();
        return await connection.ExecuteAsync(sql, parameters);
    }

    public async Task<T> ScalarAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = await _owner.OpenConnectionAsync();
        return (await connection.ExecuteScalarAsync<T>(sql, parameters))!;
    }

    public async Task<IReadOnlyList<dynamic>> QueryAsync(string sql, object? parameters = null)
    {
        await using var connection = await _owner.OpenConnectionAsync();
        return [.. await connection.QueryAsync(sql, parameters)];
    }

    public Task<long> PlanAsync(
        string code = "monthly", long amountMinor = 1000, string currency = "eur", string unit = "month", int count = 1, bool recurring = true) =>
        ScalarAsync<long>(
            """
            INSERT INTO plans (code, name, amount_minor, currency, interval_unit, interval_count, active, recurring)
            VALUES (@code, @code, @amountMinor, @currency, @unit, @count, true, @recurring)
            ON CONFLICT (code) DO UPDATE SET code = excluded.code RETURNING id
            """,
            new { code, amountMinor, currency, unit, count, recurring });

    /// <summary>A user with a Stripe customer (cus_NAME) and one attached payment method (pm_NAME) of the given behaviour.</summary>
    public async Task<long> UserAsync(string name, string behaviour = "success")
    {
        await Stripe.SeedAsync(new
        {
            customers = new[]
            {
                new { id = $"cus_{name}", email = $"{name}@example.test", payment_methods = new[] { new { id = $"pm_{name}", behaviour } } },
            },
        });
        return await ScalarAsync<long>(
            """
            INSERT INTO users (email, name, locale, role, provider_customer_id, default_payment_method_id)
            VALUES (@name || '@example.test', @name, 'fr', 'member', 'cus_' || @name, 'pm_' || @name) RETURNING id
            """,
            new { name });
    }

    /// <summary>An auto-renewing subscription, due when <paramref name="endedAt"/> has come.</summary>
    public Task<long> SubscriptionAsync(long userId, long planId, DateTime endedAt, string status = "active", int? anchorDay = null) =>
        ScalarAsync<long>(
            """
            INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, anchor_day, auto_renew)
            VALUES (@userId, @planId, @status, @endedAt::timestamptz - interval '1 month', @endedAt, @anchorDay, true) RETURNING id
            """,
            new { userId, planId, status, endedAt, anchorDay = (short?)anchorDay });

    /// <summary>All business rows as text, without ids of runs, random keys and clock times: equal states compare equal.</summary>
    public async Task<string> StateAsync()
    {
        var parts = new List<string>();
        foreach (var (table, columns) in BusinessTables)
        {
            var rows = await QueryAsync($"SELECT row_to_json(t)::text AS row FROM (SELECT {columns} FROM {table}) AS t ORDER BY 1");
            parts.Add(table + "\n" + string.Join('\n', rows.Select(r => (string)r.row)));
        }

        return string.Join("\n\n", parts);
    }

    private static readonly (string Table, string Columns)[] BusinessTables =
    [
        ("users", "id, provider_customer_id, default_payment_method_id"),
        ("subscriptions", "id, user_id, plan_id, status, started_at, ended_at, anchor_day, auto_renew, cancel_at_period_end, payment_id, retry_count, next_attempt_at, last_decline_code"),
        ("payments", "user_id, subscription_id, order_id, membership_id, plan_id, purpose, amount_minor, currency, amount_refunded_minor, status, method, provider, (provider_payment_id IS NOT NULL) AS has_provider_id, provider_payment_method_id, period_start, attempt, failure_code, provider_dispute_status, succeeded_at"),
        ("payment_refunds", "payment_id, amount_minor"),
        ("orders", "id, status, total_minor"),
        ("products", "id, stock_on_hand, stock_reserved"),
        ("stock_reservations", "order_id, product_id, quantity, released_at IS NOT NULL AS released"),
        ("memberships", "user_id, type, start_date, end_date, reduced_price, canceled_at IS NOT NULL AS canceled"),
        ("receipts", "number, issued_at, amount_minor, currency"),
        ("notifications", "kind, user_id, to_address, locale, status"),
        ("blocked_payment_methods", "provider_payment_method_id, reason"),
        ("unmatched_payments", "reason, resolved_at IS NOT NULL AS resolved, reported_at IS NOT NULL AS reported"),
        ("audit_logs", "actor, action, subject_type"),
        ("audit_log_archive", "id, actor, action"),
        ("audit_log_files", "first_id, last_id, row_count, byte_count, sha256, verified_at IS NOT NULL AS verified, deleted_at IS NOT NULL AS deleted"),
        ("payment_queue", "payment_id, user_id, position, status, reason, attempts"),
        ("settings", "key, value"),
        ("sessions", "id"),
        ("daily_stats", "stat_date, data"),
    ];

    /// <summary>After the server was restarted.</summary>
    public void ForgetConnections() => _owner.Clear();

    public static JsonElement ParseOne(string json) => JsonDocument.Parse(json).RootElement;

    public async ValueTask DisposeAsync()
    {
        if (_pool is null || !await _pool.TakeBackAsync(this))
            await EndAsync();
    }

    /// <summary>Nothing of it is left.</summary>
    internal async Task EndAsync()
    {
        await StripAsync();
        await _owner.DisposeAsync();
        await _server.DropDatabaseAsync(Database);
        await Stripe.DisposeAsync();
    }
}
