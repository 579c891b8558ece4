using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Database;

/// <summary>One for all tests of the class.</summary>
public sealed class PoolerOfTests(PostgresFixture fixture) : IAsyncLifetime
{
    internal PgBouncer? Running { get; private set; }

    public string WhyNot { get; private set; } = "pgbouncer is not installed";

    public async ValueTask InitializeAsync()
    {
        var server = await fixture.ServerAsync();
        if (server.Host.StartsWith('/'))
            WhyNot = "the server is on a socket";
        else if (PgBouncer.Program is not null)
            Running = await PgBouncer.StartAsync(server, "transaction");
    }

    public ValueTask DisposeAsync() => Running?.DisposeAsync() ?? ValueTask.CompletedTask;
}

/// <summary>A PgBouncer that gives each transaction another connection stands between the jobs and PostgreSQL.</summary>
[Trait("Category", "Proof")]
public sealed class PoolerTests(PostgresFixture fixture, PoolerOfTests pooler) : IClassFixture<PoolerOfTests>
{
    // Each lease has run out the moment it is taken or renewed, so that nobody is kept away.
    private const string UselessLease =
        """
        CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
        CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
        """;

    [Theory]
    [MemberData(nameof(FaultyRun.NamesOfRuns), MemberType = typeof(FaultyRun))]
    public async Task By_way_of_a_pooler_every_run_ends_as_without_one(string name)
    {
        Assert.SkipWhen(pooler.Running is null, pooler.WhyNot);
        var scenario = Scenarios.Find(name);
        var rig = new CrashRig(fixture, scenario);

        await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, ["a pooler"], _ => rig.InWorldAsync(async world =>
        {
            var direct = Lead(world);
            using var process = rig.Start(world);
            var result = await process.EndAsync();
            Assert.True(result.ExitCode == 0, result.ToString());
            foreach (var (counter, value) in scenario.Outcome)
                Assert.Equal((counter, value), (counter, result.Counter(counter)));

            await rig.RerunAsync(world);
            world.Environment["DATABASE_URL"] = direct;
            await rig.CompareAsync(world);
        }));
    }

    [Theory]
    [MemberData(nameof(FaultyRun.NamesOfMoney), MemberType = typeof(FaultyRun))]
    public async Task Two_runs_at_once_by_way_of_a_pooler_do_what_one_does(string name)
    {
        Assert.SkipWhen(pooler.Running is null, pooler.WhyNot);
        var rig = new CrashRig(fixture, Scenarios.Find(name));

        await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, Enumerable.Range(0, Evidence.Times(1, proof: rig.Scenario.Money ? 6 : 2, endless: 6)), time => rig.InWorldAsync(
        async world =>
        {
            await world.ExecuteAsync(UselessLease);
            Lead(world);
            using var first = rig.Start(world);
            await Task.Delay(15 * time);
            using var second = rig.Start(world);
            foreach (var result in new[] { await first.EndAsync(), await second.EndAsync() })
                Assert.True(result.ExitCode == 0 && result.Json.GetProperty("status").GetString() == "succeeded", result.ToString());

            await rig.RerunAsync(world);
            await rig.CompareAsync(world);
        },
        fresh: true));
    }

    [Theory]
    [MemberData(nameof(FaultyRun.NamesOfMoney), MemberType = typeof(FaultyRun))]
    public async Task Killed_half_way_by_way_of_a_pooler_the_next_run_completes_the_work(string name)
    {
        Assert.SkipWhen(pooler.Running is null, pooler.WhyNot);
        var scenario = Scenarios.Find(name);
        var rig = new CrashRig(fixture, scenario);
        var trips = (await rig.RoundTripsAsync(scenario.MovesMoney())).Where(trip => FaultyRun.IsCommit(trip.Step)).ToList();
        var points = trips.Evenly(Evidence.Times(1, proof: rig.Scenario.Money ? 6 : 1, endless: 6)).SelectMany(trip => Evidence.Full ? new[] { (trip, Phase.Before), (trip, Phase.After) } : [(trip, Phase.After)]);

        await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, points, point => rig.InWorldAsync(async world =>
        {
            await using var proxy = await PostgresProxy.StartAsync("127.0.0.1", pooler.Running.Port);
            proxy.StopAt(point.trip.Step, point.trip.Time, point.Item2);
            using var process = FaultyRun.Start(scenario, world, proxy.Port);
            var end = process.EndAsync();
            await Task.WhenAny(proxy.Reached, end);
            Assert.True(proxy.Reached.IsCompleted, $"never got there: {proxy}");
            process.Kill();
            await end;

            var direct = Lead(world);
            await rig.RerunAsync(world);
            world.Environment["DATABASE_URL"] = direct;
            await rig.CompareAsync(world);
        }));
    }

    /// <returns>The way without it.</returns>
    private string Lead(JobWorld world)
    {
        var direct = world.Environment["DATABASE_URL"]!;
        world.Environment["DATABASE_URL"] = world.Through(pooler.Running!.Port);
        return direct;
    }
}
