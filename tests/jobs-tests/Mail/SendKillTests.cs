using System.Globalization;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Crash;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>
/// SIGKILL at every step of a conversation and at every round trip to the database, then runs that nothing hinders: no mail is
/// delivered twice, none is lost, and `unknown` is only what was handed over when the run died.
/// </summary>
[Trait("Category", "Proof")]
public sealed class SendKillTests(PostgresFixture fixture)
{
    private const int Mails = 3;

    [Theory]
    [InlineData(SmtpStep.Greeting)]
    [InlineData(SmtpStep.Ehlo)]
    [InlineData(SmtpStep.Mail)]
    [InlineData(SmtpStep.Rcpt)]
    [InlineData(SmtpStep.Data)]
    [InlineData(SmtpStep.Text)]
    [InlineData(SmtpStep.Dot)]
    [InlineData(SmtpStep.Stored)]
    [InlineData(SmtpStep.Quit)]
    public async Task Killed_at_any_step_of_the_conversation(SmtpStep step)
    {
        await using var scene = await SeededAsync();
        scene.Server.Fault(new SmtpFault(step, SmtpTrouble.Hang));
        using (var run = Start(scene))
        {
            await scene.Server.HeldAsync();
            if (step == SmtpStep.Text)
                // Whatever the server does with the text: the last byte has left.
                await HandedOverAsync(scene);
            run.Kill();
        }

        scene.Server.Release();
        scene.Server.ClearFaults();
        await scene.SucceedAsync();
        await scene.SucceedAsync();
        await CheckAsync(scene, unknown: step is SmtpStep.Text or SmtpStep.Dot or SmtpStep.Stored ? 1 : 0);
    }

    [Fact]
    public async Task Killed_before_or_after_any_round_trip_to_the_database()
    {
        IReadOnlyList<Point> points;
        await using (var scene = await SeededAsync())
        await using (var proxy = await PostgresProxy.StartAsync(scene.World.Server.Host, scene.World.Server.Port))
        {
            using var run = Start(scene, proxy);
            Assert.Equal(0, (await run.EndAsync()).ExitCode);
            await CheckAsync(scene, unknown: 0);
            points = Points.Of(proxy.Log);
        }

        Assert.True(points.Count > 10);
        await Evidence.EveryAsync("send-notifications", Trouble.KilledAtRoundTrip, points, async point =>
        {
            await using var scene = await SeededAsync();
            await using (var proxy = await PostgresProxy.StartAsync(scene.World.Server.Host, scene.World.Server.Port))
            {
                proxy.StopAt(point.Step, point.Time, point.Phase);
                using var run = Start(scene, proxy);
                var end = run.EndAsync();
                await Task.WhenAny(proxy.Reached, end);
                run.Kill();
                await end;
            }

            await scene.SucceedAsync();
            await scene.SucceedAsync();
            // Between the moment it is handed over and the moment its end is recorded: one mail, over the one connection.
            var mayBeUnknown = point is { Step: var step, Phase: var phase }
                && ((step.Contains("handed_over_at = clock_timestamp()", StringComparison.Ordinal) && phase == Phase.After)
                    || (step.Contains("sent_at = CASE", StringComparison.Ordinal) && phase == Phase.Before)
                    || step.StartsWith("BEGIN", StringComparison.Ordinal));
            await CheckAsync(scene, mayBeUnknown ? null : 0);
        });
    }

