using Jobs.Tests.Acting;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;

namespace Jobs.Tests.Crash;

/// <summary>The operator's tool, settling something; whoever never saw the answer gives the same command again.</summary>
internal static class OperatorScenarios
{
    private const string Parked =
        """
        INSERT INTO notifications (kind, to_address, payload)
        SELECT 'staff_unmatched_payments', 'staff@example.test', jsonb_build_object('payments', jsonb_agg(jsonb_build_object('id', id))) FROM unmatched_payments
        """;

    private const string Acted = "EXISTS (SELECT FROM audit_logs WHERE actor = 'ada')";

    public static readonly IReadOnlyList<Scenario> All =
    [
        Deed("resolve unmatched --as recorded", Acted, SeedParkedAsync, "resolve", "unmatched", "1", "--as", "recorded", "--user", "1", "--reason", "it is hers") with { Outside = AtStripe },
        Deed("resolve unmatched --as ignored", Acted, SeedParkedAsync, "resolve", "unmatched", "1", "--as", "ignored", "--reason", "a gift"),
        Deed("resolve unmatched --as recorded for its plan", Acted, SeedPlanAsync, "resolve", "unmatched", "1", "--as", "recorded", "--reason", "the plan is there now") with { Outside = AtStripe },
        Deed("resolve mail --as resend", Acted, world => world.MailAsync("unknown"), "resolve", "mail", "1", "--as", "resend", "--reason", "she has not got it"),
        Deed("resolve order --as refunded", Acted, SeedOrderAsync, "resolve", "order", "1", "--as", "refunded", "--reason", "handed over"),
        Deed("resolve terminal --as paid", Acted, SeedTerminalAsync, "resolve", "terminal", "1", "--as", "paid", "--transaction", "TX1", "--without-asking", "--reason", "seen the slip"),
        Deed("resolve terminal --as not-paid", Acted, SeedTerminalAsync, "resolve", "terminal", "1", "--as", "not-paid", "--without-asking", "--reason", "card left"),
        Deed("pause", "EXISTS (SELECT FROM job_pauses)", _ => Task.CompletedTask, "pause", "all-charging", "--reason", "audit"),
        // Of its many looks those that change nothing are all alike.
        Deed("doctor --fix", "(SELECT stock_reserved = 0 FROM products)", SeedFaultsAsync, "doctor", "--fix") with
        {
            Alike = step => step.Contains("audit_logs", StringComparison.Ordinal) ? step : "a look",
        },
    ];

    private static Outside AtStripe(JobWorld world) => new StripeCalls(world);

    /// <param name="done">False before it, true after it.</param>
    private static Scenario Deed(string name, string done, Func<JobWorld, Task> seed, params string[] args) => new(
        $"jobctl {name}", "jobctl", [],
        async world =>
        {
            await world.UserAsync("ada");
            await seed(world);
        })
    {
        Args = [.. args, "--actor", "ada"],
        Done = done,
        Also = world => world.ScalarAsync<string>("SELECT coalesce(string_agg(job || ' ' || reason, ', ' ORDER BY job), '') FROM job_pauses"),
        // A person's "now" is the database's.
        FixedClock = false,
    };

    private static async Task SeedParkedAsync(JobWorld world)
    {
        await world.IntentAsync("pi_1", customer: null, method: "pm_card_visa");
        await world.ParkedAsync("pi_1");
        await world.ExecuteAsync(Parked);
    }

    private static async Task SeedPlanAsync(JobWorld world)
    {
        await world.IntentAsync("pi_1", metadata: new { user_id = "1", plan = "monthly" });
        await world.ParkedAsync("pi_1", "plan_unknown");
        await world.ExecuteAsync(Parked);
        await world.PlanAsync();
    }

    private static async Task SeedOrderAsync(JobWorld world)
    {
        await world.OrderAsync(1, "refund_due", reserved: false);
        await world.ExecuteAsync(
            """
            INSERT INTO payments (user_id, order_id, purpose, amount_minor, status, method, succeeded_at) VALUES (1, 1, 'order', 1000, 'succeeded', 'cash', '2026-11-20T05:00:00Z');
            INSERT INTO receipts (number, payment_id, issued_at, amount_minor, currency) SELECT '2026-000001', id, succeeded_at, 1000, 'eur' FROM payments;
            INSERT INTO receipt_counters (series, year, last_number) VALUES ('R', 2026, 1);
            INSERT INTO audit_logs (action, subject_type, subject_id) SELECT 'payment.succeeded', 'payment', id FROM payments;
            UPDATE products SET sku = 'bike';
            """);
    }

    private static Task SeedTerminalAsync(JobWorld world) => world.ExecuteAsync(
        """
        INSERT INTO payment_terminals (name, provider_reader_id, status) VALUES ('bar', 'rdr_1', 'busy');
        INSERT INTO payments (user_id, amount_minor, status, method, provider) VALUES (1, 1000, 'pending', 'card_terminal', 'sumup');
        INSERT INTO payment_queue (payment_id, terminal_id, status, reason, started_at) VALUES (1, 1, 'unknown', 'no_reference', now() - interval '1 hour')
        """);

    private static async Task SeedFaultsAsync(JobWorld world)
    {
        await world.IntentAsync("pi_1", metadata: new { user_id = "1", plan = "monthly" });
        await world.PlanAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO products (sku, stock_on_hand, stock_reserved) VALUES ('bike', 9, 7);
            INSERT INTO leases (name, holder, expires_at) VALUES ('cleanup', 'somebody', now() - interval '1 hour');
            INSERT INTO job_runs (id, job, started_at) VALUES (gen_random_uuid(), 'cleanup', now() - interval '1 hour');
            INSERT INTO payments (user_id, plan_id, purpose, amount_minor, status, provider, provider_payment_id) VALUES (1, 1, 'subscription', 1000, 'succeeded', 'stripe', 'pi_1')
            """);
    }
}
