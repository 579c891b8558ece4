using Jobs.Runs;
using Jobs.Terminals;
using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Terminals;

/// <summary>Who may activate and end the fallback mode when, and who hears of it. A person's word stands above the machine's.</summary>
public sealed class FallbackModeTests(PostgresFixture fixture)
{
    private static readonly DateTime Later = Morning.AddMinutes(5);
    private readonly FallbackMode _fallback = new("staff@example.test");

    // off, machine, person, or over: a person's whose time has passed. Then what happens, and what it is afterwards.
    [Theory]
    [InlineData("off", "person activates", true, "person", 1)]
    [InlineData("off", "machine activates", true, "machine", 1)]
    [InlineData("off", "person ends", false, "off", 0)]
    [InlineData("off", "machine ends", false, "off", 0)]
    [InlineData("off", "anybody looks", false, "off", 0)]
    [InlineData("machine", "person activates", true, "person", 1)]
    [InlineData("machine", "machine activates", false, "machine", 0)]
    [InlineData("machine", "person ends", true, "off", 1)]
    [InlineData("machine", "machine ends", true, "off", 1)]
    [InlineData("machine", "anybody looks", false, "machine", 0)]
    [InlineData("person", "person activates", false, "person", 0)]
    [InlineData("person", "machine activates", false, "person", 0)]
    [InlineData("person", "person ends", true, "off", 1)]
    [InlineData("person", "machine ends", false, "person", 0)]
    [InlineData("person", "anybody looks", false, "person", 0)]
    [InlineData("over", "person activates", true, "person", 2)]
    [InlineData("over", "machine activates", true, "machine", 2)]
    [InlineData("over", "person ends", false, "off", 1)]
    [InlineData("over", "machine ends", false, "off", 1)]
    [InlineData("over", "anybody looks", true, "off", 1)]
    public async Task Each_change_is_written_and_told_once_and_repeating_it_changes_nothing(
        string before, string happens, bool changes, string after, int told)
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        await BeginAsync(scene, before);
        await scene.World.ExecuteAsync("DELETE FROM notifications; DELETE FROM audit_logs");

        Assert.Equal(changes, (await HappenAsync(scene, happens)).Changed);
        var state = await scene.DoAsync(FallbackMode.ReadAsync);
        Assert.Equal(after, !state.IsActive(Later) ? "off" : state.Automatic ? "machine" : "person");
        Assert.False(state.IsOver(Later));
        Assert.Equal((told, told), (await CountAsync(scene, "notifications"), await CountAsync(scene, "audit_logs")));

