using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Jobs.Testing;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>A step of an undisturbed run at which it can be stopped: the n-th time of a round trip to the database.</summary>
internal readonly record struct Point(string Step, int Time, Phase Phase)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Phase} #{Time} of {string.Join(' ', Step.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
}

/// <summary>The points at which a run can be stopped.</summary>
internal static class Points
{

    public static IReadOnlyList<Point> Of(IReadOnlyList<RoundTrip> log)
    {
        var times = new Dictionary<string, int>(StringComparer.Ordinal);
        var points = new List<Point>();
        foreach (var trip in log)
        {
            var time = times[trip.Step] = times.GetValueOrDefault(trip.Step) + 1;
            if (Evidence.Full || !IsPrelude(trip.Step))
                points.Add(new Point(trip.Step, time, Phase.Before));
            if (Evidence.Full || EndsTransaction(trip.Step))
                points.Add(new Point(trip.Step, time, Phase.After));
        }

        return points;
    }

    /// <summary>
    /// A process that dies after a statement and before the next of its transaction leaves what one leaves that dies before the
    /// next is sent: PostgreSQL rolls back in both cases. So the distinct places to die are before each statement, before the
    /// COMMIT and after it; BEGIN has done nothing yet. What travels together is one step: the server does it all or, when
    /// it rolls back, nothing. `make proof` dies at the others too, and at each of them each time.
    /// </summary>
    private static bool IsPrelude(string step) => step.StartsWith("BEGIN", StringComparison.Ordinal);

    private static bool EndsTransaction(string step) =>
        step == "connect" || step.StartsWith("COMMIT", StringComparison.Ordinal) || step.EndsWith(";\nCOMMIT", StringComparison.Ordinal);
}

/// <summary>An undisturbed run: where it can be stopped, and what must come out however often it is.</summary>
internal sealed record Undisturbed(Truth Truth, Truth TruthWithoutActors, IReadOnlyList<Point> Points, int ProviderCalls);

