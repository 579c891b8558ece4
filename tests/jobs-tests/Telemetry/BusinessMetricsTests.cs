using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Telemetry;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Telemetry;

/// <summary>What the database is asked for metrics: each figure by rows that count and their near misses, and the work it takes.</summary>
public sealed class BusinessMetricsTests(PostgresFixture fixture)
{
    [Fact]
    public async Task An_empty_database_has_nothing_to_tell_but_what_is_none()
    {
        await using var world = await fixture.WorldAsync();
        var samples = await ReadAsync(world);
        Assert.Equal(0, samples["jobs_subscriptions_due"]);
        Assert.Equal(0, samples["jobs_backlog_items{send-notifications}"]);
        Assert.Equal(0, samples["jobs_unknown_results{terminal}"]);
        Assert.DoesNotContain(samples.Keys, key => key.Contains("oldest", StringComparison.Ordinal) || key.StartsWith("jobs_backup_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_due_waits_or_is_unknown_is_counted_with_its_oldest_and_near_misses_are_not()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO users (email) VALUES ('a@example.test'), ('b@example.test'), ('c@example.test');
            INSERT INTO plans (code, amount_minor, recurring) VALUES ('monthly', 1000, true), ('once', 1000, false);
            INSERT INTO subscriptions (id, user_id, plan_id, status, ended_at, auto_renew, cancel_at_period_end, next_attempt_at, provider_subscription_id) VALUES
                (1, 1, 1, 'active', now() - interval '2 days', true, false, NULL, NULL),
                (2, 1, 1, 'past_due', now() - interval '50 hours', true, false, now() - interval '1 hour', NULL),
                (3, 1, 1, 'active', now() + interval '3 days', true, false, NULL, NULL),
                (4, 1, 1, 'active', now() - interval '1 day', false, false, NULL, NULL),
                (5, 1, 1, 'active', now() - interval '1 day', true, true, NULL, NULL),
                (6, 1, 1, 'active', now() - interval '1 day', true, false, NULL, 'sub_1'),
                (7, 1, 2, 'active', now() - interval '1 day', true, false, NULL, NULL),
                (8, 1, 1, 'past_due', now() - interval '1 day', true, false, now() + interval '1 day', NULL),
                (9, 1, 1, 'active', now() - interval '1 day', true, false, NULL, NULL),
                (10, 1, 1, 'past_due', now() - interval '5 days', true, false, 'infinity', NULL);
            INSERT INTO payments (user_id, subscription_id, amount_minor, currency, status, method, created_at, sent_at, succeeded_at, failure_code, amount_refunded_minor) VALUES
                (1, 9, 1000, 'eur', 'pending', 'card', now() - interval '3 hours', now() - interval '3 hours', NULL, NULL, 0),
                (1, NULL, 1000, 'eur', 'pending', 'card', now() - interval '9 days', NULL, NULL, NULL, 0),
                (1, NULL, 1000, 'eur', 'processing', 'card', now() - interval '2 days', now() - interval '2 days', NULL, NULL, 0),
                (1, 1, 700, 'eur', 'succeeded', 'card', now() - interval '2 hours', NULL, now() - interval '1 hour', NULL, 0),
                (1, 2, 300, 'eur', 'refunded', 'cash', now() - interval '30 hours', NULL, now() - interval '1 hour', NULL, 300),
                (1, 3, 900, 'jpy', 'succeeded', 'cash', now() - interval '30 hours', NULL, now() - interval '25 hours', NULL, 0),
                (1, 4, 500, 'eur', 'failed', 'card', now() - interval '1 hour', NULL, NULL, 'insufficient_funds', 0),
                (1, 5, 500, 'eur', 'failed', 'card', now() - interval '1 hour', NULL, NULL, 'insufficient_funds', 0),
                (1, 7, 500, 'eur', 'failed', 'card', now() - interval '25 hours', NULL, NULL, 'lost_card', 0);
            INSERT INTO payment_refunds (payment_id, amount_minor, refunded_at) SELECT id, 300, now() - interval '30 minutes' FROM payments WHERE status = 'refunded';
            INSERT INTO payment_refunds (payment_id, amount_minor, refunded_at) SELECT id, 1, now() - interval '25 hours' FROM payments WHERE status = 'refunded';
            INSERT INTO orders (user_id, total_minor, status, expires_at) VALUES
                (1, 1, 'pending_payment', now() - interval '1 hour'), (1, 1, 'expiring', now() - interval '2 hours'),
                (1, 1, 'pending_payment', now() + interval '1 hour'), (1, 1, 'paid', now() - interval '5 hours');
            INSERT INTO unmatched_payments (provider_payment_id, reason, created_at, resolved_at) VALUES
                ('pi_1', 'duplicate', now() - interval '4 hours', NULL), ('pi_2', 'duplicate', now() - interval '1 hour', NULL),
                ('pi_3', 'plan_unknown', now() - interval '2 hours', NULL), ('pi_4', 'plan_unknown', now() - interval '9 days', now());
            INSERT INTO notifications (kind, to_address, status, created_at, next_attempt_at, handed_over_at) VALUES
                ('x', 'a', 'pending', now() - interval '20 minutes', NULL, NULL),
                ('x', 'a', 'pending', now() - interval '3 hours', now() - interval '5 minutes', NULL),
                ('x', 'a', 'pending', now() - interval '5 hours', now() + interval '5 hours', NULL),
                ('x', 'a', 'sent', now() - interval '7 hours', NULL, now()),
                ('x', 'a', 'unknown', now() - interval '6 hours', NULL, now() - interval '5 hours');
            INSERT INTO payment_queue (payment_id, user_id, status, started_at, position) SELECT id, 1, 'unknown', now() - interval '10 minutes', 1 FROM payments WHERE status = 'processing';
            INSERT INTO job_totals (job, counter, value) VALUES
                ('autopayment', 'charged', 12), ('expire-stale-orders', 'orders_expired', 5), ('expire-stale-orders', 'payment_intents_canceled', 4),
                ('cleanup-stale-payment-intents', 'payment_intents_canceled', 3), ('expire-stale-orders', 'stock_released', 9);
            INSERT INTO job_pauses (job, until, created_at) VALUES ('cleanup', NULL, now() - interval '1 hour'), ('daily-stats', now() - interval '1 hour', now() - interval '2 hours');
            INSERT INTO job_item_failures (job, item, parked_at) VALUES ('autopayment', '1', now()), ('autopayment', '2', NULL);
            """);

        var samples = await ReadAsync(world);

        Assert.Equal(2, samples["jobs_subscriptions_due"]);
        Assert.Equal(2, samples["jobs_backlog_items{autopayment}"]);
        AssertAgo(50, samples["jobs_backlog_oldest_timestamp_seconds{autopayment}"]);
        Assert.Equal(1, samples["jobs_backlog_items{expire-subscriptions}"]);
        Assert.Equal(2, samples["jobs_backlog_items{expire-stale-orders}"]);
        AssertAgo(2, samples["jobs_backlog_oldest_timestamp_seconds{expire-stale-orders}"]);
        Assert.Equal(3, samples["jobs_backlog_items{match-pending-payments}"]);
        Assert.Equal(1, samples["jobs_backlog_items{expire-payments}"]);
        Assert.Equal(2, samples["jobs_backlog_items{send-notifications}"]);
        AssertAgo(20 / 60.0, samples["jobs_backlog_oldest_timestamp_seconds{send-notifications}"]);
        Assert.Equal(1, samples["jobs_backlog_items{process-payment-queue}"]);
        Assert.Equal((2, 1), (samples["jobs_unmatched_payments{duplicate}"], samples["jobs_unmatched_payments{plan_unknown}"]));
        AssertAgo(4, samples["jobs_unmatched_payments_oldest_timestamp_seconds"]);
        Assert.Equal((1, 1, 1), (samples["jobs_unknown_results{payment}"], samples["jobs_unknown_results{terminal}"], samples["jobs_unknown_results{mail}"]));
        AssertAgo(3, samples["jobs_unknown_results_oldest_timestamp_seconds{payment}"]);
        AssertAgo(10 / 60.0, samples["jobs_unknown_results_oldest_timestamp_seconds{terminal}"]);
        AssertAgo(5, samples["jobs_unknown_results_oldest_timestamp_seconds{mail}"]);
        Assert.Equal((2, 1), (samples["jobs_payments_unresolved{pending}"], samples["jobs_payments_unresolved{processing}"]));
        AssertAgo(9 * 24, samples["jobs_payments_oldest_unresolved_timestamp_seconds{pending}"]);
        Assert.Equal((1, 1, 2), (samples["jobs_payments_last_day{card,pending}"], samples["jobs_payments_last_day{card,succeeded}"], samples["jobs_payments_last_day{card,failed}"]));
        Assert.Equal(2, samples["jobs_payment_declines_last_day{insufficient_funds}"]);
        Assert.False(samples.ContainsKey("jobs_payment_declines_last_day{lost_card}"));
        Assert.Equal(1000, samples["jobs_payments_succeeded_minor_last_day{eur}"]);
        Assert.False(samples.ContainsKey("jobs_payments_succeeded_minor_last_day{jpy}"));
        Assert.Equal(300, samples["jobs_payments_refunded_minor_last_day{eur}"]);
        Assert.Equal(1, samples["jobs_terminal_queue{unknown}"]);
        Assert.Equal(12, samples["jobs_items_total{autopayment,charged}"]);
        Assert.Equal((5, 7, 9), (samples["jobs_orders_expired_total"], samples["jobs_payment_intents_canceled_total"], samples["jobs_stock_released_total"]));
        AssertAgo(1, samples["jobs_paused_since_timestamp_seconds{cleanup}"]);
        Assert.False(samples.ContainsKey("jobs_paused_since_timestamp_seconds{daily-stats}"));
        Assert.Equal(1, samples["jobs_parked_items{autopayment}"]);
    }

    [Fact]
    public async Task Failures_count_since_the_last_success_of_the_same_shard()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO job_runs (id, job, status, partial, shard, started_at, finished_at)
            SELECT gen_random_uuid(), job, status, partial, shard, now() - ago::interval, CASE WHEN status <> 'running' THEN now() - ago::interval + interval '5 seconds' END
            FROM (VALUES ('cleanup', 'failed', false, NULL, '9 hours'), ('cleanup', 'succeeded', false, NULL, '8 hours'), ('cleanup', 'failed', false, NULL, '7 hours'),
                         ('cleanup', 'skipped', false, NULL, '6 hours'), ('cleanup', 'succeeded', true, NULL, '5 hours'), ('cleanup', 'failed', false, NULL, '4 hours'),
                         ('cleanup', 'failed', true, NULL, '3 hours'), ('cleanup', 'interrupted', false, NULL, '2 hours'),
                         ('cleanup', 'succeeded', false, '0/2', '1 hour'), ('cleanup', 'failed', false, '1/2', '1 hour'),
                         ('autopayment', 'failed', false, NULL, '2 hours'), ('autopayment', 'running', false, NULL, '1 hour')) AS run (job, status, partial, shard, ago)
            """);

        var samples = await ReadAsync(world, all: true);

        Assert.Equal(2, samples["jobs_run_consecutive_failures{cleanup}"]);
        Assert.Equal((0, 1), (samples["jobs_run_consecutive_failures{cleanup,0/2}"], samples["jobs_run_consecutive_failures{cleanup,1/2}"]));
        AssertAgo(2, samples["jobs_run_last_start_timestamp_seconds{cleanup}"]);
        AssertAgo(8, samples["jobs_run_last_success_timestamp_seconds{cleanup}"]);
        Assert.Equal((1, 0), (samples["jobs_run_last_exit_code{cleanup}"], samples["jobs_run_last_exit_code{cleanup,0/2}"]));
        Assert.Equal(5, samples["jobs_run_last_duration_seconds{cleanup}"], 0.001);
        // One is at it: when it began, and how the one before it ended.
        AssertAgo(1, samples["jobs_run_last_start_timestamp_seconds{autopayment}"]);
        AssertAgo(2, samples["jobs_run_last_completion_timestamp_seconds{autopayment}"]);
        Assert.False(samples.ContainsKey("jobs_run_last_success_timestamp_seconds{autopayment}"));
    }

    [Fact]
    public async Task A_run_that_never_ended_is_told_of_until_a_success_follows()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO job_runs (id, job, status, partial, shard, error, started_at, finished_at)
            SELECT gen_random_uuid(), job, status, partial, shard, error, now() - ago::interval, CASE WHEN status <> 'running' THEN now() - ago::interval + interval '5 seconds' END
            FROM (VALUES ('cleanup', 'failed', false, NULL, @WithoutAWord, '9 hours'), ('cleanup', 'succeeded', false, NULL, NULL, '8 hours'),
                         ('autopayment', 'failed', false, NULL, @WithoutAWord, '7 hours'), ('autopayment', 'succeeded', true, NULL, NULL, '6 hours'),
                         ('autopayment', 'skipped', false, NULL, 'another run holds the lease', '5 hours'), ('autopayment', 'failed', false, NULL, 'something else', '4 hours'),
                         ('daily-stats', 'running', false, NULL, NULL, '3 hours'), ('expire-payments', 'running', false, NULL, NULL, '3 hours'),
                         ('expire-subscriptions', 'failed', false, '0/2', @WithoutAWord, '3 hours'), ('expire-subscriptions', 'failed', false, '1/2', @WithoutAWord, '3 hours'),
                         ('expire-subscriptions', 'succeeded', false, '1/2', NULL, '2 hours'), ('expire-subscriptions', 'skipped', false, '1/2', NULL, '1 hour'),
                         ('subscription-sync', 'failed', false, '3/4', @WithoutAWord, '3 hours'), ('subscription-sync', 'succeeded', false, NULL, NULL, '2 hours'),
                         ('record-payment', 'running', false, NULL, NULL, '3 hours'), ('record-payment', 'failed', false, NULL, @WithoutAWord, '3 hours'))
                 AS run (job, status, partial, shard, error, ago);
            -- Its lease lives; that of the other has run out.
            INSERT INTO leases (name, holder, expires_at)
            SELECT job, 'node-7/boot/pid:[1] 4711 99 ' || replace(id::text, '-', ''), now() + CASE job WHEN 'daily-stats' THEN interval '30 seconds' ELSE interval '-1 second' END
            FROM job_runs WHERE job IN ('daily-stats', 'expire-payments');
            """,
            new { RunLedger.WithoutAWord });

        var samples = await ReadAsync(world);

        Assert.Equal(
            ["jobs_run_never_ended_timestamp_seconds{autopayment}", "jobs_run_never_ended_timestamp_seconds{expire-payments}", "jobs_run_never_ended_timestamp_seconds{expire-subscriptions,0/2}"],
            samples.Keys.Where(key => key.StartsWith("jobs_run_never_ended_", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        AssertAgo(7, samples["jobs_run_never_ended_timestamp_seconds{autopayment}"]);
        AssertAgo(3, samples["jobs_run_never_ended_timestamp_seconds{expire-payments}"]);
        Assert.Equal((1, 0), (samples["jobs_run_skipped_since_never_ended{autopayment}"], samples["jobs_run_skipped_since_never_ended{expire-subscriptions,0/2}"]));

        await world.ExecuteAsync("INSERT INTO job_runs (id, job, status, started_at) SELECT gen_random_uuid(), job, 'succeeded', now() FROM unnest(ARRAY['autopayment', 'expire-payments', 'expire-subscriptions']) AS job");
        Assert.DoesNotContain((await ReadAsync(world)).Keys, key => key.Contains("never_ended", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Backups_are_told_of_where_there_is_one()
    {
        await using var world = await fixture.WorldAsync();
        Assert.DoesNotContain(await ReadAsync(world), s => s.Key.StartsWith("jobs_backup_last_", StringComparison.Ordinal));

        await world.ExecuteAsync("INSERT INTO backups (name, location, finished_at, size_bytes) VALUES ('a', 'x', now(), 7)");
        Assert.Equal(0, (await ReadAsync(world))["jobs_backup_last_verified_timestamp_seconds"]);
        await world.ExecuteAsync(
            """
            INSERT INTO backups (name, location, finished_at, verified_at, size_bytes)
            VALUES ('b', 'x', now(), now() - interval '1 hour', 42), ('c', 'x', now(), now() - interval '2 hours', 43)
            """);
        var samples = await ReadAsync(world);
        AssertAgo(1, samples["jobs_backup_last_verified_timestamp_seconds"]);
        Assert.Equal(42, samples["jobs_backup_last_size_bytes"]);
    }

    [Fact]
    public async Task No_figure_reads_a_large_table_from_end_to_end()
    {
        await using var world = await fixture.FreshWorldAsync();
        await world.PeopleAsync(1000);
        await world.PlanAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO subscriptions (user_id, plan_id, status, ended_at)
            SELECT 1 + n % 1000, 1, CASE WHEN n % 1000 = 0 THEN 'active' ELSE 'expired' END, now() - n * interval '1 minute' FROM generate_series(1, 50000) AS n;
            INSERT INTO payments (user_id, amount_minor, status, method, created_at, succeeded_at)
            SELECT 1 + n % 1000, 1000, CASE WHEN n % 2000 = 0 THEN 'pending' WHEN n % 10 = 0 THEN 'failed' ELSE 'succeeded' END, 'card',
                   now() - n * interval '10 minutes', CASE WHEN n % 10 <> 0 THEN now() - n * interval '10 minutes' END
            FROM generate_series(1, 100000) AS n;
            INSERT INTO payment_refunds (payment_id, amount_minor, refunded_at) SELECT n, 1, now() - n * interval '10 minutes' FROM generate_series(1, 50000) AS n;
            INSERT INTO orders (user_id, total_minor, status, expires_at) SELECT 1, 1, CASE WHEN n % 1000 = 0 THEN 'pending_payment' ELSE 'paid' END, now() - n * interval '1 minute' FROM generate_series(1, 50000) AS n;
            INSERT INTO notifications (kind, status, to_address) SELECT 'x', CASE WHEN n % 1000 = 0 THEN 'pending' WHEN n % 1001 = 0 THEN 'unknown' ELSE 'sent' END, 'u' FROM generate_series(1, 100000) AS n;
            INSERT INTO unmatched_payments (reason, reported_at, resolved_at) SELECT 'duplicate', now(), now() FROM generate_series(1, 20000);
            INSERT INTO unmatched_payments (reason) VALUES ('duplicate');
            INSERT INTO payment_queue (payment_id, status, position) SELECT id, 'done', id FROM payments WHERE id <= 20000;
            INSERT INTO job_runs (id, job, status, started_at, finished_at)
            SELECT gen_random_uuid(), job, CASE WHEN n % 3 = 0 THEN 'skipped' WHEN n % 1000 = 1 THEN 'failed' ELSE 'succeeded' END, now() - n * interval '1 minute', now() - n * interval '1 minute'
            FROM generate_series(1, 10000) AS n, unnest(ARRAY['autopayment', 'send-notifications', 'match-pending-payments', 'process-payment-queue', 'expire-stale-orders', 'cleanup']) AS job;
            """);
        await world.ExecuteAsync("VACUUM ANALYZE");
        await ReadAsync(world, all: true);
        await world.ExecuteAsync("SELECT pg_stat_reset()");
        await Task.Delay(1500, TestContext.Current.CancellationToken);

