using System.Net;
using System.Net.Sockets;
using Jobs.Testing;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

public sealed class DatabaseMistakeTests(PostgresFixture fixture, SharedWorld shared) : IClassFixture<SharedWorld>
{
    private const string Job = "expire-subscriptions";

    [Theory]
    [InlineData("postgresql://u:p%40ss%2Fword@127.0.0.1:1/none")]
    [InlineData("postgresql://u:p%40ss%2Fword@127.0.0.1:1,127.0.0.1:2/none")]
    [InlineData("postgresql://u:p%40ss%2Fword@no-such-host.invalid/none")]
    [InlineData("postgresql://u:p%40ss%2Fword@/none?host=/nowhere")]
    public async Task An_unreachable_server_is_named_within_seconds(string url)
    {
        var sentence = await Mistake.SentenceAsync(Job, shared.With(("DATABASE_URL", url)));
        Assert.Matches(@"^the database cannot be reached \(.+\); check host and port in DATABASE_URL and that PostgreSQL is running$", sentence);
    }

    [Fact]
    public async Task A_wrong_password_is_named_as_such()
    {
        var url = shared.World.Server.UrlFor(shared.World.Database, PostgresFixture.JobsLogin, "not-the-password");
        var sentence = await Mistake.InBothFormsAsync(Job, shared.With(("DATABASE_URL", url)));
        Assert.Equal(
            $"the database refused the login (password authentication failed for user \"{PostgresFixture.JobsLogin}\"); check user and password in DATABASE_URL",
            sentence);
    }

    [Fact]
    public async Task An_unknown_database_is_named()
    {
        var url = shared.World.Server.UrlFor("nobody_made_me", PostgresFixture.JobsLogin, PostgresFixture.JobsPassword);
        Assert.Equal(
            "database \"nobody_made_me\" does not exist; create it, or correct the name in DATABASE_URL",
            await Mistake.InBothFormsAsync(Job, shared.With(("DATABASE_URL", url))));
    }

    [Fact]
    public async Task Tls_that_the_server_does_not_offer_is_named()
    {
        var url = shared.World.Environment["DATABASE_URL"] + "?sslmode=require";
        var sentence = await Mistake.SentenceAsync(Job, shared.With(("DATABASE_URL", url)));
        Assert.StartsWith("the database connection could not be encrypted as DATABASE_URL asks (", sentence, StringComparison.Ordinal);
        Assert.EndsWith("check its sslmode, or turn TLS on at the server", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_without_tables_asks_for_migrate()
    {
        var empty = await shared.World.Server.CreateDatabaseAsync();
        var url = shared.World.Server.UrlFor(empty, PostgresFixture.JobsLogin, PostgresFixture.JobsPassword);
        var sentence = await Mistake.InBothFormsAsync(Job, shared.With(("DATABASE_URL", url)));
        Assert.Matches("^the database lacks tables of this version \\(relation \"[a-z_]+\" does not exist\\); run the job `migrate` first$", sentence);
        await shared.World.Server.DropDatabaseAsync(empty);
    }

    [Fact]
    public async Task A_database_of_an_older_version_asks_for_migrate()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync("DELETE FROM schemaversions WHERE scriptname = (SELECT max(scriptname) FROM schemaversions)");
        Assert.Equal(
            "the database lacks migrations of this version; run the job `migrate` first",
            await Mistake.InBothFormsAsync(Job, world.Environment));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Fact]
    public async Task A_role_without_rights_is_told_which_script_gives_them()
    {
        await shared.World.ExecuteAsync(
            """
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobs_test_stranger') THEN
                    CREATE ROLE jobs_test_stranger LOGIN PASSWORD 'p@ss/word';
                END IF;
            END $$
            """);
        var url = shared.World.Server.UrlFor(shared.World.Database, "jobs_test_stranger", PostgresFixture.JobsPassword);
        var sentence = await Mistake.InBothFormsAsync(Job, shared.With(("DATABASE_URL", url)));
        Assert.StartsWith("the database role may not do this (permission denied for table ", sentence, StringComparison.Ordinal);
        Assert.EndsWith("run migrations/grants.sql and log in as a member of the role `jobs`", sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("expire-subscriptions")]
    [InlineData("migrate")]
    public async Task A_read_only_database_is_taken_for_a_standby(string job)
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync($"ALTER DATABASE \"{world.Database}\" SET default_transaction_read_only = on");
        if (job == "migrate")
        {
            world.Environment["DATABASE_URL"] = world.Server.UrlFor(world.Database);
            await world.ExecuteAsync("SET default_transaction_read_only = off; DELETE FROM schemaversions WHERE scriptname = (SELECT max(scriptname) FROM schemaversions)");
        }

        using var process = JobInProcess.Start(job, world.Environment, "--output", "json");
        var result = await process.EndAsync();
        Assert.Equal(1, result.ExitCode);
        Mistake.NothingToHide(result, world.Environment);
        Assert.Equal(
            "the database is read-only (a standby?); point DATABASE_URL at the primary server",
            Mistake.OneObject(result).GetProperty("error").GetString());
    }

    [Fact]
    public async Task A_database_that_takes_no_more_connections_says_so()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync($"ALTER DATABASE \"{world.Database}\" CONNECTION LIMIT 0");
        Assert.Equal(
            "the database has no free connection; raise max_connections or run fewer jobs at once",
            await Mistake.SentenceAsync(Job, world.Environment));
    }

