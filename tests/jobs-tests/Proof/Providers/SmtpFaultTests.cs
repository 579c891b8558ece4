using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Jobs.Testing;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Mail;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Providers;

/// <summary>
/// Every way in which a mail server can go wrong, at every step of a conversation, for one mail and for all: no mail is delivered twice,
/// none is lost, and `unknown` is only what may have been handed over.
/// </summary>
[Trait("Category", "Proof")]
public sealed class SmtpFaultTests : IDisposable
{
    private const int Mails = 3;
    private const string Password = "very-secret-word";

    private static readonly ThrowawayCertificates Certificates = ThrowawayCertificates.Create();
    private static readonly X509Certificate2 Certificate = X509Certificate2.CreateFromPem(Certificates.ServerPem, Certificates.ServerKeyPem);

    private readonly PostgresFixture _fixture;
    private readonly string _root = Path.GetTempFileName();

    public SmtpFaultTests(PostgresFixture fixture)
    {
        _fixture = fixture;
        File.WriteAllText(_root, Certificates.RootPem);
    }

    public void Dispose() => File.Delete(_root);

    /// <summary>A trouble of the server's; an answer goes with <see cref="SmtpTrouble.Reply"/>.</summary>
    private sealed record Wrong(SmtpTrouble Trouble, string Answer = "")
    {
        public override string ToString() => $"{Trouble} {Answer}".TrimEnd();
    }

    private static readonly Wrong[] Wrongs =
    [
        new(SmtpTrouble.Drop), new(SmtpTrouble.Hang), new(SmtpTrouble.Reply, "451 4.3.0 later"), new(SmtpTrouble.Reply, "554 5.7.1 no"),
        new(SmtpTrouble.Garbage), new(SmtpTrouble.Slow), new(SmtpTrouble.Reply, "421 4.3.2 going down"), new(SmtpTrouble.Reply, "550 5.1.1 nobody here"),
        new(SmtpTrouble.Reply, "354 what is this"),
    ];

    private static readonly SmtpStep[] Steps = Enum.GetValues<SmtpStep>();

    [Fact]
    public Task The_server_goes_wrong_once() => TryAsync(
        from pair in RunEnds.Pairs(Steps.Length, Wrongs)
        let step = Steps[pair.Place - 1]
        // Only the first of what happens once a connection.
        from time in Evidence.Full && IsOfEachMail(step) ? Enumerable.Range(1, Mails) : [1]
        select new SmtpFault(step, pair.Trouble.Trouble, pair.Trouble.Answer, time));

    [Fact]
    public Task The_server_goes_wrong_for_the_whole_run() => TryAsync(
        from pair in RunEnds.Pairs(Steps.Length, Wrongs, shift: 5)
        select new SmtpFault(Steps[pair.Place - 1], pair.Trouble.Trouble, pair.Trouble.Answer, Times: int.MaxValue));

    private static bool IsOfEachMail(SmtpStep step) => step is SmtpStep.Mail or SmtpStep.Rcpt or SmtpStep.Data or SmtpStep.Text or SmtpStep.Dot or SmtpStep.Stored;

    private Task TryAsync(IEnumerable<SmtpFault> faults) => Evidence.EveryAsync(
        "send-notifications", Trouble.ProviderFault, faults.Where(fault => !IsALie(fault)),
        async fault =>
        {
            await using var scene = await SeededAsync();
            scene.Server.Fault(fault);
            using (var process = scene.World.StartPublished("send-notifications", "--output", "json", "--as-of", MailScene.Noon, "--connections", "1"))
                RunEnds.InASentence(await process.EndAsync(RunEnds.Patience), Password, Convert.ToBase64String(Encoding.UTF8.GetBytes($"\0club\0{Password}")));

            // What the other side hung up on, or never sent an answer to, is over for it as well.
            scene.Server.ClearFaults();
            scene.Server.Release();
            // Every quarter of an hour, longer than a mail that was put off waits.
            foreach (var later in new[] { "11:15", "11:30", "11:45" })
                await scene.SucceedAsync($"2026-11-20T{later}:00Z");
            await CheckAsync(scene, fault);
        });

    /// <summary>
    /// A server that keeps a mail and says that it did not is believed: it has not taken the mail over (RFC 5321, 4.2.5), and who delivers it
    /// all the same delivers it twice. 354 is the usual answer to DATA.
    /// </summary>
    private static bool IsALie(SmtpFault fault) =>
        fault is { Step: SmtpStep.Stored, Answer: ['4' or '5', ..] } or { Step: SmtpStep.Data, Answer: ['3', ..] };

    private async Task<MailScene> SeededAsync()
    {
        var scene = await MailScene.SetAsync(_fixture, new SmtpServerOptions { Certificate = Certificate, User = "club", Password = Password });
        scene.World.Environment["SSL_CERT_FILE"] = _root;
        scene.World.Environment["SMTP_URL"] = $"smtp://club:{Password}@localhost:{scene.Server.Port}?timeout=2s";
        await scene.MailAsync();
        await scene.MailAsync();
        await scene.ReminderAsync(await scene.UserAsync("ada"));
        return scene;
    }

    private static async Task CheckAsync(MailScene scene, SmtpFault fault)
    {
        var delivered = scene.Delivered();
        Assert.All(delivered, pair => Assert.True(pair.Value == 1, $"{pair.Key} was delivered {pair.Value} times"));
        var rows = await scene.World.QueryAsync("SELECT id, status, last_error FROM notifications WHERE kind NOT LIKE 'staff%'");
        Assert.Equal(Mails, rows.Count);
        foreach (var row in rows)
        {
            var prefix = string.Create(CultureInfo.InvariantCulture, $"{(long)row.id}.");
            var there = delivered.Keys.Any(id => id.StartsWith(prefix, StringComparison.Ordinal));
            var allowed = (string)row.status switch
            {
                "sent" => there,
                "unknown" => MayBeUnknown(fault),
                "failed" => !there && MayBeRefused(fault),
                _ => false,
            };
            Assert.True(allowed, $"{row.id} is {row.status} ({row.last_error}) and was {(there ? "" : "not ")}delivered\n{string.Join('\n', scene.Server.Said.TakeLast(40))}");
        }

        // A single trouble harms a single mail; and staff know of each that was not delivered, once.
        var harmed = rows.Count(row => (string)row.status != "sent");
        Assert.InRange(harmed, 0, fault.Times == 1 ? 1 : Mails);
        Assert.Equal(harmed, await scene.World.ScalarAsync<long>("SELECT coalesce(sum((payload ->> 'count')::int), 0) FROM notifications WHERE kind = 'staff_undelivered_mails'"));
        Assert.Equal(0, await scene.World.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    /// <summary>The last byte had left, or may have, and no answer to it came that says yes or no.</summary>
    private static bool MayBeUnknown(SmtpFault fault) =>
        fault.Step == SmtpStep.Text
        || (fault.Step is SmtpStep.Dot or SmtpStep.Stored
            && (fault.Trouble is SmtpTrouble.Drop or SmtpTrouble.Hang or SmtpTrouble.Garbage || fault.Answer.StartsWith('3')));

    /// <summary>The server said of this mail that it will never take it.</summary>
    private static bool MayBeRefused(SmtpFault fault) =>
        fault is { Trouble: SmtpTrouble.Reply, Answer: ['5', ..], Step: SmtpStep.Rcpt or SmtpStep.Data or SmtpStep.Text or SmtpStep.Dot };
}
