using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Migrations;

/// <summary>The tables and columns that applications rely on: all there, and a row that names only those can be written.</summary>
public sealed class TableTests(PostgresFixture fixture)
{
    private const string Sub = "(SELECT min(id) FROM subscriptions)";
    private const string Pay = "(SELECT min(id) FROM payments)";
    private const string User = "(SELECT min(id) FROM users)";

    /// <summary>Table; the columns it promises; the ones an application must give, with values; in an order that rows can refer to.</summary>
    public static TheoryData<string, string, string> Tables => new()
    {
        { "users", "email name locale role provider_customer_id default_payment_method_id", "email='a@example.test'; name='Ada'" },
        { "plans", "code name amount_minor currency interval_unit interval_count active recurring", "code='monthly'; name='Monthly'; amount_minor=1000; currency='eur'; interval_unit='month'; interval_count=1" },
        { "subscriptions", "user_id plan_id status started_at ended_at anchor_day auto_renew cancel_at_period_end payment_id provider_subscription_id retry_count next_attempt_at last_decline_code updated_at", $"user_id={User}; plan_id=(SELECT min(id) FROM plans); status='active'" },
        { "orders", "user_id status total_minor currency payment_intent_id created_at expires_at", $"user_id={User}; total_minor=100; currency='eur'" },
        { "products", "sku stock_on_hand stock_reserved", "sku='ball'" },
        { "order_items", "order_id product_id quantity unit_amount_minor", "order_id=(SELECT min(id) FROM orders); product_id=(SELECT min(id) FROM products); quantity=1; unit_amount_minor=100" },
        { "stock_reservations", "order_id product_id quantity released_at", "order_id=(SELECT min(id) FROM orders); product_id=(SELECT min(id) FROM products); quantity=1" },
        { "memberships", "user_id type start_date end_date reduced_price payment_id", $"user_id={User}; type='basic'; start_date='2026-01-01'; end_date='2026-12-31'" },
        { "membership_prices", "", "type='circus'; reduced_price=true; amount_minor=1; currency='chf'" },
        { "attendances", "user_id attended_on", $"user_id={User}; attended_on='2026-01-01'" },
        { "payments", "user_id subscription_id order_id membership_id plan_id purpose amount_minor currency amount_refunded_minor status method provider provider_payment_id provider_payment_method_id idempotency_key period_start attempt failure_code recorded_by created_at succeeded_at next_check_at sent_at reference", $"user_id={User}; purpose='subscription'; amount_minor=1000; currency='eur'" },
        { "payment_refunds", "provider_refund_id payment_id amount_minor refunded_at", $"provider_refund_id='re_1'; payment_id={Pay}; amount_minor=1" },
        { "blocked_payment_methods", "provider_payment_method_id reason", "provider_payment_method_id='pm_1'; reason='lost_card'" },
        { "receipts", "number payment_id issued_at amount_minor currency", $"number='2026-000001'; payment_id={Pay}; amount_minor=1000; currency='eur'" },
        { "notifications", "kind user_id to_address locale payload dedupe_key status attempts next_attempt_at sent_at", "kind='welcome'" },
        { "sessions", "updated_at", "updated_at=now()" },
        { "audit_logs", "actor action subject_type subject_id run_id data created_at", "action='x.y'" },
        { "audit_log_archive", "", "id=1; action='x.y'; created_at=now()" },
        { "audit_log_files", "", "url='file:///x'; name='x'; first_id=1; last_id=1; last_created_at=now()" },
        { "daily_stats", "stat_date data", "stat_date='2026-01-01'" },
        { "unmatched_payments", "provider_payment_id reason data resolved_at", "provider_payment_id='pi_1'; reason='unknown'" },
        { "payment_terminals", "name provider_reader_id status last_seen_at", "name='desk'" },
        { "payment_queue", "payment_id terminal_id position status client_reference attempts", $"payment_id={Pay}" },
        { "leases", "name holder expires_at", "name='x'; holder='y'; expires_at=now()" },
        { "job_runs", "id job trigger as_of shard status started_at finished_at counters error host version", "id=gen_random_uuid(); job='x'" },
        { "job_totals", "job counter value", "job='x'; counter='y'" },
        { "job_cursors", "job name value", "job='x'; name='y'; value='z'" },
        { "job_pauses", "job reason until actor", "job='x'" },
        { "settings", "key value", "key='x'" },
    };

