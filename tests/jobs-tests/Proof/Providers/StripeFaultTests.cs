using System.Collections.Concurrent;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Providers;

/// <summary>
/// Every way in which Stripe's answer can be lost, late, broken or an error, at every call of every job that calls Stripe: the run ends
/// in a sentence, and the next one leaves what an undisturbed run leaves, the money moved once.
/// </summary>
[Trait("Category", "Proof")]
public sealed class StripeFaultTests(PostgresFixture fixture)
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<string[]>>> Known = new(StringComparer.Ordinal);

    [Theory]
    [MemberData(nameof(Scenarios.NamesOfCallers), MemberType = typeof(Scenarios))]
    public async Task One_call_goes_wrong(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var calls = (await rig.UndisturbedAsync()).ProviderCalls;

        await Evidence.EveryAsync(rig.Job, Trouble.ProviderFault, RunEnds.Pairs(calls, StripeFault.Passing, each: rig.Scenario.Money ? 6 : 3), point => rig.InWorldAsync(async world =>
        {
            await point.Trouble.StrikeAsync(world, new { nth = point.Place });
            await CompleteAsync(rig, world, await RunAsync(rig, world), point.Trouble);
        }));
    }

    [Theory]
    [MemberData(nameof(Scenarios.NamesOfCallers), MemberType = typeof(Scenarios))]
    public async Task The_key_is_refused_at_one_call(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var calls = (await rig.UndisturbedAsync()).ProviderCalls;

        await Evidence.EveryAsync(rig.Job, Trouble.ProviderFault, Refusals(calls), point => rig.InWorldAsync(async world =>
        {
            await point.Trouble.StrikeAsync(world, new { nth = point.Place });
            var run = await RunAsync(rig, world);
            await RefusedAsync(world, run);
            await CompleteAsync(rig, world, run, point.Trouble);
        }));
    }

    private static IEnumerable<(int Place, StripeFault Trouble)> Refusals(int calls) => Evidence.Full
        ? RunEnds.Pairs(calls, StripeFault.Refusing, each: 1)
        : [(1, StripeFault.Refusing[0]), (calls, StripeFault.Refusing[1])];

    [Theory]
    [MemberData(nameof(Scenarios.NamesOfCallers), MemberType = typeof(Scenarios))]
    public async Task All_calls_of_a_kind_go_wrong_for_the_whole_run(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var kinds = await KindsAsync(scenario, rig);
        StripeFault[] atOnce = [.. StripeFault.LastingAtOnce, .. StripeFault.Refusing];
        var points = Evidence.Full
            ? RunEnds.Pairs(kinds.Length, atOnce, shift: scenario.Length, each: 4)
                // Each takes half a minute of waiting.
                .Concat(RunEnds.Pairs(kinds.Length, StripeFault.Lasting, shift: scenario.Length, each: 1))
                .Select(pair => (kinds[pair.Place - 1], pair.Trouble))
            : [(kinds[scenario.Length % kinds.Length], atOnce[scenario.Length % atOnce.Length])];

        await Evidence.EveryAsync(rig.Job, Trouble.ProviderFault, points, point => rig.InWorldAsync(async world =>
        {
            var (kind, fault) = point;
            await fault.StrikeAsync(world, Match(kind));
            var run = await RunAsync(rig, world);
            if (fault.Kind is "status_before:401" or "status_before:403")
                await RefusedAsync(world, run);
            await CompleteAsync(rig, world, run, fault);
        }));
    }

    /// <summary>What lasts longer than five runs must not be taken for the fault of the items, which are parked after five of their own.</summary>
    [Theory]
    [MemberData(nameof(Scenarios.NamesOfCallers), MemberType = typeof(Scenarios))]
    public async Task Six_runs_that_Stripe_lets_down_give_nothing_up(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var kinds = await KindsAsync(scenario, rig);
        StripeFault[] faults =
            [.. StripeFault.Refusing[..2], new("status_before:503", "html", false), new("rate_limit", ShouldRetry: false), new("status_before:404", "html", false)];

        await Evidence.EveryAsync(rig.Job, Trouble.ProviderFault, Evidence.Full ? kinds : kinds[^1..], kind => rig.InWorldAsync(async world =>
        {
            JobResult run = null!;
            for (var n = 0; n < 6; n++)
            {
                await world.Stripe.ClearFaultsAsync();
                await faults[n % faults.Length].StrikeAsync(world, Match(kind));
                run = await RunAsync(rig, world);
            }

            Assert.Equal("", await world.ScalarAsync<string>("SELECT coalesce(string_agg(item || ': ' || last_error, '; '), '') FROM job_item_failures"));
            await CompleteAsync(rig, world, run, faults[0]);
        }));
    }

    /// <summary>Half a dozen seconds of waiting each.</summary>
    public static TheoryData<string> Waiting() => Evidence.Full
        ? Scenarios.NamesOfCallers()
        : [AutopaymentScenarios.Mixed.Name, MatchingScenarios.Pending.Name, MatchingScenarios.Successful.Name];

    /// <summary>The run has less time than the answer takes: it ends in time, and what became of the call is found out later.</summary>
    [Theory]
    [MemberData(nameof(Waiting))]
    public async Task The_answer_comes_later_than_the_run_may_last(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var kinds = await KindsAsync(scenario, rig);
        string[] hangs = ["hang_before", "hang_after"];
        var points = Evidence.Full
            ? from kind in kinds from hang in hangs select (kind, hang)
            : [(kinds[^1], hangs[scenario.Length % 2])];

        await Evidence.EveryAsync(rig.Job, Trouble.ProviderFault, points, point => rig.InWorldAsync(async world =>
        {
            var (kind, hang) = point;
            await new StripeFault(hang).StrikeAsync(world, Match(kind));
            var run = await RunAsync(rig, world, [.. Scenarios.Find(scenario).Args, "--timeout", "2s"]);
            Assert.True(run.ExitCode == 1 && run.Json.GetProperty("error").GetString()!.Contains("(--timeout)", StringComparison.Ordinal), run.ToString());
            await CompleteAsync(rig, world, run, new(hang));
        }));
    }

    /// <summary>80 seconds without an answer, as a client really waits: the charge is sent again under its key.</summary>
    [Theory]
    [InlineData("hang_before")]
    [InlineData("hang_after")]
    public async Task An_answer_that_does_not_come_is_asked_for_again(string hang)
    {
        Assert.SkipUnless(Evidence.Full, "80 s of waiting: make proof");
        var rig = new CrashRig(fixture, AutopaymentScenarios.Mixed);
        await Evidence.EveryAsync(rig.Job, Trouble.ProviderFault, Enumerable.Range(1, 4), charge => rig.InWorldAsync(async world =>
        {
            await world.Stripe.FaultAsync(hang, new { method = "POST", path = "/v1/payment_intents", nth = charge });
            var run = await RunAsync(rig, world);
            Assert.True(run.ExitCode == 0, run.ToString());
            await CompleteAsync(rig, world, run, new(hang));
        }));
    }

    private static async Task<JobResult> RunAsync(CrashRig rig, JobWorld world, params string[] args)
    {
        using var process = args.Length == 0 ? rig.Start(world) : world.StartPublished(rig.Job, ["--output", "json", .. args]);
        var run = await process.EndAsync(RunEnds.Patience);
        Assert.Contains((await world.Stripe.RequestsAsync()).Recent, request => request.Fault is not null);
        RunEnds.InASentence(run, "sk_test_fake");
        return run;
    }

    private static async Task RefusedAsync(JobWorld world, JobResult run)
    {
        Assert.True(run.ExitCode == 1, run.ToString());
        Assert.Contains("STRIPE_SECRET_KEY", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM job_item_failures"));
    }

    private static async Task CompleteAsync(CrashRig rig, JobWorld world, JobResult run, StripeFault fault)
    {
        await world.Stripe.ClearFaultsAsync();
        // An answer saved as a 500 is given again under the same key, also to the next run: that one fails the same way,
        // and the charge is found by the jobs that look for it.
        var stays = fault.Stays && run.ExitCode != 0;
        if (stays)
            await rig.FindAsync(world);
        await rig.RerunAsync(world);
        await ForgetRefusedAttemptsAsync(world);
        await rig.CompareAsync(world, actors: !stays);
    }

    private const string RefusedAttempts = "SELECT id FROM payments WHERE status = 'canceled' AND failure_code = 'provider_unauthorized'";

    /// <summary>An attempt that the provider refused with the key stays on the books, canceled: apart from it the end is the same.</summary>
    private static async Task ForgetRefusedAttemptsAsync(JobWorld world)
    {
        var refused = (await world.QueryAsync(RefusedAttempts)).Select(row => (long)row.id).ToArray();
        if (refused.Length == 0)
            return;
        var ledger = await world.Stripe.LedgerAsync();
        Assert.All(refused, id => Assert.Equal(0, ledger.ForPayment($"{id}").Count));
        await world.ExecuteAsync(
            """
            UPDATE payments AS p SET attempt = p.attempt - (SELECT count(*) FROM payments AS r WHERE r.id = ANY(@refused) AND r.subscription_id = p.subscription_id AND r.id < p.id)
            WHERE p.id <> ALL(@refused);
            DELETE FROM audit_logs WHERE subject_type = 'payment' AND subject_id = ANY(@refused);
            DELETE FROM payments WHERE id = ANY(@refused);
            """,
            new { refused });
    }

    /// <summary>The calls of an undisturbed run, each once: method and path, ids left out.</summary>
    private static Task<string[]> KindsAsync(string scenario, CrashRig rig) => Known.GetOrAdd(scenario, _ => new Lazy<Task<string[]>>(async () =>
    {
        string[] kinds = [];
        await rig.InWorldAsync(async world =>
        {
            await rig.RerunAsync(world);
            kinds = [.. (await world.Stripe.RequestsAsync()).Recent.Select(request => $"{request.Method} {request.Template}").Distinct().Order(StringComparer.Ordinal)];
        });
        Assert.NotEmpty(kinds);
        return kinds;
    })).Value;

    private static object Match(string kind)
    {
        var (method, path) = (kind.Split(' ')[0], kind.Split(' ')[1]);
        return new { method, path };
    }
}
