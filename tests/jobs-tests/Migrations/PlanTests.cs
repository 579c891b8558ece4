using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Migrations;

/// <summary>On realistic counts - nearly everything settled long ago - each job's WHERE finds its few rows by its partial index.</summary>
public sealed class PlanTests(SharedRows rows) : IClassFixture<SharedRows>
{
    [Theory]
    [InlineData(
        "subscriptions_by_end",
        "SELECT id FROM subscriptions WHERE status IN ('active', 'past_due') AND provider_subscription_id IS NULL AND ended_at < now() - interval '3 days' AND (ended_at, id) > ('-infinity', 0) ORDER BY ended_at, id LIMIT 5000")]
    [InlineData(
        "subscriptions_by_end",
        "SELECT s.id FROM subscriptions AS s WHERE s.status IN ('active', 'past_due') AND s.auto_renew AND NOT s.cancel_at_period_end AND s.provider_subscription_id IS NULL AND s.ended_at < now() AND (s.next_attempt_at IS NULL OR s.next_attempt_at <= now()) ORDER BY s.ended_at, s.id LIMIT 500")]
    [InlineData(
        "subscriptions_of_provider",
        "SELECT id FROM subscriptions WHERE provider_subscription_id IS NOT NULL AND status NOT IN ('canceled', 'expired') AND id > 0 ORDER BY id LIMIT 500")]
    [InlineData(
        "payments_unresolved",
        "SELECT id FROM payments WHERE status = 'pending' AND created_at < now() - interval '7 days' AND (created_at, id) > ('-infinity', 0) ORDER BY created_at, id LIMIT 500")]
    [InlineData(
        "payments_unresolved",
        "SELECT id FROM payments WHERE status IN ('pending', 'processing', 'requires_action') AND (created_at > now() - interval '1 hour' OR next_check_at IS NULL OR next_check_at <= now()) AND (created_at, id) > ('-infinity', 0) ORDER BY created_at, id LIMIT 500")]
    [InlineData("payments_one_in_flight", "SELECT FROM payments WHERE subscription_id = 77 AND status IN ('pending', 'processing', 'requires_action')")]
    [InlineData("payments_by_subscription", "SELECT FROM payments WHERE subscription_id = 77 AND period_start >= '2026-01-01'")]
    [InlineData("payments_provider_payment_id_key", "SELECT id FROM payments WHERE provider_payment_id = 'pi_77'")]
    [InlineData("unmatched_payments_unresolved", "SELECT id FROM unmatched_payments WHERE resolved_at IS NULL")]
    [InlineData("unmatched_payments_unreported", "SELECT id FROM unmatched_payments WHERE reported_at IS NULL")]
    [InlineData("job_runs_by_job", "SELECT status FROM job_runs WHERE job = 'autopayment' ORDER BY started_at DESC LIMIT 1")]
    [InlineData("job_runs_unskipped", "SELECT status FROM job_runs WHERE job = 'autopayment' AND status <> 'skipped' ORDER BY started_at DESC LIMIT 1")]
    [InlineData("job_runs_whole_successes", "SELECT finished_at FROM job_runs WHERE job = 'autopayment' AND shard IS NOT DISTINCT FROM NULL AND status = 'succeeded' AND NOT partial ORDER BY started_at DESC LIMIT 1")]
    [InlineData("notifications_unknown", "SELECT handed_over_at FROM notifications WHERE status = 'unknown' ORDER BY created_at LIMIT 100000")]
    [InlineData("orders_by_expiry", "SELECT id FROM orders WHERE status IN ('pending_payment', 'expiring') AND expires_at < now() ORDER BY expires_at, id LIMIT 500")]
    [InlineData("notifications_pending", "SELECT id FROM notifications WHERE status = 'pending' AND id > 77 AND (next_attempt_at IS NULL OR next_attempt_at <= now()) AND (kind = ANY(ARRAY['renewal_reminder'])) <> true ORDER BY id LIMIT 100")]
    [InlineData("notifications_in_hand", "SELECT id FROM notifications WHERE status = 'sending' AND claimed_by <> gen_random_uuid()")]
    [InlineData("notifications_by_user", "SELECT max(claimed_at) FROM notifications WHERE (user_id = 1 OR (1 IS NULL AND user_id IS NULL AND to_address = 'x')) AND kind = ANY(ARRAY['renewal_reminder']) AND status IN ('sending', 'sent', 'unknown')")]
    [InlineData("notifications_by_address", "SELECT max(claimed_at) FROM notifications WHERE (user_id = NULL OR (NULL IS NULL AND user_id IS NULL AND to_address = 'x')) AND kind = ANY(ARRAY['renewal_reminder']) AND status IN ('sending', 'sent', 'unknown')")]
    [InlineData("notifications_unreported", "SELECT id FROM notifications WHERE status IN ('failed', 'unknown') AND reported_at IS NULL AND kind <> 'staff_undelivered_mails' ORDER BY id LIMIT 500")]
    [InlineData("notifications_unresolved", "SELECT id FROM notifications WHERE status IN ('failed', 'unknown') AND resolved_at IS NULL ORDER BY id LIMIT 200")]
    [InlineData("orders_refund_due", "SELECT id FROM orders WHERE status = 'refund_due' ORDER BY id LIMIT 200")]
    [InlineData("sessions_by_age", "SELECT id FROM sessions WHERE updated_at < now() - interval '5000 hours' LIMIT 500")]
    [InlineData("job_runs_by_age", "SELECT id FROM job_runs WHERE started_at < now() - interval '13 days' AND (started_at, id) > ('-infinity', '00000000-0000-0000-0000-000000000000') ORDER BY started_at, id LIMIT 50")]
    [InlineData("notifications_delivered", "SELECT id FROM notifications WHERE status = 'sent' AND payload <> '{}' AND sent_at < now() - interval '180 days' AND (sent_at, id) > ('-infinity', 0) ORDER BY sent_at, id LIMIT 500")]
    [InlineData("audit_logs_by_age", "SELECT id FROM audit_logs WHERE created_at < now() - interval '9900 hours' LIMIT 500")]
    public async Task The_index_is_used(string index, string sql)
    {
        var plan = string.Join('\n', (await rows.World.QueryAsync("EXPLAIN " + sql)).Select(r => (string)((IDictionary<string, object>)r)["QUERY PLAN"]));
        Assert.True(plan.Contains($" {index}", StringComparison.Ordinal), plan);
        Assert.False(plan.Contains("Seq Scan", StringComparison.Ordinal), plan);
    }
}

