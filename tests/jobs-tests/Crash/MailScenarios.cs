using System.Globalization;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Mail;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>
/// What was handed over when the run died may have been delivered or not: `unknown`, never sent again by itself. So the end may be
/// another than undisturbed; what must hold is that no mail is delivered twice and none is lost.
/// </summary>
internal static class MailScenarios
{
    private const int Mails = 3;

    /// <summary>One mail after the other, so that one at most is on its way.</summary>
    public static readonly Scenario Outbox = new("send-notifications", "send-notifications", [("sent", Mails)], SeedAsync)
    {
        Args = ["--as-of", MailScene.Noon, "--connections", "1"],
        Outside = world => new SmtpSteps(world, world.The<SmtpServer>(), Mails),
        Runs = 2,
        Open = "EXISTS (SELECT FROM notifications WHERE status IN ('pending', 'sending'))",
        Judge = JudgeAsync,
    };

    private static async Task SeedAsync(JobWorld world)
    {
        var scene = new MailScene(world, world.With(SmtpServer.Start()));
        var ada = await scene.UserAsync("ada");
        await scene.MailAsync(user: ada);
        await scene.MailAsync(user: await scene.UserAsync("bea"));
        await scene.ReminderAsync(ada);
    }

    private static async Task JudgeAsync(JobWorld world, Disturbance? by)
    {
        var delivered = new MailScene(world, world.The<SmtpServer>()).Delivered();
        Assert.All(delivered, pair => Assert.True(pair.Value == 1, $"{pair.Key} was delivered {pair.Value} times"));
        var rows = await world.QueryAsync("SELECT id, status FROM notifications WHERE kind NOT LIKE 'staff%'");
        Assert.Equal(Mails, rows.Count);
        foreach (var row in rows)
        {
            var prefix = string.Create(CultureInfo.InvariantCulture, $"{(long)row.id}.");
            var there = delivered.Keys.Any(id => id.StartsWith(prefix, StringComparison.Ordinal));
            Assert.True((string)row.status is "sent" or "unknown", $"{row.id} is {row.status}");
            Assert.True(there || (string)row.status == "unknown", $"{row.id} is {row.status} and was not delivered");
        }

        var unknown = rows.Count(row => (string)row.status == "unknown");
        var (least, most, more) = Unknown(by);
        Assert.True(unknown >= least && unknown <= most, $"{unknown} are unknown, not {least} to {most}");
        // Staff know of each, once. They may know of one of which a run that was taken for dead learnt the answer after all.
        var told = await world.ScalarAsync<long>("SELECT coalesce(sum((payload ->> 'count')::int), 0) FROM notifications WHERE kind = 'staff_undelivered_mails'");
        Assert.InRange(told, unknown, unknown + more);
    }

    /// <summary>
    /// Of a run that was killed: from the last byte until its end is recorded, of the one mail under way. A run that lives or wakes
    /// learns the answer, perhaps when staff were told already.
    /// </summary>
    private static (int Least, int Most, int LearntLater) Unknown(Disturbance? by) => by switch
    {
        null => (0, Mails, Mails),
        { Trouble: Trouble.KilledAtCall, Step.Step: nameof(SmtpStep.Text) or nameof(SmtpStep.Dot) or nameof(SmtpStep.Stored) } => (1, 1, 0),
        { Trouble: Trouble.KilledAtRoundTrip, Point: { } point } when MayBeUnknown(point) => (0, 1, 0),
        { Trouble: Trouble.Frozen or Trouble.TwoAtOnce } => (0, 0, 1),
        _ => (0, 0, 0),
    };

    /// <summary>Between the moment it is handed over and the moment its end is recorded.</summary>
    private static bool MayBeUnknown(Point point) =>
        (point.Step.Contains("handed_over_at = clock_timestamp()", StringComparison.Ordinal) && point.Phase == Phase.After)
        || (point.Step.Contains("sent_at = CASE", StringComparison.Ordinal) && (point.Phase == Phase.Before || !point.Step.EndsWith("COMMIT", StringComparison.Ordinal)))
        || point.Step.StartsWith("BEGIN", StringComparison.Ordinal);
}
