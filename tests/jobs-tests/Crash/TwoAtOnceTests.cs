using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>The lease is a courtesy: what holds when it fails is the compare-and-set and the unique keys underneath.</summary>
[Trait("Category", "Proof")]
public sealed class TwoAtOnceTests(PostgresFixture fixture)
{
    private const int Times = 6;

    // Each lease has run out the moment it is taken or renewed, so that nobody is kept away.
    private const string UselessLease =
        """
        CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
        CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
        """;

    [Theory]
    [MemberData(nameof(Scenarios.Names), MemberType = typeof(Scenarios))]
    public async Task Two_runs_at_once_do_what_one_does(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        await rig.UndisturbedAsync();

        await Evidence.EveryAsync(rig.Job, Trouble.TwoAtOnce, Enumerable.Range(0, Times), time => rig.InWorldAsync(
        async world =>
        {
            await world.ExecuteAsync(UselessLease);
            await world.Stripe.ConfigureAsync(new { latency_ms = 5 * time });
            try
            {
                using var first = rig.Start(world);
                // From together to well after each other.
                await Task.Delay(15 * time);
                using var second = rig.Start(world);
                foreach (var result in new[] { await first.EndAsync(), await second.EndAsync() })
                    Assert.True(result.ExitCode == 0 && result.Json.GetProperty("status").GetString() == "succeeded", result.ToString());
            }
            finally
            {
                await world.Stripe.ConfigureAsync(new { latency_ms = 0 });
            }

            await rig.RerunAsync(world);
            await rig.CompareAsync(world);
        },
        reuse: false));
    }
}
