using Jobs.Testing;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Database;

/// <summary>PostgreSQL is restarted in the middle of a run, orderly or as in a crash.</summary>
[Collection(nameof(OwnServer))]
[Trait("Category", "Proof")]
public sealed class RestartTests(OwnServer own, PostgresFixture fixture)
{
    [Theory]
    [MemberData(nameof(FaultyRun.NamesOfMoney), MemberType = typeof(FaultyRun))]
    public async Task A_run_outlives_a_restart_and_does_what_it_would_have_done(string name)
    {
        var server = await own.ServerAsync();
        Assert.SkipUnless(server.Supports(Capability.Restart), server.WhyNot(Capability.Restart) ?? "");
        var scenario = Scenarios.Find(name);
        var rig = new CrashRig(fixture, scenario);
        var trips = (await rig.RoundTripsAsync(repetitions: scenario.MovesMoney())).Where(trip => trip.Step != "connect").ToList();
        // Before the COMMIT of a transaction, and after it when its answer is still on the way, says most.
        var commits = trips.Where(trip => FaultyRun.IsCommit(trip.Step)).ToList();
        var each = Evidence.Times(0, proof: scenario.MovesMoney() ? 8 : 1, endless: 12);
        var points = Evidence.Full
            ? [.. trips.Evenly(each).Select((trip, nr) => Point(trip, Phase.Before, nr % 2 == 0)), .. commits.Evenly(each).Select((trip, nr) => Point(trip, Phase.After, nr % 2 == 1))]
            : commits.Evenly(1).Select(trip => Point(trip, scenario.MovesMoney() ? Phase.After : Phase.Before, name.Length % 2 == 0));

        foreach (var point in points)
        {
            await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, [point], async _ =>
            {
                await using var world = await own.WorldAsync(scenario);
                var result = await FaultyRun.RunAsync(scenario, world, point);
                world.ForgetConnections();
                Assert.True(result.ExitCode == 0, $"did not outlive it: {result}");

                await rig.RerunAsync(world);
                await rig.CompareAsync(world);
            });
        }

        FaultPoint Point((string Step, int Time) trip, Phase phase, bool immediate) => new(
            $"restarted {phase} ({(immediate ? "immediate" : "fast")})", trip.Step, trip.Time,
            new PostgresFault(phase) { Meanwhile = () => server.RestartAsync(immediate) });
    }
}
