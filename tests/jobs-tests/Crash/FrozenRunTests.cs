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
    private const string Rate = "STRIPE_MAX_REQUESTS_PER_SECOND";

    [Theory]
    [MemberData(nameof(Scenarios.NamesOfCallers), MemberType = typeof(Scenarios))]
    public async Task A_run_that_wakes_after_another_took_its_lease_and_did_its_work_does_no_harm(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var calls = (await rig.UndisturbedAsync()).ProviderCalls;

        await Evidence.EveryAsync(
            rig.Job, Trouble.Frozen, from call in Enumerable.Range(1, calls) from hang in new[] { "hang_before", "hang_after" } select (Call: call, Hang: hang),
            point => FreezeAsync(rig, point.Call, point.Hang, TimeSpan.Zero));
    }

    [Fact]
    public async Task A_run_that_finds_its_lease_gone_stops_and_says_so()
    {
        var rig = new CrashRig(fixture, AutopaymentScenarios.Mixed);
        var result = await FreezeAsync(rig, 1, "hang_after", PastAHeartbeat);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("lease passed to another run", result.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    private static async Task<JobResult> FreezeAsync(CrashRig rig, int call, string hang, TimeSpan sleep)
    {
        JobResult? result = null;
        await rig.InWorldAsync(async world => result = await FreezeAsync(rig, world, call, hang, sleep));
        return result!;
    }

    private static async Task<JobResult> FreezeAsync(CrashRig rig, JobWorld world, int call, string hang, TimeSpan sleep)
    {
        await world.Stripe.FaultAsync(hang, new { nth = call });
        var rate = world.Environment[Rate];
        // One that is to notice something when it wakes has work left then.
        world.Environment[Rate] = sleep > TimeSpan.Zero ? "1" : rate;
        using var frozen = rig.Start(world);
        world.Environment[Rate] = rate;
        // Everything else it had under way is done or blocked behind this call: it sleeps with no transaction open.
        await world.Stripe.HeldAsync(waitMs: 30_000);
        await QuietAsync(world);
        frozen.Signal("STOP");
        await world.Stripe.ClearFaultsAsync();
        await world.Stripe.ReleaseAsync();
        await world.ExecuteAsync("UPDATE leases SET expires_at = clock_timestamp() - interval '1 hour'");

        await rig.RerunAsync(world);
        await Task.Delay(sleep);
        frozen.Signal("CONT");
        var result = await frozen.EndAsync();

        await rig.RerunAsync(world);
        await rig.CompareAsync(world);
        return result;
    }

    private static async Task QuietAsync(JobWorld world)
    {
        // Several looks apart: between two transactions of one item nothing is open either.
        for (var quiet = 0; quiet < 4;)
        {
            await Task.Delay(30);
            quiet = await world.ScalarAsync<bool>(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND usename = @user AND state <> 'idle')",
                new { user = PostgresFixture.JobsLogin })
                ? 0 : quiet + 1;
        }
    }
}
