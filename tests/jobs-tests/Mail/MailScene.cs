using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>A world with a mail server of its own, and mails to be in its outbox.</summary>
internal sealed class MailScene : IAsyncDisposable
{
    /// <summary>12:00 in Paris.</summary>
    public const string Noon = "2026-11-20T11:00:00Z";

    public MailScene(JobWorld world, SmtpServer server)
    {
        (World, Server) = (world, server);
        World.Environment["SMTP_URL"] = $"smtp://127.0.0.1:{Server.Port}?timeout=10s";
        World.Environment["MAIL_FROM"] = "Club <office@example.test>";
    }

    public JobWorld World { get; }
    public SmtpServer Server { get; }

    public static async Task<MailScene> SetAsync(PostgresFixture fixture, SmtpServerOptions? options = null) =>
        new(await fixture.WorldAsync(), SmtpServer.Start(options));

    public Task<long> MailAsync(
        string to = "ada@example.test", string subject = "Hello", string text = "How are you?", string kind = "receipt", long? user = null) =>
        World.ScalarAsync<long>(
            """
            INSERT INTO notifications (kind, user_id, to_address, payload, created_at)
            VALUES (@kind, @user, @to, jsonb_build_object('subject', @subject, 'text', @text), '2026-11-20T10:00:00Z') RETURNING id
            """,
            new { kind, user, to, subject, text });

    public Task<long> ReminderAsync(long? user, string to = "ada@example.test") => MailAsync(to, kind: "renewal_reminder", user: user);

    public Task<long> UserAsync(string name) =>
        World.ScalarAsync<long>("INSERT INTO users (email, name) VALUES (@name || '@example.test', @name) RETURNING id", new { name });

    public Task<JobResult> RunAsync(params string[] args) => RunAtAsync(Noon, args);

    public Task<JobResult> RunAtAsync(string asOf, params string[] args) => _ownProcess
        ? World.RunPublishedAsync("send-notifications", ["--as-of", asOf, .. args])
        : World.RunAsync("send-notifications", ["--as-of", asOf, .. args]);

    private bool _ownProcess;

    /// <summary>The jobs believe this certificate. They run as processes of their own, because SSL_CERT_FILE is read once a process.</summary>
    public void Trust(string file)
    {
        World.Environment["SSL_CERT_FILE"] = file;
        _ownProcess = true;
    }

    /// <summary>A run that nothing hinders.</summary>
    public async Task<JobResult> SucceedAsync(string asOf = Noon, params string[] args)
    {
        var result = await RunAtAsync(asOf, args);
        Assert.True(result.ExitCode == 0, result.ToString());
        return result;
    }

    public Task<string> StatusAsync(long id) => World.ScalarAsync<string>("SELECT status FROM notifications WHERE id = @id", new { id });

    public async Task<dynamic> RowAsync(long id) => (await World.QueryAsync("SELECT * FROM notifications WHERE id = @id", new { id }))[0];

    /// <summary>How many mails of each status the outbox holds, those to staff aside: <c>sent 2, unknown 1</c>.</summary>
    public Task<string> OutboxAsync() => World.ScalarAsync<string>(
        """
        SELECT coalesce(string_agg(status || ' ' || n, ', ' ORDER BY status), '')
        FROM (SELECT status, count(*) AS n FROM notifications WHERE kind NOT LIKE 'staff%' GROUP BY status) AS s
        """);

    /// <summary>How often each Message-ID was delivered.</summary>
    public IReadOnlyDictionary<string, int> Delivered() => Server.Mails.GroupBy(m => m.MessageId).ToDictionary(g => g.Key, g => g.Count());

    public async ValueTask DisposeAsync()
    {
        await World.DisposeAsync();
        await Server.DisposeAsync();
    }
}
