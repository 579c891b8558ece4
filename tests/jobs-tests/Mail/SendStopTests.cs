using System.Globalization;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>Asleep or stopped in a conversation, step by step; killed at any step: <see cref="Crash.MailScenarios"/>.</summary>
[Trait("Category", "Proof")]
public sealed class SendStopTests(PostgresFixture fixture)
{
    private const int Mails = 3;

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
        await CheckAsync(scene, learntLater: meanwhile == "unknown" ? 1 : 0);
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
        await CheckAsync(scene);
    }

    private async Task<MailScene> SeededAsync()
    {
        var scene = await MailScene.SetAsync(fixture);
        await scene.MailAsync();
        await scene.MailAsync();
        await scene.ReminderAsync(await scene.UserAsync("ada"));
        return scene;
    }

    private static JobProcess Start(MailScene scene) =>
        scene.World.StartPublished("send-notifications", "--output", "json", "--as-of", MailScene.Noon, "--connections", "1");

    /// <param name="learntLater">Of how many staff were told before the answer came after all.</param>
    private static async Task CheckAsync(MailScene scene, int learntLater = 0)
    {
        var delivered = scene.Delivered();
        Assert.All(delivered, pair => Assert.True(pair.Value == 1, $"{pair.Key} was delivered {pair.Value} times"));
        foreach (var row in await scene.World.QueryAsync("SELECT id, status FROM notifications WHERE kind NOT LIKE 'staff%'"))
        {
            var prefix = string.Create(CultureInfo.InvariantCulture, $"{(long)row.id}.");
            Assert.True((string)row.status == "sent" && delivered.Keys.Any(id => id.StartsWith(prefix, StringComparison.Ordinal)), $"{row.id} is {row.status}");
        }

        // Staff know of it, once.
        Assert.Equal(learntLater, await scene.World.ScalarAsync<long>("SELECT coalesce(sum((payload ->> 'count')::int), 0) FROM notifications WHERE kind = 'staff_undelivered_mails'"));
        Assert.Equal(0, await scene.World.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }
}