/// <summary>
/// Runs a scenario on fresh worlds, a trouble at a time, and compares what is left in the end with the undisturbed run.
/// </summary>
internal sealed class CrashRig(PostgresFixture fixture, Scenario scenario)
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<Undisturbed>>> Known = new(StringComparer.Ordinal);
    private static readonly ConcurrentBag<JobWorld> Idle = [];

    public string Job => scenario.Job;

    public Task<Undisturbed> UndisturbedAsync() =>
        Known.GetOrAdd(scenario.Name, _ => new Lazy<Task<Undisturbed>>(RunUndisturbedAsync)).Value;

    /// <summary>Seeds a world without anything in it and works there.</summary>
    /// <param name="reuse">False when the work changes more than rows.</param>
    public async Task InWorldAsync(Func<JobWorld, Task> work, bool reuse = true)
    {
        if (!Idle.TryTake(out var world))
            world = await fixture.WorldAsync();
        try
        {
            await SeedAsync(world);
            await work(world);
            if (reuse)
                await EmptyAsync(world);
        }
        catch
        {
            reuse = false;
            throw;
        }
        finally
        {
            if (reuse)
                Idle.Add(world);
            else
                await world.DisposeAsync();
        }
    }

    private async Task SeedAsync(JobWorld world)
    {
        Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        await scenario.Seed(world);
        await world.ExecuteAsync($"ALTER SEQUENCE subscriptions_id_seq RESTART WITH {Truth.FirstNewSubscription}");
        await world.Stripe.ClearRequestsAsync();
    }

    // Far cheaper than another copy of the template. What came with the scripts stays.
    private const string Empty =
        """
        DO $do$
        DECLARE name text;
        BEGIN
            PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'jobs_test_login';
            SET LOCAL session_replication_role = replica;
            FOR name IN SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S') ORDER BY c.relkind DESC LOOP
                IF name LIKE '%\_seq' THEN
                    EXECUTE format('ALTER SEQUENCE %I RESTART WITH 1', name);
                ELSIF name NOT LIKE 'schemaversions%' AND name <> 'membership_prices' THEN
                    EXECUTE format('DELETE FROM %I', name);
                END IF;
            END LOOP;
        END $do$
        """;

    private static async Task EmptyAsync(JobWorld world)
    {
        await world.ExecuteAsync(Empty);
        world.Environment.Remove("APP_ENV");
        await world.Stripe.ResetAsync();
        await world.Stripe.ClearFaultsAsync();
    }

    // Longer than a lost answer of Stripe's is waited for: then the test fails, and says what the run was at.
    private static readonly TimeSpan StandsStill = TimeSpan.FromSeconds(100);

    private static async Task<string> LastRequestsAsync(JobWorld world) =>
        string.Join("; ", (await world.Stripe.RequestsAsync()).Recent.TakeLast(8).Select(r => $"{r.At:HH:mm:ss.fff} {r.Method} {r.Path} {r.Status}"));

    /// <summary>Stops the job's world at a round trip and kills it there.</summary>
    /// <returns>False when the run ended before it got there.</returns>
    public async Task<bool> KillAtRoundTripAsync(JobWorld world, Point point)
    {
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
        proxy.StopAt(point.Step, point.Time, point.Phase);
        using var process = StartThrough(proxy, world);
        var end = process.EndAsync();
        var first = await Task.WhenAny(proxy.Reached, end, Task.Delay(StandsStill));
        var still = first != proxy.Reached && first != end ? $"stood still for {StandsStill.TotalSeconds:0} s; {proxy}; Stripe's last requests: {await LastRequestsAsync(world)}" : null;
        var reached = proxy.Reached.IsCompleted;
        process.Kill();
        if (proxy.GaveUp)
            await Console.Error.WriteLineAsync($"{scenario.Name}, {point}: no answer at the stop; {proxy}");
        try
        {
            var result = await end;
            if (still is not null)
                throw new TimeoutException($"{still}\n{result.Stderr}");
            Assert.True(reached || result.ExitCode == 0, $"ended before it got there: {result}");
            return reached;
        }
        catch (TimeoutException e) when (still is null)
        {
            throw new TimeoutException($"{e.Message}\n{proxy}", e);
        }
    }

    /// <summary>Holds the n-th provider call, before or after it is carried out, and kills the job there.</summary>
    public async Task KillAtProviderCallAsync(JobWorld world, int call, string hang)
    {
        await world.Stripe.FaultAsync(hang, new { nth = call });
        using var process = Start(world);
        await world.Stripe.HeldAsync(waitMs: 30_000);
        process.Kill();
        await process.EndAsync();
        await world.Stripe.ClearFaultsAsync();
    }

    public JobProcess Start(JobWorld world) => world.Start(scenario.Job, ["--output", "json", .. scenario.Args]);

    /// <summary>The next run: nothing is in its way, so it must succeed.</summary>
    public async Task RerunAsync(JobWorld world)
    {
        var result = await world.RunAsync(scenario.Job, scenario.Args);
        Assert.True(result.ExitCode == 0 && result.Json.GetProperty("status").GetString() == "succeeded", $"the next run: {result}");
    }

    public async Task FindAsync(JobWorld world)
    {
        foreach (var finder in scenario.Finders)
        {
            var result = await world.RunAsync(finder, "--as-of", scenario.Args[1]);
            Assert.True(result.ExitCode == 0, $"{finder}: {result}");
        }
    }

    public async Task CompareAsync(JobWorld world, bool actors = true)
    {
        await Truth.CheckAsync(world);
        var undisturbed = await UndisturbedAsync();
        var expected = actors ? undisturbed.Truth : undisturbed.TruthWithoutActors;
        var actual = await Truth.OfAsync(world, actors);
        Assert.True(expected.Taken == actual.Taken, $"taken: {actual.Taken} instead of {expected.Taken}");
        Assert.True(expected.State == actual.State, Difference(expected.State, actual.State));
        if (scenario.Check is { } check)
            await check(world);
    }

    private async Task<Undisturbed> RunUndisturbedAsync()
    {
        Undisturbed? undisturbed = null;
        await InWorldAsync(async world =>
        {
            await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
            using var process = StartThrough(proxy, world);
            var result = await process.EndAsync();
            Assert.True(result.ExitCode == 0, result.ToString());
            foreach (var (counter, value) in scenario.Outcome)
                Assert.True(result.Counter(counter) == value, $"{scenario.Name}: {counter} is {result.Counter(counter)}, not {value}\n{result}");
            var calls = (int)(await world.Stripe.RequestsAsync()).Total;
            await Truth.CheckAsync(world);
            undisturbed = new Undisturbed(await Truth.OfAsync(world), await Truth.OfAsync(world, actors: false), Points.Of(proxy.Log), calls);
        });
        return undisturbed!;
    }

    /// <summary>The same database by way of the proxy.</summary>
    public static string Through(PostgresProxy proxy, ThrowawayPostgres server, string url) => url.Replace(
        string.Create(CultureInfo.InvariantCulture, $"@{server.Host}:{server.Port}/"),
        string.Create(CultureInfo.InvariantCulture, $"@127.0.0.1:{proxy.Port}/"), StringComparison.Ordinal);

    private JobProcess StartThrough(PostgresProxy proxy, JobWorld world)
    {
        var environment = new Dictionary<string, string?>(world.Environment, StringComparer.Ordinal);
        environment["DATABASE_URL"] = Through(proxy, world.Server, environment["DATABASE_URL"]!);
        environment["LOG_LEVEL"] = "debug";
        return JobProcess.Start(scenario.Job, environment, ["--output", "json", .. scenario.Args]);
    }

    private static string Difference(string expected, string actual)
    {
        var (missing, added) = (expected.Split('\n').ToList(), new List<string>());
        foreach (var line in actual.Split('\n'))
        {
            if (!missing.Remove(line))
                added.Add(line);
        }

        var text = new StringBuilder("the end differs from that of an undisturbed run:");
        missing.ForEach(line => text.Append("\n- ").Append(line));
        added.ForEach(line => text.Append("\n+ ").Append(line));
        return text.ToString();
    }
}
