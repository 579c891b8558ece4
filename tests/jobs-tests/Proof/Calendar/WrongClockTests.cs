using System.Globalization;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Jobs.Tests.Telemetry;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Proof.Calendar;

/// <summary>
/// The clock of the machine that a job runs on is wrong by days, or is set in the middle of the run. What counts is PostgreSQL's: nothing changes.
/// </summary>
[Trait("Category", "Proof")]
public sealed class WrongClockTests(PostgresFixture fixture)
{
    private static readonly string[] Wrong = ["+3d", "-400d"];

    /// <summary>Debian's `faketime`: the library lies to one process about the time of day, not about how much of it passes.</summary>
    private static readonly string? Library =
        new[] { "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib" }
            .Select(folder => Path.Combine(folder, "faketime", "libfaketime.so.1")).FirstOrDefault(File.Exists);

    private static Dictionary<string, string?> With(JobWorld world, string file)
    {
        Assert.SkipWhen(Library is null, "libfaketime is not on this machine (Debian: apt-get install faketime)");
        return world.EnvironmentWith(
            ("LD_PRELOAD", Library), ("FAKETIME_TIMESTAMP_FILE", file), ("FAKETIME_CACHE_DURATION", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"));
    }

    private static string FileThatSays(string offset)
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, offset + "\n");
        return file;
    }