        Assert.False((await HappenAsync(scene, happens)).Changed);
        Assert.Equal(state, await scene.DoAsync(FallbackMode.ReadAsync));
        Assert.Equal((told, told), (await CountAsync(scene, "notifications"), await CountAsync(scene, "audit_logs")));
    }

    private async Task BeginAsync(TerminalScene scene, string before)
    {
        if (before != "off")
        {
            await scene.DoAsync(tx => _fallback.ActivateAsync(
                tx, new("zoe", null, Morning), "before", before == "over" ? Later : before == "person" ? Later.AddSeconds(1) : null, before == "machine"));
        }
    }

    private Task<FallbackChange> HappenAsync(TerminalScene scene, string happens) => scene.DoAsync(tx => happens switch
    {
        "person activates" => _fallback.ActivateAsync(tx, new("max", null, Later), "no network", Later.AddHours(2)),
        "machine activates" => _fallback.ActivateAsync(tx, new("process-payment-queue", null, Later), "3 failures in a row", automatic: true),
        "person ends" => _fallback.EndAsync(tx, new("max", null, Later), "all well"),
        "machine ends" => _fallback.EndAsync(tx, new("process-payment-queue", null, Later), "2 successes in a row", onlyAutomatic: true),
        _ => _fallback.EndExpiredAsync(tx, new("a shop", null, Later)),
    });

    private static Task<int> CountAsync(TerminalScene scene, string table) => scene.World.ScalarAsync<int>($"SELECT count(*)::int FROM {table}");

    [Fact]
    public async Task A_person_who_takes_over_what_failures_activated_keeps_its_beginning()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        await BeginAsync(scene, "machine");
        var (_, state) = await HappenAsync(scene, "person activates");

        Assert.Equal(
            (true, false, "no network", "max", Morning, Later.AddHours(2)),
            (state.Active, state.Automatic, state.Reason, state.Actor, state.Since!.Value, state.Until!.Value));
    }

    [Fact]
    public async Task What_is_written_is_what_the_dashboard_reads()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        await HappenAsync(scene, "person activates");
        Assert.Equal(
            """{"actor": "max", "since": "2026-11-20T05:05:00Z", "until": "2026-11-20T07:05:00Z", "active": true, "reason": "no network", "ended_at": null, "ended_by": null, "automatic": false, "end_reason": null}""",
            await scene.World.ScalarAsync<string>("SELECT value::text FROM settings WHERE key = 'payment_fallback_mode'"));
        await HappenAsync(scene, "person ends");
        var row = await scene.World.OneAsync(
            "SELECT value ->> 'active' AS active, value ->> 'ended_by' AS by, value ->> 'end_reason' AS why, value ->> 'ended_at' AS at FROM settings WHERE key = 'payment_fallback_mode'");
        Assert.Equal(("false", "max", "all well", "2026-11-20T05:05:00Z"), ((string)row.active, (string)row.by, (string)row.why, (string)row.at));
        Assert.Equal(
            "fallback.activated max setting, fallback.ended max setting",
            await scene.World.ScalarAsync<string>("SELECT string_agg(concat_ws(' ', action, actor, subject_type, subject_id), ', ' ORDER BY id) FROM audit_logs"));
        Assert.Equal(
            "staff_fallback_on staff_fallback_off", await scene.World.ScalarAsync<string>("SELECT string_agg(kind, ' ' ORDER BY id) FROM notifications"));
    }

    [Fact]
    public async Task One_that_ends_by_itself_ended_when_its_time_was_over()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        await BeginAsync(scene, "person");
        var until = Later.AddSeconds(1);
        Assert.True((await scene.DoAsync(FallbackMode.ReadAsync)).IsActive(until.AddTicks(-10)));
        Assert.False((await scene.DoAsync(FallbackMode.ReadAsync)).IsActive(until));

        var (changed, state) = await scene.DoAsync(tx => _fallback.EndExpiredAsync(tx, new("a shop", null, until.AddHours(9))));
        Assert.Equal((true, until, "zoe", "until"), (changed, state.EndedAt!.Value, state.EndedBy, state.EndReason));
    }

    [Fact]
    public async Task Without_a_staff_address_nobody_is_written_to()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        await scene.DoAsync(tx => new FallbackMode(null).ActivateAsync(tx, new("max", null, Morning), "no network"));
        Assert.Equal((0, 1), (await CountAsync(scene, "notifications"), await CountAsync(scene, "audit_logs")));
    }

    [Fact]
    public async Task Two_who_activate_at_once_are_one_change()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        var changes = await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(() => scene.DoAsync(
            tx => _fallback.ActivateAsync(tx, new(Text(n), null, Morning.AddSeconds(n)), "no network")))));
        Assert.Single(changes, c => c.Changed);
        Assert.Single(changes.Select(c => c.State).Distinct());
        Assert.Equal((1, 1), (await CountAsync(scene, "notifications"), await CountAsync(scene, "audit_logs")));
    }

    [Theory]
    [InlineData("{}", false)]
    [InlineData("""{"active": true}""", true)]
    [InlineData("""{"active": true, "until": "2026-11-20T06:00:00+01:00"}""", false)]
    [InlineData("""{"active": true, "until": "2026-11-20T06:00:01+01:00"}""", true)]
    [InlineData("""{"active": false, "until": "2030-01-01T00:00:00Z", "surprise": 1}""", false)]
    [InlineData("""{"active": "yes"}""", null)]
    [InlineData("""{"active": true, "until": "tomorrow"}""", null)]
    [InlineData("[]", null)]
    public async Task What_people_wrote_by_hand_is_read_or_named(string value, bool? active)
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        await scene.World.ExecuteAsync("INSERT INTO settings (key, value) VALUES ('payment_fallback_mode', @value::jsonb)", new { value });
        if (active is { } expected)
        {
            Assert.Equal(expected, (await scene.DoAsync(FallbackMode.ReadAsync)).IsActive(Morning));
            return;
        }

        var refused = await Assert.ThrowsAsync<OperatorException>(() => scene.DoAsync(FallbackMode.ReadAsync));
        Assert.StartsWith("payment_fallback_mode in settings cannot be read: ", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_queued_payment_is_told_that_it_waits_and_cash_goes_on()
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        await scene.DoAsync(tx => _fallback.ActivateAsync(tx, new("max", null, Morning), "no network", Later));

        Assert.True((await scene.QueueAsync(TerminalScene.Basic())).Fallback);
        Assert.False((await scene.QueueAsync(TerminalScene.Basic(), Later)).Fallback);
        Assert.Equal("2026-000001", (await scene.Payments.RecordAsync(MemberScene.Cash("other", 100, "cash"), MemberScene.At(Morning))).ReceiptNumber);
    }
}
