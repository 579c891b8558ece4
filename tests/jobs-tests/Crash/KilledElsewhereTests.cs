using Jobs.Runs;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>
/// A run is killed on a host of which the next run knows nothing, as when Kubernetes starts the next pod elsewhere. Whenever that one is
/// started, it waits until the dead run's lease has run out, does not skip, and does the rest.
/// </summary>
public sealed class KilledElsewhereTests(PostgresFixture fixture)
{
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(3);

    // The next run, in parts of the lease's life: at once, in the midst of it, after it.
    private static readonly double[] Later = [0, 0.5, 1.2];

    [Theory]
    [MemberData(nameof(Scenarios.NamesOfScheduled), MemberType = typeof(Scenarios))]
    [Trait("Category", "Proof")]
    public async Task The_next_run_does_the_rest_whenever_it_is_started(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var points = await rig.MiddleAsync(Evidence.Times(1, 3));

        await Evidence.EveryAsync(rig.Job, Trouble.KilledElsewhere, points.SelectMany(point => Later.Select(later => (Point: point, Later: later))), at => rig.InWorldAsync(async world =>
        {
            world.Environment[LeaseLife.Variable] = Duration.Format(Life);
            if (await rig.KillAtRoundTripAsync(world, at.Point))
            {
                await LeaseTests.MoveElsewhereAsync(world, Life);
                await Task.Delay(Life * at.Later);
            }

            await rig.CompleteAsync(world, new Disturbance(Trouble.KilledElsewhere, Point: at.Point));
        }));
    }

    [Fact]
    public void Every_scheduled_job_is_killed_so() => Assert.Equal(
        LostRun.Leased.Order(StringComparer.Ordinal),
        Scenarios.NamesOfScheduled().Select(row => Scenarios.Find(row.Data).Job).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public async Task Due_renewals_of_a_run_that_is_killed_three_times_are_all_charged_once()
    {
        const int due = 60;
        await using var world = await fixture.WorldAsync();
        await StoppedRunTests.SeedAsync(world, due);
        world.Environment[LeaseLife.Variable] = Duration.Format(Life);
        world.Environment["STRIPE_MAX_REQUESTS_PER_SECOND"] = "10";
        for (var kill = 1; kill <= 3; kill++)
        {
            using var run = world.StartPublished("autopayment", "--as-of", "2026-11-20T05:00:00Z");
            await Eventually.HoldsAsync(async () => run.HasExited || await StoppedRunTests.ChargedAsync(world) >= kill * due / 5);
            Assert.False(run.HasExited, $"ended before it was killed: {(run.HasExited ? await run.EndAsync() : null)}");
            run.Kill();
            // Its heart beat last the moment it died.
            await LeaseTests.MoveElsewhereAsync(world, Life);
        }

        var last = await world.RunPublishedAsync("autopayment", "--as-of", "2026-11-20T05:00:00Z");

        Assert.Equal((0, "succeeded"), (last.ExitCode, last.Json.GetProperty("status").GetString()));
        Assert.Equal(due, await StoppedRunTests.ChargedAsync(world));
        var ledger = await world.Stripe.LedgerAsync();
        Assert.Equal((due * 1000L, 1), (ledger.Total(), ledger.MostChargesPerRenewal));
        Assert.Equal(3, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE status = 'failed' AND error = @WithoutAWord", new { RunLedger.WithoutAWord }));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE status = 'skipped'"));
        await Truth.CheckAsync(world);
    }
}
