using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Jobs.Testing;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Runs;

public sealed class StopTests(PostgresFixture fixture)
{
    private const string Job = "expire-subscriptions";

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_signal_ends_the_run_as_interrupted_within_ten_seconds(string signal)
    {
        await using var world = await fixture.WorldAsync();
        await world.SubscriptionsAsync(10);
        await using var blocker = await LeaseTests.BlockAsync(world);
        using var run = world.StartPublished(Job, "--output", "json");
        await world.UntilAsync("SELECT EXISTS (SELECT FROM leases)");
        var clock = Stopwatch.StartNew();

        run.Signal(signal);
        var result = await run.EndAsync();

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal(1, result.ExitCode);
        Mistake.NothingToHide(result, world.Environment);
        var json = Mistake.OneObject(result);
        Assert.Equal("interrupted", json.GetProperty("status").GetString());
        Assert.Equal($"stopped by SIG{signal}; what was done is kept, the next run goes on", json.GetProperty("error").GetString());
        Assert.Equal("interrupted", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE job = @Job", new { Job }));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
        await blocker.DisposeAsync();
        Assert.Equal(10, (await world.RunAsync(Job)).Counter("expired"));
    }

    [Fact]
    public async Task A_charge_under_way_is_finished_before_the_run_ends()
    {
        await using var world = await fixture.WorldAsync();
        var plan = await world.PlanAsync();
        foreach (var name in new[] { "ada", "bob", "eve" })
        {
            await world.SubscriptionAsync(await world.UserAsync(name), plan, DateTime.UtcNow.AddHours(-30));
        }

        await world.Stripe.FaultAsync("hang_before", new { method = "POST", path = "/v1/payment_intents", nth = 1 });
        using var run = world.StartPublished("autopayment", "--output", "json");
        await world.Stripe.HeldAsync();
        run.Signal("TERM");
        await Task.Delay(500, TestContext.Current.CancellationToken);
        await world.Stripe.ReleaseAsync();
        var result = await run.EndAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.Equal("interrupted", result.Json.GetProperty("status").GetString());
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM payments WHERE status = 'pending'"));
        Assert.True((await world.Stripe.LedgerAsync()).MostChargesPerRenewal <= 1);
        await world.Stripe.ClearFaultsAsync();
        Assert.Equal(0, (await world.RunAsync("autopayment")).ExitCode);
        Assert.Equal(3, (await world.Stripe.LedgerAsync()).Count);
    }

    [Fact]
    public async Task A_timeout_ends_long_work_cleanly_as_failed()
    {
        await using var world = await fixture.WorldAsync();
        await using var blocker = await LeaseTests.BlockAsync(world);
        var clock = Stopwatch.StartNew();

        var result = await world.RunAsync(Job, "--timeout", "3s");

        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(15));
        Assert.Equal(
            "stopped after 3s (--timeout); what was done is kept, the next run goes on", Mistake.OneSentenceAmongWarnings(result, world.Environment));
        Assert.Equal("failed", Mistake.OneObject(result).GetProperty("status").GetString());
        Assert.Equal("failed", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE job = @Job", new { Job }));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_signal_is_heard_while_the_database_does_not_answer(string signal)
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start(100);
        var environment = JobWorld.EnvironmentOf($"postgresql://u:p%40ss%2Fword@127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/none");
        using var run = JobProcess.Start(Job, environment, "--output", "json");
        using var accepted = await silent.AcceptSocketAsync(TestContext.Current.CancellationToken);
        var clock = Stopwatch.StartNew();

        run.Signal(signal);
        var result = await run.EndAsync();

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal(1, result.ExitCode);
        Mistake.NothingToHide(result, environment);
        Assert.Equal("interrupted", Mistake.OneObject(result).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_restart_of_the_database_in_mid_run_is_survived()
    {
        // Durable: a commit that was answered must outlive the crash, which the faster settings of the other tests do not promise.
        await using var server = await ThrowawayPostgres.StartAsync(new ThrowawayOptions { OwnServer = true, Durable = true }, TestContext.Current.CancellationToken);
        Assert.SkipUnless(server.Supports(Capability.Restart), server.WhyNot(Capability.Restart) ?? "");
        var (database, environment) = await JobWorld.MigratedAsync(server);
        await server.ExecuteAsync(
            database,
            """
            INSERT INTO users (email) VALUES ('a@example.test');
            INSERT INTO plans (code, amount_minor) VALUES ('monthly', 1000);
            INSERT INTO subscriptions (user_id, plan_id, status, ended_at) SELECT 1, 1, 'active', now() - interval '10 days' FROM generate_series(1, 3000);
            -- Slows the work down enough to be interrupted in it.
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END';
            CREATE TRIGGER slow AFTER UPDATE ON subscriptions FOR EACH STATEMENT EXECUTE FUNCTION slow();
            """,
            TestContext.Current.CancellationToken);
        using var run = JobProcess.Start(Job, environment, "--output", "json", "--batch-size", "100");
        await Eventually.HoldsAsync(async () => await CountAsync(server, database, "SELECT count(*) FROM subscriptions WHERE status = 'expired'") > 0);

        await server.RestartAsync(immediate: true, TestContext.Current.CancellationToken);

        var result = await run.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
        NpgsqlConnection.ClearAllPools();
        Assert.Equal(3000, await CountAsync(server, database, "SELECT count(*) FROM subscriptions WHERE status = 'expired'"));
        Assert.Equal(3000, await CountAsync(server, database, "SELECT count(*) FROM audit_logs"));
        Assert.Equal(0, await CountAsync(server, database, "SELECT count(*) FROM leases"));
    }

    private static async Task<long> CountAsync(ThrowawayPostgres server, string database, string sql)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionFor(database).ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
