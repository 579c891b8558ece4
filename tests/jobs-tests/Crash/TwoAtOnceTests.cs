using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>The lease is a courtesy: what holds when it fails is the compare-and-set and the unique keys underneath.</summary>
[Trait("Category", "Proof")]
public sealed class TwoAtOnceTests(PostgresFixture fixture)
{
    // Together, and one a little after the other.
    private static readonly int[] Times = Evidence.Full ? [0, 1, 2, 3, 4, 5] : [0, 3];

    // Each lease has run out the moment it is taken or renewed, so that nobody is kept away.
    private const string UselessLease =
        """
        DO $do$ BEGIN
            IF to_regclass('leases') IS NOT NULL THEN
                CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
                CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
            END IF;
        END $do$
        """;

    private const string LeaseAgain = "DROP TRIGGER IF EXISTS run_out ON leases; DROP FUNCTION IF EXISTS run_out";

    [Theory]
    [MemberData(nameof(Scenarios.Names), MemberType = typeof(Scenarios))]
    public async Task Two_runs_at_once_do_what_one_does(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        await rig.UndisturbedAsync();

        await Evidence.EveryAsync(rig.Job, Trouble.TwoAtOnce, Times, time => rig.InWorldAsync(async world =>
        {
            await world.ExecuteAsync(UselessLease);
            await world.Stripe.ConfigureAsync(new { latency_ms = 5 * time });
            var runs = new List<JobProcess>();
            try
            {
                for (var run = 0; run < rig.Scenario.AtOnce; run++)
                {
                    // From together to well after each other.
                    await Task.Delay(run == 0 ? 0 : 15 * time);
                    runs.Add(rig.Start(world));
                }

                foreach (var run in runs)
                {
                    var result = await run.EndAsync();
                    // On a slow machine one lives to its heartbeat, finds its lease gone and stops: the next run goes on.
                    if (result.ExitCode == 0 || !result.Stdout.Contains("the lease passed to another run", StringComparison.Ordinal))
                        rig.Succeeded(result, "one of two");
                }
            }
            finally
            {
                runs.ForEach(run => run.Dispose());
                await world.Stripe.ConfigureAsync(new { latency_ms = 0 });
            }

            await rig.CompleteAsync(world, new Disturbance(Trouble.TwoAtOnce));
            await world.ExecuteAsync(LeaseAgain);
        }));
    }
}