    private static async Task<JobResult> RunAsync(JobWorld world, string clock, string job, params string[] args)
    {
        var file = FileThatSays(clock);
        try
        {
            using var process = JobProcess.Start(job, With(world, file), ["--output", "json", .. args]);
            return await process.EndAsync();
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task The_process_is_lied_to_and_the_run_goes_by_the_database()
    {
        await using var world = await fixture.WorldAsync();
        foreach (var clock in Wrong)
        {
            var result = (await RunAsync(world, clock, "expire-subscriptions")).Done();
            Assert.InRange(result.Json.GetProperty("started_at").GetDateTime(), DateTime.UtcNow.AddMinutes(-5), DateTime.UtcNow.AddMinutes(5));
        }

        // Its log is the one thing that goes by its own clock.
        world.Environment["LOG_LEVEL"] = "debug";
        world.Environment["DATABASE_URL"] = $"postgresql://nobody@{HttpSink.Refusing()}/nothing";
        foreach (var clock in Wrong)
        {
            var log = JobWorld.ParseOne((await RunAsync(world, clock, "expire-subscriptions")).Failed().Stderr.Split('\n')[0]);
            Assert.True((DateTime.UtcNow - log.GetProperty("time").GetDateTime()).Duration() > TimeSpan.FromDays(2), $"the clock is right: {log}");
        }

        Evidence.Record("expire-subscriptions", Trouble.Calendar, Wrong.Length);
    }

    public static TheoryData<string> All() => Evidence.Full ? [.. Scenarios.Names().Where(row => row.Data != Doctor)] : Scenarios.NamesOfCallers();

    // It is there to say that a clock is wrong.
    private const string Doctor = "jobctl doctor --fix";

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_clock_that_is_wrong_by_days_changes_nothing(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        await Evidence.EveryAsync(rig.Job, Trouble.Calendar, Evidence.Full ? Wrong : Wrong.Skip(scenario.Length % 2).Take(1), clock => rig.InWorldAsync(async world =>
        {
            (await RunAsync(world, clock, rig.Job, Scenarios.Find(scenario).Args)).Done();
            await rig.CompareAsync(world);
        }));
    }

    public static TheoryData<string> Set() => Evidence.Full ? Scenarios.NamesOfCallers() : ["autopayment: due renewals", "match-pending-payments", "match-successful-payments"];

    [Theory]
    [MemberData(nameof(Set))]
    public async Task A_clock_that_is_set_between_a_question_and_its_answer_costs_nobody_anything(string scenario)
    {
        var rig = new CrashRig(fixture, Scenarios.Find(scenario));
        var calls = (await rig.UndisturbedAsync()).ProviderCalls;
        var chosen = Points.Some([.. Enumerable.Range(1, calls)], Evidence.Times(1, proof: 8));
        await Evidence.EveryAsync(rig.Job, Trouble.Calendar, from call in chosen from clock in Wrong select (Call: call, Clock: clock), point => rig.InWorldAsync(async world =>
        {
            var file = FileThatSays("+0");
            try
            {
                await world.Stripe.FaultAsync("hang_before", new { nth = point.Call });
                using var process = JobProcess.Start(rig.Job, With(world, file), ["--output", "json", .. Scenarios.Find(scenario).Args]);
                await world.Stripe.HeldAsync(waitMs: 60_000);
                await File.WriteAllTextAsync(file, point.Clock + "\n");
                // The library looks at the file once a second.
                await Task.Delay(1200);
                await world.Stripe.ReleaseAsync();
                var result = await process.EndAsync();
                // A key that looks too old is not sent any more, and the next run sends it.
                Assert.True(result.ExitCode == 0 || point.Clock[0] == '+', result.ToString());
            }
            finally
            {
                File.Delete(file);
            }

            await world.Stripe.ClearFaultsAsync();
            await rig.RerunAsync(world);
            await rig.FindAsync(world);
            await rig.CompareAsync(world);
        }));
    }

    /// <summary>23 hours from the first send, by the database: the same key before, no other after.</summary>
    [Theory]
    [InlineData("+5d", "22 hours 58 minutes", true)]
    [InlineData("-5d", "23 hours", false)]
    [InlineData("-5d", "22 hours 58 minutes", true)]
    [InlineData("+5d", "23 hours", false)]
    public async Task How_old_a_key_is_only_the_database_knows(string clock, string age, bool sent)
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada");
        await world.Stripe.FaultAsync("status_before:500", new { method = "POST", path = "/v1/payment_intents", nth = 1 }, shouldRetry: false);
        (await world.AutopaymentAsync(Morning)).Failed();
        await world.ExecuteAsync("UPDATE payments SET sent_at = clock_timestamp() - @age::interval", new { age });

        (await RunAsync(world, clock, "autopayment", "--as-of", AsOf(Morning.AddMinutes(1)))).Done();

        Assert.Equal(sent ? 2 : 1, (await world.CreationsAsync()).Count);
        Assert.Single((await world.CreationsAsync()).Select(r => r.IdempotencyKey).Distinct());
        Assert.Equal(sent ? 1 : 0, await world.ChargesAsync());
        Evidence.Record("autopayment", Trouble.Calendar, 1);
    }

    /// <summary>Nothing to be found is proof after 25 hours, by the database, and not a minute before.</summary>
    [Theory]
    [InlineData("+5d", "24 hours 58 minutes", "pending")]
    [InlineData("-5d", "25 hours 1 minute", "canceled failed")]
    public async Task How_long_ago_it_was_sent_only_the_database_knows(string clock, string age, string expected)
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.Stripe.FaultAsync("status_before:500", new { method = "POST", path = "/v1/payment_intents", nth = 1 }, shouldRetry: false);
        (await world.AutopaymentAsync(Morning)).Failed();
        await world.ExecuteAsync("UPDATE payments SET sent_at = clock_timestamp() - @age::interval", new { age });

        (await RunAsync(world, clock, "match-pending-payments", "--as-of", AsOf(Morning.AddMinutes(1)))).Done();

        var status = (string)Assert.Single(await world.AttemptsAsync(subscription)).status;
        Assert.True(expected.Split(' ').Contains(status, StringComparer.Ordinal), string.Create(CultureInfo.InvariantCulture, $"sent {age} ago by the database, the clock of the job {clock}: {status}"));
        Evidence.Record("match-pending-payments", Trouble.Calendar, 1);
    }
}