    [Theory]
    [InlineData(SmtpStep.Mail, "sent")]
    [InlineData(SmtpStep.Dot, "unknown")]
    public async Task Frozen_while_another_run_takes_over_and_woken_again(SmtpStep step, string meanwhile)
    {
        await using var scene = await SeededAsync();
        scene.Server.Fault(new SmtpFault(step, SmtpTrouble.Hang));
        using var frozen = Start(scene);
        await scene.Server.HeldAsync();
        await Task.Delay(200);
        frozen.Signal("STOP");
        scene.Server.ClearFaults();
        await scene.World.ExecuteAsync("UPDATE leases SET expires_at = clock_timestamp() - interval '1 hour'");
        await scene.SucceedAsync();
        Assert.Equal(meanwhile == "sent" ? $"sent {Mails}" : $"sent {Mails - 1}, unknown 1", await scene.OutboxAsync());

        scene.Server.Release();
        frozen.Signal("CONT");
        await frozen.EndAsync();
        await scene.SucceedAsync();
        // It lost the mail before the last byte and let it be; or it learnt the answer after all.
        await CheckAsync(scene, unknown: 0, learntLater: meanwhile == "unknown" ? 1 : 0);
    }

    [Fact]
    public async Task Stopped_by_SIGTERM_in_a_conversation_it_finishes_that_mail_and_no_other()
    {
        await using var scene = await SeededAsync();
        scene.Server.Fault(new SmtpFault(SmtpStep.Rcpt, SmtpTrouble.Hang));
        using var run = Start(scene);
        await scene.Server.HeldAsync();
        run.Signal("TERM");
        await Task.Delay(500);
        scene.Server.Release();
        var result = await run.EndAsync();
        Assert.Equal((1, "interrupted"), (result.ExitCode, result.Json.GetProperty("status").GetString()));
        Assert.Equal($"pending {Mails - 1}, sent 1", await scene.OutboxAsync());
        await scene.SucceedAsync();
        await CheckAsync(scene, unknown: 0);
    }

    private async Task<MailScene> SeededAsync()
    {
        var scene = await MailScene.SetAsync(fixture);
        await scene.MailAsync();
        await scene.MailAsync();
        await scene.ReminderAsync(await scene.UserAsync("ada"));
        return scene;
    }

    private static JobProcess Start(MailScene scene, PostgresProxy? proxy = null)
    {
        var environment = new Dictionary<string, string?>(scene.World.Environment, StringComparer.Ordinal);
        if (proxy is not null)
            environment["DATABASE_URL"] = CrashRig.Through(proxy, scene.World.Server, environment["DATABASE_URL"]!);
        return JobProcess.Start("send-notifications", environment, "--output", "json", "--as-of", MailScene.Noon, "--connections", "1");
    }

    private static async Task HandedOverAsync(MailScene scene)
    {
        while (await scene.World.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE handed_over_at IS NOT NULL AND status = 'sending'") == 0)
            await Task.Delay(10);
        await Task.Delay(100);
    }

    /// <param name="unknown">How many; null: at most one.</param>
    /// <param name="learntLater">Of how many staff were told before the answer came after all.</param>
    private static async Task CheckAsync(MailScene scene, int? unknown, int learntLater = 0)
    {
        var delivered = scene.Delivered();
        Assert.All(delivered, pair => Assert.True(pair.Value == 1, $"{pair.Key} was delivered {pair.Value} times"));
        var rows = await scene.World.QueryAsync("SELECT id, status FROM notifications WHERE kind NOT LIKE 'staff%'");
        foreach (var row in rows)
        {
            var prefix = string.Create(CultureInfo.InvariantCulture, $"{(long)row.id}.");
            var there = delivered.Keys.Any(id => id.StartsWith(prefix, StringComparison.Ordinal));
            Assert.True((string)row.status is "sent" or "unknown", $"{row.id} is {row.status}");
            Assert.True(there || (string)row.status == "unknown", $"{row.id} is {row.status} and was not delivered");
        }

        var found = rows.Count(row => (string)row.status == "unknown");
        Assert.True(unknown is null ? found <= 1 : found == unknown, $"{found} are unknown, not {unknown}");
        // Staff know of each, once.
        Assert.Equal(found + learntLater, await scene.World.ScalarAsync<long>("SELECT coalesce(sum((payload ->> 'count')::int), 0) FROM notifications WHERE kind = 'staff_undelivered_mails'"));
        Assert.Equal(0, await scene.World.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }
}
