using Jobs.Tests.Proof;
using Jobs.Tests.Proof.Model;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>
/// The part of the proof that every change goes through: the published programs that move money or write mail, killed at their first and
/// last commit and call. `make proof` kills them at every step.
/// </summary>
public sealed class SmokeTests(PostgresFixture fixture)
{
    /// <summary>autopayment, match-pending-payments, record-payment, process-payment-queue and send-notifications.</summary>
    public static TheoryData<string> Money =>
    [
        AutopaymentScenarios.Mixed.Name, MatchingScenarios.Pending.Name, MemberScenarios.SubscriptionPaid.Name, CounterScenarios.Queue.Name, MailScenarios.Outbox.Name,
    ];

    [Theory]
    [MemberData(nameof(Money))]
    public async Task Killed_at_its_first_or_last_commit_or_call_the_next_run_completes_the_work(string scenario)
    {
        Assert.SkipUnless(JobProcess.Published, "a part of the tests starts the built jobs; make test, without ARGS, kills the published ones");
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var undisturbed = await rig.UndisturbedAsync();
        var commits = Ends([.. undisturbed.Points.Where(point => Points.EndsTransaction(point.Step) && point.Step != "connect")]);
        var calls = Ends(undisturbed.Steps);
        Assert.NotEmpty(commits);

        await Evidence.EveryAsync(rig.Job, Trouble.KilledAtRoundTrip, commits, point => rig.InWorldAsync(async world =>
        {
            await rig.KillAtRoundTripAsync(world, point);
            await rig.CompleteAsync(world, new Disturbance(Trouble.KilledAtRoundTrip, Point: point));
        }));
        await Evidence.EveryAsync(rig.Job, Trouble.KilledAtCall, calls, step => rig.InWorldAsync(async world =>
        {
            await rig.KillAtStepAsync(world, step);
            await rig.CompleteAsync(world, new Disturbance(Trouble.KilledAtCall, Step: step));
        }));
    }

    /// <summary>The first six and the last six.</summary>
    private static List<T> Ends<T>(IReadOnlyList<T> all) => [.. all.Take(6).Union(all.TakeLast(6))];

    [Fact]
    public void No_state_of_the_model_within_eight_moves_breaks_a_promise()
    {
        var exploration = Explorer.Explore(new Scope(), Variant.Right, depth: 8);
        Assert.True(exploration.Story is null, exploration.Story);
    }

    /// <summary>The checker can fail: the gravest mistake of all is found within these moves.</summary>
    [Fact]
    public void A_key_made_anew_for_each_send_is_found_by_the_model() =>
        Assert.NotNull(Explorer.Explore(new Scope(), Variant.NewKeyForEachSend, depth: 10).Story);
}