public sealed class SharedRows(PostgresFixture fixture) : IAsyncLifetime
{
    public JobWorld World { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        World = await fixture.FreshWorldAsync();
        await World.ExecuteAsync(
            """
            INSERT INTO users (email) VALUES ('a@example.test');
            INSERT INTO plans (code, amount_minor) VALUES ('monthly', 1000);
            INSERT INTO subscriptions (user_id, plan_id, status, ended_at)
            SELECT 1, 1, CASE WHEN n % 3 = 0 THEN 'active' ELSE 'expired' END, now() + interval '30 days' - n * interval '20 minutes' FROM generate_series(1, 20000) AS n;
            UPDATE subscriptions SET status = 'expired' WHERE ended_at < now() - interval '4 days';
            INSERT INTO payments (user_id, subscription_id, amount_minor, status, period_start, provider_payment_id, created_at)
            SELECT 1, 1 + n % 10000, 1000, CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'failed' END, date '2020-01-01' + n, 'pi_' || n, now() - n * interval '1 hour'
            FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING;
            INSERT INTO unmatched_payments (reason, reported_at, resolved_at) SELECT 'duplicate', now(), now() FROM generate_series(1, 5000);
            INSERT INTO unmatched_payments (reason) VALUES ('duplicate');
            INSERT INTO job_runs (id, job, status, started_at)
            SELECT gen_random_uuid(), CASE WHEN n % 10 = 0 THEN 'autopayment' ELSE 'match-pending-payments' END, 'succeeded', now() - n * interval '2 minutes' FROM generate_series(1, 10000) AS n;
            INSERT INTO orders (user_id, total_minor, status, expires_at) SELECT 1, 1, CASE WHEN n % 100 = 0 THEN 'pending_payment' ELSE 'paid' END, now() - n * interval '1 minute' FROM generate_series(1, 10000) AS n;
            INSERT INTO notifications (kind, status, to_address) SELECT 'x', CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'sent' END, 'u' || n || '@example.test' FROM generate_series(1, 10000) AS n;
            INSERT INTO sessions (updated_at) SELECT now() - n * interval '1 hour' FROM generate_series(1, 10000) AS n;
            INSERT INTO audit_logs (action, created_at) SELECT 'x', now() - n * interval '1 hour' FROM generate_series(1, 10000) AS n;
            ANALYZE;
            """);
    }

    public ValueTask DisposeAsync() => World.DisposeAsync();
}