    [Fact]
    public async Task Every_promised_table_takes_a_row_of_its_promised_columns()
    {
        await using var world = await fixture.WorldAsync();
        foreach (var (table, columns, values) in Tables.Select(row => row.Data))
        {
            var there = (await world.QueryAsync("SELECT column_name FROM information_schema.columns WHERE table_name = @table", new { table })).Select(r => (string)r.column_name).ToList();
            Assert.Empty(columns.Split(' ', StringSplitOptions.RemoveEmptyEntries).Except(there).Select(c => $"{table}.{c} is missing"));
            var pairs = values.Split("; ").Select(pair => pair.Split('=', 2)).ToList();
            var names = string.Join(", ", pairs.Select(p => p[0]));
            var given = string.Join(", ", pairs.Select(p => p[1]));
            Assert.Equal(1, await world.ExecuteAsync($"INSERT INTO {table} ({names}) VALUES ({given})"));
        }
    }

    [Theory]
    [InlineData("a second charge in flight for a subscription", $"INSERT INTO payments (user_id, subscription_id, amount_minor, status, period_start) SELECT {User}, {Sub}, 1, s, d FROM (VALUES ('pending', date '2026-01-01'), ('requires_action', date '2026-02-01')) AS v (s, d)")]
    [InlineData("a second success for a period", $"INSERT INTO payments (user_id, subscription_id, amount_minor, status, period_start) SELECT {User}, {Sub}, 1, s, '2026-01-01' FROM (VALUES ('refunded'), ('succeeded')) AS v (s)")]
    [InlineData("the same key twice", $"INSERT INTO payments (user_id, amount_minor, idempotency_key) SELECT {User}, 1, 'k' FROM generate_series(1, 2)")]
    [InlineData("the same reference twice", $"INSERT INTO payments (user_id, amount_minor, reference) SELECT {User}, 1, 'r' FROM generate_series(1, 2)")]
    [InlineData("two payers on one reader", $"WITH t AS (INSERT INTO payment_terminals (name) VALUES ('x') RETURNING id), p AS (INSERT INTO payments (user_id, amount_minor) SELECT {User}, 1 FROM generate_series(1, 2) RETURNING id) INSERT INTO payment_queue (payment_id, terminal_id, status) SELECT p.id, t.id, 'processing' FROM p, t")]
    [InlineData("two readers for one payer", $"WITH p AS (INSERT INTO payments (user_id, amount_minor) SELECT {User}, 1 FROM generate_series(1, 2) RETURNING id) INSERT INTO payment_queue (payment_id, user_id, status) SELECT p.id, {User}, 'unknown' FROM p")]
    public async Task The_database_itself_refuses(string what, string sql)
    {
        await using var world = await fixture.WorldAsync();
        await SubscriberAsync(world);
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => world.ExecuteAsync(sql));
        Assert.True(refusal.SqlState == PostgresErrorCodes.UniqueViolation, $"{what}: {refusal.Message}");
    }

    [Fact]
    public async Task Memberships_of_one_type_do_not_overlap_by_a_single_day()
    {
        await using var world = await fixture.WorldAsync();
        await SubscriberAsync(world);
        const string Insert = "INSERT INTO memberships (user_id, type, start_date, end_date) SELECT min(id), @type, @start::date, @end::date FROM users";
        await world.ExecuteAsync(Insert, new { type = "basic", start = "2026-01-01", end = "2026-12-31" });
        var overlap = await Assert.ThrowsAsync<PostgresException>(() => world.ExecuteAsync(Insert, new { type = "basic", start = "2026-12-31", end = "2027-12-30" }));
        Assert.Equal(PostgresErrorCodes.ExclusionViolation, overlap.SqlState);
        await world.ExecuteAsync(Insert, new { type = "basic", start = "2027-01-01", end = "2027-12-31" });
        await world.ExecuteAsync(Insert, new { type = "circus", start = "2026-06-01", end = "2027-05-31" });
    }

    private static async Task SubscriberAsync(JobWorld world)
    {
        var plan = await world.PlanAsync();
        await world.ExecuteAsync("WITH u AS (INSERT INTO users (email) VALUES ('a@example.test') RETURNING id) INSERT INTO subscriptions (user_id, plan_id) SELECT id, @plan FROM u", new { plan });
    }
}
