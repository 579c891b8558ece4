using System.Collections.Concurrent;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>SIGKILL at every step, then one more run: the end is that of a run which nothing disturbed.</summary>
[Trait("Category", "Proof")]
public sealed class KillTests(PostgresFixture fixture)
{
    [Theory]
    [MemberData(nameof(Scenarios.Names), MemberType = typeof(Scenarios))]
    public async Task Killed_before_or_after_any_round_trip_to_the_database_the_next_run_completes_the_work(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var missed = new ConcurrentBag<Point>();

        await Evidence.EveryAsync(rig.Job, Trouble.KilledAtRoundTrip, (await rig.UndisturbedAsync()).Points, point => rig.InWorldAsync(async world =>
        {
            if (!await rig.KillAtRoundTripAsync(world, point))
                missed.Add(point);
            await rig.RerunAsync(world);
            await rig.CompareAsync(world);
        }));

        // How many connections the pool opens depends on how the items overlap; everything else happens in each run.
        Assert.DoesNotContain(missed, point => point.Step != "connect");
    }

    [Theory]
    [MemberData(nameof(Scenarios.NamesOfCallers), MemberType = typeof(Scenarios))]
    public async Task Killed_before_or_after_any_call_is_carried_out_by_Stripe_the_next_run_completes_the_work(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var calls = (await rig.UndisturbedAsync()).ProviderCalls;
        Assert.True(calls > 0);

        await Evidence.EveryAsync(
            rig.Job, Trouble.KilledAtCall, from call in Enumerable.Range(1, calls) from hang in new[] { "hang_before", "hang_after" } select (Call: call, Hang: hang),
            point => rig.InWorldAsync(async world =>
            {
                await rig.KillAtProviderCallAsync(world, point.Call, point.Hang);
                await rig.RerunAsync(world);
                await rig.CompareAsync(world);
            }));
    }
}