        await ReadAsync(world, all: true);
        await world.ExecuteAsync("SELECT pg_stat_force_next_flush()");
        await Task.Delay(1500, TestContext.Current.CancellationToken);

        var read = await world.QueryAsync(
            """
            SELECT relname || ' ' || seq_tup_read AS line FROM pg_stat_user_tables
            WHERE seq_scan > 0 AND relname NOT IN ('plans', 'job_totals', 'job_pauses', 'job_item_failures', 'schemaversions', 'users', 'backups')
            """);
        Assert.Empty(read.Select(r => (string)r.line));
    }

    /// <summary>By the role of the jobs, every sample under its name and the values of its labels.</summary>
    private static async Task<Dictionary<string, double>> ReadAsync(JobWorld world, bool all = false)
    {
        await using var source = NpgsqlDataSource.Create(DatabaseUrl.Parse(world.Environment["DATABASE_URL"]!).ConnectionString);
        var metrics = await new Db(source).TransactionAsync(
            async tx => all
                ? await AllMetrics.ReadAsync(tx, new Settings(new Dictionary<string, string>(StringComparer.Ordinal)))
                : await BusinessMetrics.ReadAsync(tx, new BusinessZone("Europe/Paris"), TimeSpan.FromDays(3), DateTime.UtcNow),
            TestContext.Current.CancellationToken);
        Assert.All(metrics, metric => Assert.Equal(metric.Kind == MetricKind.Counter, metric.Name.EndsWith("_total", StringComparison.Ordinal)));
        await Promtool.CheckAsync(PrometheusText.Of(metrics));
        return metrics.SelectMany(metric => metric.Samples.Select(sample =>
            (Key: metric.Name + (sample.Labels.Count == 0 ? "" : $"{{{string.Join(',', sample.Labels.Select(label => label.Value))}}}"), sample.Value)))
            .ToDictionary(s => s.Key, s => s.Value, StringComparer.Ordinal);
    }

    private static void AssertAgo(double hours, double timestamp) => Assert.InRange(
        (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds - timestamp, (hours * 3600) - 60, (hours * 3600) + 120);
}
