using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;

namespace Jobs.Tests.Proof.Hostile;

/// <summary>One answer of Stripe's is not what it should be; which, and how, is told by the number of the case.</summary>
[Trait("Category", "Proof")]
public sealed class AnswerTests(PostgresFixture fixture)
{
    private static readonly string[] Finders = ["match-pending-payments", "match-successful-payments"];

    // JOBS_HOSTILE_CASE: one case again.
    private static readonly string? Only = Environment.GetEnvironmentVariable("JOBS_HOSTILE_CASE");

    private sealed record Case(int Call, Distortion Distortion, int Seed)
    {
        public override string ToString() => $"case {Seed}: answer {Call} is {Distortion}";
    }

    [Theory]
    [MemberData(nameof(Scenarios.NamesOfCallers), MemberType = typeof(Scenarios))]
    public async Task A_broken_answer_changes_nothing_and_a_believable_lie_charges_nobody_twice(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var calls = (await rig.UndisturbedAsync()).ProviderCalls;
        await Evidence.EveryAsync(rig.Job, Trouble.HostileInput, Cases(rig.Job, calls), one => rig.InWorldAsync(world => TryAsync(rig, world, one)));
    }

    private static IEnumerable<Case> Cases(string job, int calls)
    {
        var all = from round in Enumerable.Range(0, 2)
                  from call in Enumerable.Range(1, calls)
                  from distortion in Distortion.All.Index()
                  select new Case(call, distortion.Item, (round * 100_000) + (call * 100) + distortion.Index);
        if (Only is not null)
            return all.Where(one => Only == $"{one.Seed}");
        var some = job is "autopayment" or "match-pending-payments" or "match-successful-payments" ? 3 : 1;
        var list = all.ToList();
        return Points.Some(list, Evidence.Times(some, proof: some * 40));
    }

    private static async Task TryAsync(CrashRig rig, JobWorld world, Case one)
    {
        var direct = world.Environment["STRIPE_API_BASE"];
        await using (var relay = new AnswerRelay(world.Stripe.Base, one.Call, body => one.Distortion.Apply(body, new Random(one.Seed))))
        {
            world.Environment["STRIPE_API_BASE"] = relay.Base;
            try
            {
                using var process = rig.Start(world);
                var result = await process.EndAsync(TimeSpan.FromSeconds(100));
                Assert.True(result.ExitCode is 0 or 1, result.ToString());
                Mistake.NothingToHide(result, world.Environment);
                Mistake.OneObject(result);
                Assert.DoesNotContain('\u001b', result.Stdout + result.Stderr);
                Assert.True(result.Stdout.Length + result.Stderr.Length < 200_000, "an answer was written out at full length");
            }
            finally
            {
                world.Environment["STRIPE_API_BASE"] = direct;
            }
        }

        await rig.RerunAsync(world);
        await rig.FindAsync(world);
        if (one.Distortion.Believable)
        {
            // Now, by the clock of the fake as well: what a lie has hidden is found by those that look for it.
            foreach (var finder in Finders)
            {
                var found = await world.RunPublishedAsync(finder);
                Assert.True(found.ExitCode == 0, $"{finder}: {found}");
            }

            await Truth.CheckAsync(world);
        }
        else
        {
            await rig.CompareAsync(world, actors: false);
        }
    }
}
