using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Looking;

/// <summary>
/// On tables in which nearly everything is settled long ago the commands find their few rows by index: none is read from end to end, neither as
/// a table nor as an index.
/// </summary>
[Trait("Category", "Proof")]
public sealed class BigLedgerTests(PostgresFixture fixture)
{
    private const string Years =
        """
        INSERT INTO users (id, email, provider_customer_id) SELECT n, 'u' || n || '@example.test', 'cus_' || n FROM generate_series(1, 20000) AS n;
        INSERT INTO plans (id, code, amount_minor) VALUES (1, 'monthly', 1000);
        INSERT INTO subscriptions (id, user_id, plan_id, status, ended_at) SELECT n, n, 1, CASE WHEN n % 50 = 0 THEN 'active' ELSE 'expired' END, now() + n * interval '1 hour' FROM generate_series(1, 20000) AS n;
        INSERT INTO orders (id, user_id, total_minor, status) SELECT n, n, 100, 'paid' FROM generate_series(1, 20000) AS n;
        INSERT INTO products (id, sku) VALUES (1, 'tee');
        INSERT INTO stock_reservations (order_id, product_id, quantity, released_at) SELECT n, 1, 1, now() FROM generate_series(1, 20000) AS n;
        INSERT INTO memberships (id, user_id, type, start_date, end_date) SELECT n, n, 'basic', '2024-01-01', '2024-12-31' FROM generate_series(1, 20000) AS n;
        INSERT INTO payments (id, user_id, subscription_id, membership_id, amount_minor, status, provider_payment_id, period_start, created_at, succeeded_at)
        SELECT n, 1 + n % 20000, 1 + n % 20000, 1 + n % 20000, 1000, 'succeeded', 'pi_' || n, date '2000-01-01' + n, now() - n * interval '1 minute', now() FROM generate_series(1, 30000) AS n;
        INSERT INTO receipts (number, payment_id, amount_minor, currency) SELECT '2026-' || lpad(n::text, 6, '0'), n, 1000, 'eur' FROM generate_series(1, 30000) AS n;
        INSERT INTO unmatched_payments (provider_payment_id, payment_id, reason, resolved_at) SELECT 'pi_' || n, n, 'duplicate', now() FROM generate_series(1, 20000) AS n;
        INSERT INTO notifications (kind, status, user_id, to_address, payload, dedupe_key)
        SELECT 'payment_receipt', 'sent', 1 + n % 20000, 'x', jsonb_build_object('payment_id', n), 'k' || n FROM generate_series(1, 30000) AS n;
        INSERT INTO job_runs (id, job, status, started_at, finished_at)
        SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'send-notifications' ELSE 'match-pending-payments' END, CASE WHEN n % 100 = 0 THEN 'succeeded' ELSE 'skipped' END,
               now() - n * interval '30 seconds', now() - n * interval '30 seconds' FROM generate_series(1, 100000) AS n;
        INSERT INTO job_runs (id, job, status, started_at, finished_at)
        SELECT gen_random_uuid(), 'autopayment', CASE WHEN n % 2 = 0 THEN 'succeeded' ELSE 'failed' END, now() - interval '2 years' - n * interval '1 minute', now() FROM generate_series(1, 2000) AS n;
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT 'autopayment', 'payment.succeeded', CASE n % 4 WHEN 0 THEN 'payment' WHEN 1 THEN 'subscription' WHEN 2 THEN 'order' ELSE 'product' END, 1 + n % 20000, gen_random_uuid(),
               jsonb_build_object('order_id', n % 20000, 'payment_id', n) FROM generate_series(1, 100000) AS n;
        INSERT INTO audit_log_archive (id, actor, action, subject_type, subject_id, created_at)
        SELECT -n, 'autopayment', 'payment.succeeded', 'payment', 1 + n % 20000, now() FROM generate_series(1, 50000) AS n;
        ANALYZE (VERBOSE false)
        """;

    private const string SeqScans =
        """
        SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_user_tables
        WHERE relname IN ('job_runs', 'audit_logs', 'audit_log_archive', 'notifications', 'payments', 'receipts', 'subscriptions', 'users', 'orders', 'memberships', 'stock_reservations', 'unmatched_payments')
        """;

    private const string IndexScans = "SELECT sum(idx_scan)::bigint FROM pg_stat_user_tables";
    private const string Entries = "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes";

    // A look at a job goes back a hundred successes; a person has hundreds of rows.
    private const long MostEntries = 10_000;

    [Fact]
    public async Task Nothing_big_is_read_from_end_to_end()
    {
        await using var world = await fixture.WorldAsync();
        foreach (var statement in Years.Split(";\n"))
        {
            await world.ExecuteAsync(statement);
        }

        var run = await world.ScalarAsync<Guid>("SELECT run_id FROM audit_logs ORDER BY id DESC LIMIT 1");
        await world.ExecuteAsync("INSERT INTO job_runs (id, job, status) VALUES (@run, 'autopayment', 'succeeded')", new { run });
        string[][] commands =
        [
            ["status"], ["history"], ["history", "send-notifications"], ["history", "--failed"], ["show", run.ToString()], ["show", "last", "autopayment"],
            ["explain", "payment", "777"], ["explain", "pi_778"], ["explain", "2026-000779"], ["explain", "subscription", "1000"], ["explain", "order", "780"], ["explain", "membership", "781"],
            ["explain", "user", "782"], ["explain", "u783@example.test"], ["explain", "cus_784"],
        ];
        foreach (var command in commands)
        {
            var (scans, lookups, entries) = (await SettledAsync(world), await world.ScalarAsync<long>(IndexScans), await world.ScalarAsync<long>(Entries));
            var looked = await world.LookAsync(command);
            Assert.True(looked.Stderr.Length == 0, looked.ToString());
            // What a session did is known a moment after its end.
            for (var waited = 0; waited < 600 && await world.ScalarAsync<long>(IndexScans) == lookups; waited++)
            {
                await Task.Delay(100);
            }

            Assert.True(scans == await SettledAsync(world), $"{string.Join(' ', command)}: {scans} before, {await SettledAsync(world)} after");
            var read = await world.ScalarAsync<long>(Entries) - entries;
            Assert.True(read < MostEntries, $"{string.Join(' ', command)}: {read} entries of indexes were read");
        }
    }

    private static Task<string> SettledAsync(JobWorld world) => world.ScalarAsync<string>(SeqScans);
}
