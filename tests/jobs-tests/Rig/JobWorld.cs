using System.Globalization;
using System.Text.Json;
using Dapper;
using Jobs.Testing;
using Npgsql;
using Xunit;

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

    /// <summary>A copy of it for one run, with some variables changed (null: unset).</summary>
    public Dictionary<string, string?> EnvironmentWith(params (string Name, string? Value)[] changes)
    {
        var environment = new Dictionary<string, string?>(Environment, StringComparer.Ordinal);
        foreach (var (name, value) in changes)
            environment[name] = value;
        return environment;
    }

    /// <summary>A database and nothing else.</summary>
    public static Dictionary<string, string?> EnvironmentOf(string databaseUrl) => new(StringComparer.Ordinal) { ["DATABASE_URL"] = databaseUrl };

    /// <summary>Nobody listens there.</summary>
    public static Dictionary<string, string?> Nowhere => EnvironmentOf("postgresql://u:p%40ss%2Fword@127.0.0.1:1/none");

    /// <summary>The jobs' database by way of a proxy or a pooler of this machine.</summary>
    public string Through(int port) => Environment["DATABASE_URL"]!.Replace(
        string.Create(CultureInfo.InvariantCulture, $"@{_server.Host}:{_server.Port}/"),
        string.Create(CultureInfo.InvariantCulture, $"@127.0.0.1:{port}/"), StringComparison.Ordinal);

    /// <summary>A database on a server of the test's own, with its tables and nothing else.</summary>
    public static async Task<(string Database, Dictionary<string, string?> Environment)> MigratedAsync(ThrowawayPostgres server)
    {
        var database = await server.CreateDatabaseAsync();
        var environment = EnvironmentOf(server.UrlFor(database));
        using var migrate = JobInProcess.Start("migrate", environment);
        var result = await migrate.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
        return (database, environment);
    }

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

    /// <summary>A user whom Stripe does not know.</summary>
    public Task<long> PersonAsync(string name = "ada", string locale = "fr", string role = "member") =>
        ScalarAsync<long>(
            "INSERT INTO users (email, name, locale, role) VALUES (@name || '@example.test', @name, @locale, @role) RETURNING id", new { name, locale, role });

    /// <summary>So many of them, called by their numbers from 1.</summary>
    public Task<int> PeopleAsync(int count) =>
        ExecuteAsync("INSERT INTO users (email, name) SELECT n || '@example.test', n FROM generate_series(1, @count) AS n", new { count });

    /// <summary>An auto-renewing subscription, due when <paramref name="endedAt"/> has come.</summary>
    public Task<long> SubscriptionAsync(long userId, long planId, DateTime endedAt, string status = "active", int? anchorDay = null) =>
        ScalarAsync<long>(
            """
            INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, anchor_day, auto_renew)
            VALUES (@userId, @planId, @status, @endedAt::timestamptz - interval '1 month', @endedAt, @anchorDay, true) RETURNING id
            """,
            new { userId, planId, status, endedAt, anchorDay = (short?)anchorDay });

    /// <summary>The same for each of these ends.</summary>
    public async Task<List<(long Id, DateTime End)>> SubscriptionsAsync(long userId, long planId, IReadOnlyCollection<DateTime> ends) =>
        [.. (await QueryAsync(
            """
            INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, auto_renew)
            SELECT @userId, @planId, 'active', ended_at - interval '1 month', ended_at, true FROM unnest(@ends) AS ended_at RETURNING id, ended_at
            """,
            new { userId, planId, ends })).Select(row => ((long)row.id, (DateTime)row.ended_at))];

    /// <summary>So many of them that one person has.</summary>
    /// <param name="count">How many.</param>
    /// <param name="ended">When the n-th ended, in SQL.</param>
    /// <param name="now">Is @now there.</param>
    public async Task SubscriptionsAsync(int count, string ended = "now() - interval '10 days'", DateTime now = default) => await ExecuteAsync(
        $"""
        INSERT INTO subscriptions (user_id, plan_id, status, ended_at)
        SELECT @userId, @planId, 'active', {ended} FROM generate_series(1, @count) AS n ORDER BY n
        """,
        new { planId = await PlanAsync(), userId = await PersonAsync(), count, now });

    /// <summary>A pending payment of 10.00 EUR of an application; columns beyond the usual ones as SQL.</summary>
    public Task<long> PaymentAsync(long userId, string? intent = null, DateTime? createdAt = null, string columns = "", string values = "") =>
        ScalarAsync<long>(
            $"""
            INSERT INTO payments (user_id, amount_minor, provider_payment_id, created_at{(columns.Length > 0 ? ", " + columns : "")})
            VALUES (@userId, 1000, @intent, @createdAt{(values.Length > 0 ? ", " + values : "")}) RETURNING id
            """,
            new { userId, intent, createdAt = createdAt ?? DateTime.UtcNow.AddMinutes(-10) });

    /// <summary>A payment for a subscription by way of Stripe. Without a provider id its answer never came.</summary>
    public Task<long> PaymentAsync(
        long userId, long subscriptionId, string status, DateTime createdAt, string? intent = null, string? failure = null, DateTime? periodStart = null) =>
        ScalarAsync<long>(
            """
            INSERT INTO payments (user_id, subscription_id, plan_id, purpose, amount_minor, currency, status, method, provider, provider_payment_id,
                                  provider_customer_id, provider_payment_method_id, period_start, failure_code, created_at)
            SELECT u.id, s.id, s.plan_id, 'subscription', p.amount_minor, p.currency, @status, 'card', 'stripe', @intent,
                   u.provider_customer_id, u.default_payment_method_id, coalesce(@periodStart, s.ended_at)::date, @failure, @createdAt
            FROM users AS u, subscriptions AS s JOIN plans AS p ON p.id = s.plan_id
            WHERE u.id = @userId AND s.id = @subscriptionId
            RETURNING id
            """,
            new { userId, subscriptionId, status, createdAt, intent, failure, periodStart });

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
