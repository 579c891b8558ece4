using System.Diagnostics;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>SIGTERM, as a rolling update or a node drain sends it, in the middle of a long run.</summary>
[Trait("Category", "Proof")]
public sealed class StoppedRunTests(PostgresFixture fixture)
{
    private static readonly int Due = Evidence.Times(3_000, proof: 10_000, endless: 10_000);

    private const string Seed =
        """
        WITH u AS (
            INSERT INTO users (email, name, locale, role, provider_customer_id, default_payment_method_id)
            SELECT 'u' || n || '@example.test', 'u' || n, 'fr', 'member', 'cus_u' || n, 'pm_u' || n
            FROM generate_series(1, @Due) AS n
            RETURNING id
        )
        INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, auto_renew)
        SELECT id, @plan, 'active', @Now::timestamptz - interval '1 month', @Now::timestamptz - interval '1 hour', true
        FROM u
        """;

    [Fact]
    public async Task SIGTERM_among_thousands_of_due_renewals_loses_nothing_and_the_next_run_charges_the_rest()
    {
        await using var world = await fixture.WorldAsync();
        await SeedAsync(world, Due);
        world.Environment["STRIPE_MAX_REQUESTS_PER_SECOND"] = "2000";
        await world.Stripe.ConfigureAsync(new { latency_ms = 20 });
        try
        {
            using var run = world.StartPublished("autopayment", "--output", "json", "--as-of", "2026-11-20T05:00:00Z");
            await Eventually.HoldsAsync(async () => run.HasExited || await ChargedAsync(world) >= Due / 4);
            Assert.False(run.HasExited, "ended before it could be stopped");
            var clock = Stopwatch.StartNew();
            run.Signal("TERM");
            var stopped = await run.EndAsync();

            Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
            Assert.True(stopped.ExitCode == 1, stopped.ToString());
            Assert.Equal("interrupted", stopped.Json.GetProperty("status").GetString());
            Assert.Equal("interrupted", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE job = 'autopayment'"));
            Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
            var charged = (await world.Stripe.LedgerAsync()).Count;
            Assert.InRange(charged, Due / 4, Due - 1);
            // The items under way were finished: no charge is without its booking, and no attempt is open.
            Assert.Equal(charged, await ChargedAsync(world));
            Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM payments WHERE status <> 'succeeded'"));
            await Truth.CheckAsync(world);

            var next = await world.RunPublishedAsync("autopayment", "--as-of", "2026-11-20T05:00:00Z");

            Assert.True(next.ExitCode == 0, next.ToString());
            Assert.Equal(Due - charged, next.Counter("charged"));
        }
        finally
        {
            await world.Stripe.ConfigureAsync(new { latency_ms = 0 });
        }

        Assert.Equal(Due, await ChargedAsync(world));
        Assert.Equal(Due * 1000L, (await world.Stripe.LedgerAsync()).Total());
        await Truth.CheckAsync(world);
    }

    /// <summary>So many renewals that are due and will be paid.</summary>
    internal static async Task SeedAsync(JobWorld world, int due)
    {
        var plan = await world.PlanAsync();
        await world.ExecuteAsync(Seed, new { Due = due, plan, Scenario.Now });
        await world.Stripe.SeedAsync(new
        {
            customers = new[] { new { id = "cus_u{n}", repeat = due, payment_methods = new[] { new { id = "pm_u{n}", behaviour = "success" } } } },
        });
    }

    internal static Task<long> ChargedAsync(JobWorld world) =>
        world.ScalarAsync<long>("SELECT count(*) FROM payments WHERE status = 'succeeded'");
}