    [Fact]
    public async Task A_server_that_accepts_and_never_answers_is_given_up_at_the_timeout()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start(100);
        var url = $"postgresql://u:p%40ss%2Fword@127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/none";

        var sentence = await Mistake.InBothFormsAsync(Job, shared.With(("DATABASE_URL", url)), "--timeout", "1s");

        Assert.Equal("stopped after 1s (--timeout); what was done is kept, the next run goes on", sentence);
    }

    [Fact]
    public async Task A_server_that_speaks_something_else_is_not_a_stack_trace()
    {
        using var web = new TcpListener(IPAddress.Loopback, 0);
        web.Start(100);
        var answering = Task.Run(async () =>
        {
            while (true)
            {
                using var client = await web.AcceptTcpClientAsync();
                await client.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            }
        });
        var url = $"postgresql://u:p%40ss%2Fword@127.0.0.1:{((IPEndPoint)web.LocalEndpoint).Port}/none";

        var sentence = await Mistake.SentenceAsync(Job, shared.With(("DATABASE_URL", url)));

        Assert.StartsWith("the database ", sentence, StringComparison.Ordinal);
        web.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => answering);
    }
}

public sealed class DatabaseTlsMistakeTests(SharedWorld shared) : IClassFixture<SharedWorld>
{
    [Fact]
    public async Task Another_root_certificate_is_refused_and_the_right_one_accepted()
    {
        await using var server = await ThrowawayPostgres.StartAsync(
            new ThrowawayOptions { Tls = true, OwnServer = true }, TestContext.Current.CancellationToken);
        Assert.SkipUnless(server.Supports(Capability.Tls), server.WhyNot(Capability.Tls) ?? "");
        var database = await server.CreateDatabaseAsync(cancellationToken: TestContext.Current.CancellationToken);
        var other = Path.GetTempFileName();
        await File.WriteAllTextAsync(other, ThrowawayCertificates.Create().RootPem, TestContext.Current.CancellationToken);
        var plain = server.UrlFor(database).Split('?')[0];

        var sentence = await Mistake.SentenceAsync(
            "expire-subscriptions", shared.With(("DATABASE_URL", $"{plain}?sslmode=verify-full&sslrootcert={Uri.EscapeDataString(other)}")));
        Assert.StartsWith("the database's TLS certificate was refused (", sentence, StringComparison.Ordinal);
        Assert.EndsWith("check sslmode and sslrootcert in DATABASE_URL", sentence, StringComparison.Ordinal);

        var missing = await Mistake.SentenceAsync(
            "expire-subscriptions", shared.With(("DATABASE_URL", $"{plain}?sslmode=verify-full&sslrootcert=%2Fnowhere%2Froot.crt")));
        Assert.Contains("/nowhere/root.crt", missing, StringComparison.Ordinal);

        var good = shared.With(("DATABASE_URL", $"{plain}?sslmode=verify-full&sslrootcert={Uri.EscapeDataString(server.RootCertificatePath!)}"));
        using var migrate = JobInProcess.Start("migrate", good);
        var migrated = await migrate.EndAsync();
        Assert.True(migrated.ExitCode == 0, migrated.ToString());
        using var run = JobInProcess.Start("expire-subscriptions", good);
        Assert.Equal(0, (await run.EndAsync()).ExitCode);
        File.Delete(other);
    }
}
