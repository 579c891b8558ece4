using System.Globalization;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>jobctl as somebody who was woken up runs it, from its start to its end: on a ledger of years, and on what years of customers left.</summary>
internal static class Looking
{
    private const int Runs = 9;
    private const double MostMilliseconds = 300;

    // Two years of runs every minute and two; most of what was written is of somebody else.
    private const string Ledger =
        """
        INSERT INTO job_runs (id, job, trigger, status, started_at, finished_at, counters)
        SELECT gen_random_uuid(), (ARRAY['send-notifications', 'process-payment-queue', 'match-pending-payments', 'match-successful-payments', 'expire-stale-orders', 'autopayment'])[1 + n % 6],
               'schedule', CASE WHEN n % 997 = 0 THEN 'failed' WHEN n % 10 = 0 THEN 'skipped' ELSE 'succeeded' END, now() - n * interval '25 seconds', now() - n * interval '25 seconds' + interval '1 second',
               '{"sent": 3}'
        FROM generate_series(1, $ROWS) AS n
        """;

    private const string History =
        """
        INSERT INTO users (id, email) SELECT n, 'u' || n || '@example.test' FROM generate_series(1, 100000) AS n;
        INSERT INTO plans (id, code, amount_minor) VALUES (1, 'monthly', 1000);
        INSERT INTO subscriptions (id, user_id, plan_id, status, ended_at) SELECT n, n, 1, 'active', now() + interval '20 days' FROM generate_series(1, 100000) AS n;
        INSERT INTO payments (id, user_id, subscription_id, plan_id, purpose, amount_minor, status, provider, provider_payment_id, period_start, created_at, succeeded_at)
        SELECT n, 1 + n % 100000, 1 + n % 100000, 1, 'subscription', 1000, 'succeeded', 'stripe', 'pi_' || n, date '2025-01-01' + (n / 100000) * 30, now() - interval '1 day', now() - interval '1 day'
        FROM generate_series(1, 1000000) AS n;
        INSERT INTO notifications (kind, status, user_id, to_address, payload, dedupe_key, sent_at)
        SELECT 'payment_receipt', 'sent', 1 + n % 100000, 'x', jsonb_build_object('payment_id', n, 'subscription_id', 1 + n % 100000), 'payment_receipt:' || n, now() FROM generate_series(1, 1000000) AS n;
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT 'autopayment', CASE n % 2 WHEN 0 THEN 'payment.succeeded' ELSE 'subscription.extended' END, CASE n % 2 WHEN 0 THEN 'payment' ELSE 'subscription' END,
               CASE n % 2 WHEN 0 THEN 1 + (n / 2) % 1000000 ELSE 1 + (n / 2) % 100000 END, '0193f4d0-a1b2-7c3d-8e4f-000000000000'::uuid, '{"amount_minor": 1000, "currency": "eur"}'
        FROM generate_series(1, $ROWS) AS n
        """;

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, int runs, int audit)
    {
        var database = await ground.Server.CreateDatabaseAsync(ground.Template);
        var program = JobProcess.Executable("jobctl");
        var environment = ground.EnvironmentFor(database);
        var psql = Repeat("psql", 0, () => Measured.Run(ground.Psql, ["-XqAtc", "select 1", ground.UrlFor(database)], []));
        var results = new List<Result> { Result.Yardstick("looking", "psql -c 'select 1'", FormattableString.Invariant($"{Wall(psql):0} ms")) };

        Progress.Say($"looking: {runs:N0} runs");
        await ground.FillAsync(database, Ledger.Replace("$ROWS", runs.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        await ground.FillAsync(database, "VACUUM ANALYZE");
        // Jobs that never ran are late: that is what it says, by its exit code as well.
        results.Add(Of($"status, {runs:N0} runs", Repeat("status", 1, () => Measured.Run(program, ["status"], environment))));
        results.Add(Of($"history, {runs:N0} runs", Repeat("history", 0, () => Measured.Run(program, ["history", "autopayment"], environment))));

        Progress.Say($"looking: {audit:N0} audit rows");
        await ground.FillAsync(database, History.Replace("$ROWS", audit.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        await ground.FillAsync(database, "VACUUM ANALYZE");
        foreach (var subject in new[] { "payment", "subscription", "user" })
        {
            var id = 4711;
            results.Add(Of(
                $"explain {subject}, {audit:N0} audit rows",
                Repeat(subject, 0, () => Measured.Run(program, ["explain", subject, (id += 13).ToString(CultureInfo.InvariantCulture)], environment))));
        }

        await ground.Server.DropDatabaseAsync(database);
        return results;
    }

    private static Result Of(string what, List<Measured> runs) => Result.AtMost(
        "looking", what, Wall(runs), MostMilliseconds, "ms",
        FormattableString.Invariant($" ({Result.Median(runs.Select(r => r.Cpu.TotalMilliseconds)):0} ms CPU, {Result.Median(runs.Select(r => r.PeakMiB)):0} MiB)"));

    private static List<Measured> Repeat(string what, int exitCode, Func<Measured> run)
    {
        run();
        run();
        return [.. Enumerable.Range(0, Runs).Select(_ => run() is { } one && one.ExitCode == exitCode
            ? one
            : throw new InvalidOperationException($"{what} did not end with exit code {exitCode}"))];
    }

    private static double Wall(List<Measured> runs) => Result.Median(runs.Select(r => r.Wall.TotalMilliseconds));
}
