using System.Collections.Concurrent;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>A process frozen past its lease - a suspended host, a stalled container - wakes when another run has done the work.</summary>
[Trait("Category", "Proof")]
public sealed class FrozenRunTests(PostgresFixture fixture)
{
    // Longer than a heartbeat, so that the one that wakes learns at once that its lease is gone.
    private static readonly TimeSpan PastAHeartbeat = TimeSpan.FromSeconds(16);

    [Theory]
    [MemberData(nameof(Scenarios.NamesWithOutside), MemberType = typeof(Scenarios))]
    public async Task A_run_that_wakes_at_a_step_outside_the_database_after_another_did_its_work_does_no_harm(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        // A run is seen at its files and goes on: what holds it there are programs that work for it.
        var steps = Points.Some([.. (await rig.UndisturbedAsync()).Steps.Where(step => step.Hold != FileSteps.Seen)], Evidence.Times(rig.Scenario.Money ? 4 : 1, rig.Scenario.Money ? int.MaxValue : 8));

        await Evidence.EveryAsync(rig.Job, Trouble.Frozen, steps, step => rig.InWorldAsync(async world =>
        {
            await rig.FreezeAtStepAsync(world, step);
            await rig.CompleteAsync(world, new Disturbance(Trouble.Frozen, Step: step));
        }));
    }

    [Theory]
    [MemberData(nameof(Scenarios.Names), MemberType = typeof(Scenarios))]
    public async Task A_run_that_wakes_at_a_round_trip_to_the_database_after_another_did_its_work_does_no_harm(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var missed = new ConcurrentBag<Point>();
        var points = Points.Some((await rig.UndisturbedAsync()).OutsideTransactions, Evidence.Times(rig.Scenario.Money ? 4 : 1, rig.Scenario.Money ? int.MaxValue : 6));

        await Evidence.EveryAsync(rig.Job, Trouble.Frozen, points, point => rig.InWorldAsync(async world =>
        {
            if (await rig.FreezeAtRoundTripAsync(world, point) is null)
                missed.Add(point);
            await rig.CompleteAsync(world, new Disturbance(Trouble.Frozen, Point: point));
        }));

        var unexplained = missed.Where(point => point.Step != "connect").ToList();
        Assert.True(unexplained.Count <= (rig.Scenario.Varies ? 1 + points.Count / 10 : 0), $"never reached: {string.Join("; ", unexplained)}");
    }

    [Fact]
    public async Task A_run_that_finds_its_lease_gone_stops_and_says_so()
    {
        var rig = new CrashRig(fixture, AutopaymentScenarios.Mixed);
        JobResult? result = null;
        await rig.InWorldAsync(async world =>
        {
            // One that is to notice something when it wakes has work left then.
            result = await rig.FreezeAtStepAsync(world, new OutsideStep("the first call", 1, "hang_after"), PastAHeartbeat, ("STRIPE_MAX_REQUESTS_PER_SECOND", "1"));
            await rig.CompleteAsync(world, new Disturbance(Trouble.Frozen));
        });

        Assert.Equal(1, result!.ExitCode);
        Assert.Contains("lease passed to another run", result.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }
}
