using System.Text.RegularExpressions;
using Jobs.Tests.Crash;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;

namespace Jobs.Tests.Acting;

/// <summary>SIGKILL at every round trip of a command that settles something, then the same command again: the end is that of one that nothing disturbed.</summary>
[Trait("Category", "Proof")]
public sealed partial class ActKillTests(PostgresFixture fixture)
{
    private static readonly Dictionary<string, (Func<JobWorld, Task> Seed, string[] Args)> Deeds = new(StringComparer.Ordinal)
    {
        ["unmatched recorded"] = (SeedParkedAsync, ["resolve", "unmatched", "1", "--as", "recorded", "--user", "1", "--reason", "it is hers"]),
        ["unmatched ignored"] = (SeedParkedAsync, ["resolve", "unmatched", "1", "--as", "ignored", "--reason", "a gift"]),
        ["unmatched recorded for its plan"] = (SeedPlanAsync, ["resolve", "unmatched", "1", "--as", "recorded", "--reason", "the plan is there now"]),
        ["mail resend"] = (world => world.MailAsync("unknown"), ["resolve", "mail", "1", "--as", "resend", "--reason", "she has not got it"]),
        ["order refunded"] = (SeedOrderAsync, ["resolve", "order", "1", "--as", "refunded", "--reason", "handed over"]),
        ["terminal paid"] = (SeedTerminalAsync, ["resolve", "terminal", "1", "--as", "paid", "--transaction", "TX1", "--without-asking", "--reason", "seen the slip"]),
        ["terminal not-paid"] = (SeedTerminalAsync, ["resolve", "terminal", "1", "--as", "not-paid", "--without-asking", "--reason", "card left"]),
        ["pause"] = (_ => Task.CompletedTask, ["pause", "all-charging", "--reason", "audit"]),
        ["doctor --fix"] = (SeedFaultsAsync, ["doctor", "--fix"]),
    };

    public static TheoryData<string> Names => [.. Deeds.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Killed_anywhere_the_same_again_completes_it(string name)
    {
        var (seed, args) = Deeds[name];
        IReadOnlyList<Point> points = [];
        var expected = "";
        await InWorldAsync(seed, async world =>
        {
            Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
            await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
            using var process = Start(world, proxy, args);
            var result = await process.EndAsync();
            Assert.True(result.ExitCode == 0, result.ToString());
            (points, expected) = (Points.Of(proxy.Log), await EndAsync(world));
        });

        // Of a doctor's many looks those that change nothing are all alike.
        await Evidence.EveryAsync("jobctl", Trouble.KilledAtRoundTrip, points.Where(p => args[0] != "doctor" || p.Step.Contains("audit_logs", StringComparison.Ordinal)), point => InWorldAsync(seed, async world =>
        {
            await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
            proxy.StopAt(point.Step, point.Time, point.Phase);
            using (var process = Start(world, proxy, args))
            {
                var end = process.EndAsync();
                await Task.WhenAny(proxy.Reached, end);
                process.Kill();
                await end;
            }

            var again = await world.ActAsync(args);
            Assert.True(again.ExitCode == 0, again.ToString());
            Assert.Equal(expected, await EndAsync(world));
        }));
    }

    private async Task InWorldAsync(Func<JobWorld, Task> seed, Func<JobWorld, Task> work)
    {
        await using var world = await fixture.WorldAsync();
        await world.UserAsync("ada");
        await seed(world);
        await work(world);
    }

    // Ids that a transaction took which was rolled back are gone: which payment it was does not matter, how many do.
    private static async Task<string> EndAsync(JobWorld world) =>
        Varying().Replace(await world.StateAsync(), "then") + "\n\n" + string.Join('\n', (await world.DeedsAsync()).Select(deed => deed.TrimEnd("0123456789".ToCharArray())).Order(StringComparer.Ordinal))
        + "\n\n" + await world.ScalarAsync<string>("SELECT coalesce(string_agg(job || reason, ',' ORDER BY job), '') FROM job_pauses");

    // A person's "now" is the database's.
    [GeneratedRegex("""\d{4}-\d\d-\d\dT[0-9:.+]+|(?<=subscriptions\n\{"id":|"subscription_id":|"payment_id":)\d+""", RegexOptions.None, 1000)]
    private static partial Regex Varying();

    private static JobProcess Start(JobWorld world, PostgresProxy proxy, string[] args)
    {
        var environment = new Dictionary<string, string?>(world.Environment, StringComparer.Ordinal);
        environment["DATABASE_URL"] = CrashRig.Through(proxy, world.Server, environment["DATABASE_URL"]!);
        return JobProcess.Start("jobctl", environment, ["--output", "json", .. args, "--actor", "ada"]);
    }

    private static async Task SeedParkedAsync(JobWorld world)
    {
        await world.IntentAsync("pi_1", customer: null, method: "pm_card_visa");
        await world.ParkedAsync("pi_1");
    }

    private static async Task SeedPlanAsync(JobWorld world)
    {
        await world.IntentAsync("pi_1", metadata: new { user_id = "1", plan = "monthly" });
        await world.ParkedAsync("pi_1", "plan_unknown");
        await world.PlanAsync();
    }

    private static async Task SeedOrderAsync(JobWorld world)
    {
        await world.OrderAsync(1, "refund_due", reserved: false);
        await world.ExecuteAsync(
            "INSERT INTO payments (user_id, order_id, purpose, amount_minor, status, method, succeeded_at) VALUES (1, 1, 'order', 1000, 'succeeded', 'cash', '2026-11-20T05:00:00Z')");
        await world.ExecuteAsync("UPDATE products SET sku = 'bike'");
    }

    private static Task SeedTerminalAsync(JobWorld world) => world.ExecuteAsync(
        """
        INSERT INTO payment_terminals (name, provider_reader_id, status) VALUES ('bar', 'rdr_1', 'busy');
        INSERT INTO payments (user_id, amount_minor, status, method, provider) VALUES (1, 1000, 'pending', 'card_terminal', 'sumup');
        INSERT INTO payment_queue (payment_id, terminal_id, status, reason, started_at) VALUES (1, 1, 'unknown', 'no_reference', now() - interval '1 hour')
        """);

    private static async Task SeedFaultsAsync(JobWorld world)
    {
        await world.IntentAsync("pi_1", metadata: new { user_id = "1", plan = "monthly" });
        await world.PlanAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO products (sku, stock_on_hand, stock_reserved) VALUES ('bike', 9, 7);
            INSERT INTO leases (name, holder, expires_at) VALUES ('cleanup', 'somebody', now() - interval '1 hour');
            INSERT INTO job_runs (id, job, started_at) VALUES (gen_random_uuid(), 'cleanup', now() - interval '1 hour');
            INSERT INTO payments (user_id, plan_id, purpose, amount_minor, status, provider, provider_payment_id) VALUES (1, 1, 'subscription', 1000, 'succeeded', 'stripe', 'pi_1')
            """);
    }
}
