using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>A step of an undisturbed run at which it can be stopped: the n-th time of a round trip to the database.</summary>
internal readonly record struct Point(string Step, int Time, Phase Phase)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Phase} #{Time} of {string.Join(' ', Step.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
}

/// <summary>An undisturbed run: where it can be stopped, and what must come out however often it is.</summary>
internal sealed record Undisturbed(Truth Truth, Truth TruthWithoutActors, IReadOnlyList<Point> Points, int ProviderCalls);

/// <summary>
/// Runs a scenario on fresh worlds, a trouble at a time, and compares what is left in the end with the undisturbed run.
/// </summary>
internal sealed class CrashRig(PostgresFixture fixture, Scenario scenario)
{
    // However many tests run: more worlds at once than this only wait for each other on a small machine.
    private static readonly SemaphoreSlim Places = new(4);
    private static readonly ConcurrentDictionary<string, Lazy<Task<Undisturbed>>> Known = new(StringComparer.Ordinal);

    public Scenario Scenario => scenario;

    public Task<Undisturbed> UndisturbedAsync() =>
        Known.GetOrAdd(scenario.Name, _ => new Lazy<Task<Undisturbed>>(RunUndisturbedAsync)).Value;

    /// <summary>A fresh world with the scenario's seed.</summary>
    public async Task<JobWorld> WorldAsync()
    {
        var world = await fixture.WorldAsync();
        Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        await scenario.Seed(world);
        await world.ExecuteAsync($"ALTER SEQUENCE subscriptions_id_seq RESTART WITH {Truth.FirstNewSubscription}");
        await world.Stripe.ClearRequestsAsync();
        return world;
    }

    /// <summary>Does the same to every point, a few at a time; all failures are reported together.</summary>
    public static async Task EveryAsync<T>(IEnumerable<T> points, Func<T, Task> work)
    {
        var failures = new ConcurrentQueue<string>();
        var done = 0;
        var clock = Stopwatch.StartNew();
        var tasks = points.Select(async point =>
        {
            await Places.WaitAsync();
            try
            {
                await work(point);
                Interlocked.Increment(ref done);
            }
            catch (Exception e)
            {
                failures.Enqueue($"{point}:\n{e.Message}\n{e.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("Crash", StringComparison.Ordinal))}");
            }
            finally
            {
                Places.Release();
            }
        });
        await Task.WhenAll(tasks);
        TestContext.Current.TestOutputHelper?.WriteLine($"{done} points passed, {clock.Elapsed.TotalSeconds:0} s");
        Assert.True(failures.IsEmpty, $"{failures.Count} of {done + failures.Count} points failed\n{string.Join("\n\n", failures.Take(5))}");
    }

    /// <summary>Stops the job's world at a round trip and kills it there.</summary>
    /// <returns>False when the run ended before it got there.</returns>
    public async Task<bool> KillAtRoundTripAsync(JobWorld world, Point point)
    {
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
        proxy.StopAt(point.Step, point.Time, point.Phase);
        using var process = StartThrough(proxy, world);
        var end = process.EndAsync();
        await Task.WhenAny(proxy.Reached, end);
        var reached = proxy.Reached.IsCompleted;
        process.Kill();
        var result = await end;
        Assert.True(reached || result.ExitCode == 0, $"ended before it got there: {result}");
        return reached;
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
    }

    private async Task<Undisturbed> RunUndisturbedAsync()
    {
        await using var world = await WorldAsync();
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
        using var process = StartThrough(proxy, world);
        var result = await process.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
        foreach (var (counter, value) in scenario.Outcome)
            Assert.True(result.Counter(counter) == value, $"{scenario.Name}: {counter} is {result.Counter(counter)}, not {value}\n{result}");
        var calls = (int)(await world.Stripe.RequestsAsync()).Total;
        await Truth.CheckAsync(world);
        var points = proxy.Log.GroupBy(trip => trip.Step, StringComparer.Ordinal).SelectMany(step => step.SelectMany((_, i) =>
            new[] { new Point(step.Key, i + 1, Phase.Before), new Point(step.Key, i + 1, Phase.After) }));
        return new Undisturbed(await Truth.OfAsync(world), await Truth.OfAsync(world, actors: false), [.. points], calls);
    }

    private JobProcess StartThrough(PostgresProxy proxy, JobWorld world)
    {
        var direct = string.Create(CultureInfo.InvariantCulture, $"@{world.Server.Host}:{world.Server.Port}/");
        var environment = new Dictionary<string, string?>(world.Environment, StringComparer.Ordinal);
        environment["DATABASE_URL"] = environment["DATABASE_URL"]!.Replace(
            direct, string.Create(CultureInfo.InvariantCulture, $"@127.0.0.1:{proxy.Port}/"), StringComparison.Ordinal);
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
