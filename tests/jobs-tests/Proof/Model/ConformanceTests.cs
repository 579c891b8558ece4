using System.Globalization;
using System.Text;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Model;

/// <summary>
/// The real code walks paths of the model: after every deed the database and the provider must show what the model says. JOBS_PROOF_SEED
/// walks the path of one number alone.
/// </summary>
[Trait("Category", "Proof")]
public sealed class ConformanceTests(PostgresFixture fixture)
{
    private static readonly int? Seed =
        int.TryParse(Environment.GetEnvironmentVariable("JOBS_PROOF_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? seed : null;

    private static readonly int Paths = Evidence.Times(20, proof: 100, endless: 400);
    private static readonly int Deeds = Evidence.Full ? 9 : 6;

    [Fact]
    public Task The_jobs_do_what_the_model_says() =>
        Evidence.EveryAsync("autopayment", Trouble.Model, Seed is { } one ? [one] : Enumerable.Range(1, Paths), WalkAsync);

    /// <summary>What is carried out between its listing and its conclusion is in no listing.</summary>
    [Fact]
    public Task A_matcher_frozen_after_its_listing_does_not_conclude_from_it_when_it_wakes() => WalkAsync(0, 1,
    [
        new(What.RunKilled, JobKind.Autopayment, Call: At.Wire, Outcome: Intention.Succeeded),
        new(What.Pass, On: 24),
        new(What.RunHeld, JobKind.MatchPending, Call: At.Find, After: true),
        new(What.Pass, On: 26),
        new(What.Release, Outcome: Intention.Succeeded),
    ]);

    private async Task WalkAsync(int seed)
    {
        // One in four has a second subscription of the same customer. All that can be done first is done first in some path.
        var subscriptions = seed % 4 == 0 ? 2 : 1;
        var firsts = new Walk(World.Of(subscriptions), null).Possible();
        var first = firsts[(seed - 1) * 7 % firsts.Count];
        await WalkAsync(seed, subscriptions, Walk.Path(seed, subscriptions, first, Deeds));
    }

    private async Task WalkAsync(int seed, int subscriptions, List<Deed> path)
    {
        await using var world = await fixture.WorldAsync();
        await using var real = new RealWalk(world);
        await real.SeedAsync(subscriptions);
        var walk = new Walk(World.Of(subscriptions), null);
        var story = new StringBuilder().Append(CultureInfo.InvariantCulture, $"seed {seed}, {subscriptions} subscription(s)");
        var reordered = false;
        try
        {
            foreach (var deed in path)
            {
                story.Append(CultureInfo.InvariantCulture, $"\n{walk.World.Now,4} h: {deed}");
                // After another order than the path was laid out for, what comes next there may not be possible.
                if (walk.After(deed) is null && reordered)
                    return;
                if (!await real.DoAsync(deed, walk.World))
                    return;
                walk = Agreed(walk, deed, await real.PictureAsync(), ref reordered);
            }

            walk = await SettleAsync(walk, real, story);
            // An application's payment beside ours is two charges for one period, of which one is parked.
            if (!walk.World.Intents.Any(intent => intent.Parked))
                await Truth.CheckAsync(world);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{story}\n{e.Message}", e);
        }

        foreach (var job in path.Where(d => d.What is What.Run or What.RunKilled or What.RunHeld).Select(d => d.Job).Distinct().Where(job => job != JobKind.Autopayment))
            Evidence.Record(RealWalk.NameOf(job), Trouble.Model, 1);
    }

    /// <summary>Nothing goes wrong any more: the jobs run, time passes, until every success is booked or parked and nothing is in flight.</summary>
    private static async Task<Walk> SettleAsync(Walk walk, RealWalk real, StringBuilder story)
    {
        var reordered = false;
        for (var round = 0; ; round++)
        {
            for (var i = 0; i < walk.World.Intents.Length; i++)
            {
                if (walk.After(new(What.BankSays, On: i, Outcome: Intention.Succeeded)) is { } decided)
                {
                    await real.DoAsync(new(What.BankSays, On: i, Outcome: Intention.Succeeded), walk.World);
                    walk = decided;
                }
            }

            story.Append(CultureInfo.InvariantCulture, $"\n{walk.World.Now,4} h: all jobs run undisturbed");
            foreach (var job in new[] { JobKind.MatchPending, JobKind.MatchSuccessful, JobKind.ExpirePayments, JobKind.Autopayment })
            {
                for (var s = 0; s < (job == JobKind.Autopayment ? walk.World.Subscriptions.Length : 1); s++)
                {
                    var deed = new Deed(What.Run, job, s, Outcome: Intention.Succeeded);
                    await real.DoAsync(deed, walk.World);
                    walk = Agreed(walk, deed, await real.PictureAsync(), ref reordered);
                }
            }

            if (Promises.IsSettled(walk.World))
                return walk;
            Assert.True(round < 10, "it is never settled");
            await real.PassAsync(26);
            walk = walk with { World = Moves.Pass(walk.World, 26)! };
        }
    }

    /// <summary>Two successes that one run finds are booked side by side: whichever is first has the period, and the other is parked.</summary>
    private static Walk Agreed(Walk before, Deed deed, string real, ref bool reordered)
    {
        var after = before.After(deed)!;
        if (after.Picture() != real && before.After(deed, newestFirst: true) is { } other && other.Picture() == real)
        {
            reordered = true;
            return other;
        }

        Assert.True(after.Picture() == real, $"the model says:\n{after.Picture()}\nbut it is:\n{real}");
        return after;
    }
}
