using Jobs.Billing;
using Jobs.Runs;
using Jobs.Terminals;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Terminals;

/// <summary>Failures in a row activate the fallback mode, successes in a row end what they activated.</summary>
public sealed class ProviderHealthTests(PostgresFixture fixture)
{
    private static readonly FallbackMode Fallback = new("staff@example.test");
    private DateTime _now = Morning;

    // f: a failure, s: a success, A: a person activates, E: a person ends; then what it is: "-" off, "m" the machine's, "p" a person's.
    [Theory]
    [InlineData("ff", "--")]
    [InlineData("fff", "--m")]
    [InlineData("ffsff", "-----")]
    [InlineData("ffsfff", "-----m")]
    [InlineData("fffs", "--mm")]
    [InlineData("fffss", "--mm-")]
    [InlineData("fffsfss", "--mmmm-")]
    [InlineData("fffssfff", "--mm---m")]
    [InlineData("Afffss", "pppppp")]
    [InlineData("AfffE", "pppp-")]
    [InlineData("fffAss", "--mppp")]
    // Whoever ends it wants it tried again: the failures before do not count.
    [InlineData("fffEff", "--m---")]
    [InlineData("fffEfff", "--m---m")]
    [InlineData("AffffEff", "ppppp---")]
    [InlineData("ffEf", "---m")]
    public async Task Three_failures_activate_it_and_two_successes_end_it(string happens, string modes)
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        var health = new ProviderHealth(Fallback);
        var seen = "";
        foreach (var step in happens)
        {
            seen += await StepAsync(scene, health, step);
        }

        Assert.Equal(modes, seen);
    }

    private async Task<char> StepAsync(TerminalScene scene, ProviderHealth health, char step)
    {
        _now = _now.AddSeconds(1);
        var origin = new Origin(step is 'A' or 'E' ? "max" : "process-payment-queue", null, _now);
        var state = await scene.DoAsync(async tx => step switch
        {
            'f' => (await health.FailedAsync(tx, origin, "503")).Fallback.State,
            's' => (await health.WorkedAsync(tx, origin)).Fallback.State,
            'A' => (await Fallback.ActivateAsync(tx, origin, "no network")).State,
            _ => (await Fallback.EndAsync(tx, origin)).State,
        });
        Assert.Equal(state, await scene.DoAsync(FallbackMode.ReadAsync));
        return !state.IsActive(_now) ? '-' : state.Automatic ? 'm' : 'p';
    }

    [Fact]
    public async Task The_thresholds_are_settings()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        var health = ProviderHealth.From(
            new Settings(new Dictionary<string, string>(StringComparer.Ordinal) { ["JOBS_TERMINAL_FAILURES"] = "1", ["JOBS_TERMINAL_RECOVERIES"] = "1" }), Fallback);
        Assert.Equal("m-", $"{await StepAsync(scene, health, 'f')}{await StepAsync(scene, health, 's')}");
    }

    [Fact]
    public async Task Its_reason_says_how_often_and_why_and_its_change_is_reported_once()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        var health = new ProviderHealth(Fallback, failures: 2);
        var origin = new Origin("process-payment-queue", null, Morning);
        Assert.Equal((1, false), Of(await scene.DoAsync(tx => health.FailedAsync(tx, origin, "no answer"))));
        var second = await scene.DoAsync(tx => health.FailedAsync(tx, origin, new string('x', 500)));
        Assert.Equal((2, true), Of(second));
        Assert.Equal("2 failures in a row: " + new string('x', 200), second.Fallback.State.Reason);
        Assert.Equal((3, false), Of(await scene.DoAsync(tx => health.FailedAsync(tx, origin, "no answer"))));
        Assert.Equal(1, await scene.World.MailsAsync("staff_fallback_on"));

        static (int, bool) Of(HealthChange change) => (change.Failures, change.Fallback.Changed);
    }

    [Fact]
    public async Task While_all_is_well_nothing_is_written()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        var health = new ProviderHealth(Fallback);
        await StepAsync(scene, health, 's');
        Assert.Equal(0, await scene.World.ScalarAsync<long>("SELECT count(*) FROM settings"));
        await StepAsync(scene, health, 'f');
        await StepAsync(scene, health, 's');
        var version = await scene.World.ScalarAsync<string>("SELECT xmin::text FROM settings WHERE key = 'payment_terminal_health'");
        await StepAsync(scene, health, 's');
        Assert.Equal(version, await scene.World.ScalarAsync<string>("SELECT xmin::text FROM settings WHERE key = 'payment_terminal_health'"));
    }
}
