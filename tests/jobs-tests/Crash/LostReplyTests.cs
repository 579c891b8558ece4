using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>The job lives and its question or Stripe's answer is lost on the way.</summary>
[Trait("Category", "Proof")]
public sealed class LostReplyTests(PostgresFixture fixture)
{
    private static readonly string[] Troubles = ["drop_before", "drop_after", "truncated_body", "status_after:500"];

    [Theory]
    [MemberData(nameof(Scenarios.NamesOfCallers), MemberType = typeof(Scenarios))]
    public async Task Whatever_reply_is_lost_the_end_is_that_of_an_undisturbed_run(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var calls = (await rig.UndisturbedAsync()).ProviderCalls;

        await Evidence.EveryAsync(
            rig.Job, Trouble.ProviderFault, from call in Enumerable.Range(1, calls) from trouble in Troubles select (Call: call, Trouble: trouble),
            point => rig.InWorldAsync(async world =>
            {
                await world.Stripe.FaultAsync(point.Trouble, new { nth = point.Call });
                using var process = rig.Start(world);
                var result = await process.EndAsync();
                await world.Stripe.ClearFaultsAsync();
                // An answer saved as a 500 is given again under the same key, also to the next run: that one fails the same way,
                // and the charge is found by the jobs that look for it.
                var stays = point.Trouble.StartsWith("status_after", StringComparison.Ordinal) && result.ExitCode != 0;
                if (stays)
                    await rig.FindAsync(world);
                await rig.RerunAsync(world);
                await rig.CompareAsync(world, actors: !stays);
            }));
    }
}
