using Jobs.Runs;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Database;

/// <summary>Every kind of bad luck with PostgreSQL at every round trip, and the run that follows.</summary>
[Trait("Category", "Proof")]
public sealed class FaultMatrixTests(PostgresFixture fixture)
{
    /// <param name="Name">For the failure messages.</param>
    /// <param name="Fault">What goes wrong.</param>
    /// <param name="At">At which steps it can.</param>
    /// <param name="Passes">A repetition escapes it: the same run succeeds.</param>
    private sealed record Kind(string Name, PostgresFault Fault, Func<string, bool> At, bool Passes = true);

    private static readonly Kind[] Kinds =
    [
        new("cut before", PostgresFault.CutBefore, _ => true),
        new("cut after", PostgresFault.CutAfter, _ => true),
        new("cut within the answer", PostgresFault.CutWithin, _ => true),
        new("all cut before", PostgresFault.CutBefore with { Everywhere = true }, _ => true),
        new("all cut after", PostgresFault.CutAfter with { Everywhere = true }, _ => true),
        new("deadlock", PostgresFault.Error("40P01"), FaultyRun.IsStatement),
        new("serialization failure", PostgresFault.Error("40001"), FaultyRun.IsStatement),
        new("lock time-out", PostgresFault.Error("55P03"), FaultyRun.IsStatement),
        new("statement time-out", PostgresFault.Error("57014"), FaultyRun.IsStatement, Passes: false),
        new("disk full", PostgresFault.Error("53100"), FaultyRun.IsStatement, Passes: false),
        new("shut down before", PostgresFault.Error("57P01"), _ => true),
        new("shut down after", PostgresFault.Error("57P01", Phase.After), _ => true),
        new("too many connections", PostgresFault.Error("53300"), step => step == "connect"),
        new("starting up", PostgresFault.Error("57P03"), step => step == "connect"),
    ];

    [Theory]
    [MemberData(nameof(FaultyRun.NamesOfMatrix), MemberType = typeof(FaultyRun))]
    public async Task Whatever_goes_wrong_at_a_round_trip_the_end_is_that_of_an_undisturbed_run(string name)
    {
        var scenario = Scenarios.Find(name);
        var rig = new CrashRig(fixture, scenario);
        var points = await PointsAsync(rig, scenario);

        await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, points, point => rig.InWorldAsync(async world =>
        {
            var result = await FaultyRun.RunAsync(scenario, world, point);
            if (Kinds.Single(kind => kind.Name == point.Kind).Passes)
                Assert.True(result.ExitCode == 0, $"not repeated: {result}");
            if (point.Kind == "disk full" && result.ExitCode != 0)
            {
                Assert.Contains("the database server's disk is full; free space on it, then run again", FaultyRun.Error(result), StringComparison.Ordinal);
                if (scenario.Job != "migrate")
                    Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM job_item_failures"));
            }

            await rig.RerunAsync(world);
            await rig.CompareAsync(world);
        }));
    }

    /// <summary>The same step fails each time it is tried again: the patience has an end.</summary>
    [Theory]
    [InlineData("autopayment: due renewals")]
    [InlineData("autopayment: unanswered attempts")]
    [InlineData("match-pending-payments")]
    [InlineData("match-successful-payments")]
    public async Task What_never_passes_ends_the_run_with_one_clear_line(string name)
    {
        var scenario = Scenarios.Find(name);
        var rig = new CrashRig(fixture, scenario);
        var steps = (await rig.RoundTripsAsync(repetitions: false)).Where(trip => FaultyRun.IsStatement(trip.Step)).ToList();
        var points = Evidence.Full
            ? steps.Evenly(Evidence.Times(0, proof: 12)).Index().Select(trip => Lasting(trip.Item, new[] { "40P01", "55P03", "57P01" }[trip.Index % 3]))
            : steps.Evenly(1).Select(trip => Lasting(trip, "40P01"));

        await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, points, point => rig.InWorldAsync(async world =>
        {
            var result = await FaultyRun.RunAsync(scenario, world, point);
            Assert.True(result.ExitCode == 1, result.ToString());
            Assert.Contains("the database ", FaultyRun.Error(result), StringComparison.Ordinal);

            await rig.RerunAsync(world);
            await rig.CompareAsync(world);
        }));

        static FaultPoint Lasting((string Step, int Time) trip, string state) =>
            new($"{state} each time", trip.Step, trip.Time, PostgresFault.Error(state) with { Lasts = true });
    }

    private static async Task<IReadOnlyList<FaultPoint>> PointsAsync(CrashRig rig, Scenario scenario)
    {
        var trips = await rig.RoundTripsAsync(repetitions: scenario.MovesMoney() || !Evidence.Full);
        if (Evidence.Endless)
            return [.. from kind in Kinds from trip in trips where kind.At(trip.Step) select Point(kind, trip)];
        if (Evidence.Full)
        {
            // Each place meets some kinds, the next place the next ones, until all have been met many times.
            var each = scenario.MovesMoney() ? 4 : 2;
            return
            [
                .. from trip in trips.Index()
                   let kinds = Kinds.Where(kind => kind.At(trip.Item.Step)).ToList()
                   from n in Enumerable.Range(0, Math.Min(each, kinds.Count))
                   select Point(kinds[((trip.Index * each) + n) % kinds.Count], trip.Item),
            ];
        }

        // Each kind once a money job, every other one in each of the other jobs, at places that lie evenly in its run; what is lost after the
        // fact is most telling at a COMMIT.
        var ofJob = Scenarios.Names().Select(row => Scenarios.Find(row.Data)).Where(s => s.Job == scenario.Job).ToList();
        var share = ofJob.FindIndex(s => s.Name == scenario.Name);
        var turn = Catalogue.Jobs.Index().First(job => job.Item.Name == scenario.Job).Index;
        return
        [
            .. Kinds.Index().Where(kind => scenario.MovesMoney() || ((kind.Index + turn) % 2 == 0 && kind.Index % ofJob.Count == share)).Select(kind =>
            {
                var places = trips.Where(trip => kind.Item.At(trip.Step) && (kind.Item.Fault.Phase == Phase.Before || FaultyRun.IsCommit(trip.Step))).ToList();
                return Point(kind.Item, places[((2 * kind.Index) + 1) * places.Count / (2 * Kinds.Length)]);
            }),
        ];
    }

    private static FaultPoint Point(Kind kind, (string Step, int Time) trip) => new(kind.Name, trip.Step, trip.Time, kind.Fault);
}
