using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Jobs.Runs;
using Jobs.Testing;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

/// <summary>An undisturbed run: where it can be stopped, and what must come out however often it is.</summary>
internal sealed record Undisturbed(Truth Truth, Truth TruthWithoutActors, IReadOnlyList<Point> Points, int ProviderCalls)
{
    /// <summary>Its round trips, each distinct one once.</summary>
    public required IReadOnlySet<string> RoundTrips { get; init; }

    /// <summary>Where it holds no lock.</summary>
    public required IReadOnlyList<Point> OutsideTransactions { get; init; }

    public required IReadOnlyList<OutsideStep> Steps { get; init; }

    public required string Also { get; init; }
}

/// <summary>
/// Runs a scenario on fresh worlds, a trouble at a time, and compares what is left in the end with the undisturbed run.
/// </summary>
internal sealed class CrashRig(PostgresFixture fixture, Scenario scenario)
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<Undisturbed>>> Known = new(StringComparer.Ordinal);

    public string Job => scenario.Job;
    public Scenario Scenario => scenario;

    public Task<Undisturbed> UndisturbedAsync() =>
        Known.GetOrAdd(scenario.Name, _ => new Lazy<Task<Undisturbed>>(RunUndisturbedAsync)).Value;

    /// <summary>
    /// Where it is killed. What every run does at its beginning and its end - connect, ledger, lease - is the same code in each job:
    /// `make proof-sample` leaves it out where no money moves.
    /// </summary>
    public async Task<IReadOnlyList<Point>> PointsAsync()
    {
        var points = (await UndisturbedAsync()).Points;
        if (Evidence.Full || scenario.Money)
            return points;
        // What two jobs have in common that do nothing alike.
        var (one, other) = (await OfAsync(AutopaymentScenarios.Mixed), await OfAsync(CleanupScenarios.Move));
        return [.. points.Where(point => !one.Contains(point.Step) || !other.Contains(point.Step))];

        async Task<IReadOnlySet<string>> OfAsync(Scenario known) => (await new CrashRig(fixture, known).UndisturbedAsync()).RoundTrips;
    }

    /// <summary>Seeds a world without anything in it and works there.</summary>
    /// <param name="fresh">True when the work needs a database that nobody used before.</param>
    public async Task InWorldAsync(Func<JobWorld, Task> work, bool fresh = false)
    {
        await using var world = fresh || scenario.Spoils ? await fixture.FreshWorldAsync() : await fixture.WorldAsync();
        await SeedAsync(world);
        await work(world);
    }

    private async Task SeedAsync(JobWorld world)
    {
        Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        await scenario.Seed(world);
        await world.ExecuteAsync($"ALTER SEQUENCE IF EXISTS subscriptions_id_seq RESTART WITH {Truth.FirstNewSubscription}");
        await world.Stripe.ClearRequestsAsync();
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
            Assert.True(reached || scenario.Judge is not null || result.ExitCode == 0, $"ended before it got there: {result}");
            return reached;
        }
        catch (TimeoutException e) when (still is null)
        {
            throw new TimeoutException($"{e.Message}\n{proxy}", e);
        }
    }

    /// <summary>Holds the n-th call of Stripe, before or after it is carried out, and kills the job there.</summary>
    public Task KillAtProviderCallAsync(JobWorld world, int call, string hang) =>
        KillAtAsync(world, new StripeCalls(world), new OutsideStep("a call of Stripe", call, hang));

    /// <summary>Holds the run at a step outside the database and kills it there.</summary>
    /// <returns>False when the run ended before it got there.</returns>
    public async Task<bool> KillAtStepAsync(JobWorld world, OutsideStep step)
    {
        await using var outside = scenario.Outside!(world);
        return await KillAtAsync(world, outside, step);
    }

    private async Task<bool> KillAtAsync(JobWorld world, Outside outside, OutsideStep step)
    {
        await outside.HoldAsync(step);
        using var process = Start(world);
        var held = outside.HeldAsync();
        var end = process.EndAsync();
        var first = await Task.WhenAny(held, end);
        process.Kill();
        var result = await end;
        if (first == held)
            await held;
        await outside.LetGoAsync();
        Assert.True(first == held || scenario.Judge is not null || outside.Varies, $"ended before it got there: {result}");
        return first == held;
    }

    /// <summary>Holds the run at a round trip, puts it to sleep, lets others do its work, and wakes it.</summary>
    /// <returns>What became of it; null when it ended before it got there.</returns>
    public async Task<JobResult?> FreezeAtRoundTripAsync(JobWorld world, Point point)
    {
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
        proxy.HoldAt(point.Step, point.Time, point.Phase);
        using var frozen = StartThrough(proxy, world);
        var end = frozen.EndAsync(WhileItSleeps);
        if (await Task.WhenAny(proxy.Held, end) == end)
            return null;
        await QuietAsync(world);
        frozen.Signal("STOP");
        await TakeOverAsync(world);
        proxy.LetGo();
        frozen.Signal("CONT");
        return await end;
    }

    /// <summary>The same at a step outside the database.</summary>
    /// <param name="sleep">So much longer than the others need.</param>
    /// <param name="settings">Of this run alone.</param>
    public async Task<JobResult?> FreezeAtStepAsync(JobWorld world, OutsideStep step, TimeSpan sleep = default, params (string Name, string Value)[] settings)
    {
        await using var outside = scenario.Outside!(world);
        await outside.HoldAsync(step);
        var environment = new Dictionary<string, string?>(world.Environment, StringComparer.Ordinal);
        foreach (var (name, value) in settings)
            environment[name] = value;
        using var frozen = JobProcess.Start(scenario.Job, environment, ["--output", "json", .. scenario.Args]);
        var end = frozen.EndAsync(WhileItSleeps);
        var held = outside.HeldAsync();
        if (await Task.WhenAny(held, end) == end)
            return null;
        await held;
        // Everything else it had under way is done or blocked behind this step: it sleeps with no transaction open.
        await QuietAsync(world);
        frozen.Signal("STOP");
        await outside.LetGoAsync();
        await TakeOverAsync(world);
        await Task.Delay(sleep);
        frozen.Signal("CONT");
        return await end;
    }

    // All that the others do is done meanwhile.
    private static readonly TimeSpan WhileItSleeps = TimeSpan.FromMinutes(10);

    private async Task TakeOverAsync(JobWorld world)
    {
        await world.ExecuteAsync("DO $do$ BEGIN IF to_regclass('leases') IS NOT NULL THEN UPDATE leases SET expires_at = clock_timestamp() - interval '1 hour'; END IF; END $do$");
        await RerunAsync(world);
    }

    private static async Task QuietAsync(JobWorld world)
    {
        // Several looks apart: between two transactions of one item nothing is open either. A backup has its snapshot open.
        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (var quiet = 0; quiet < 4;)
        {
            Assert.True(clock.Elapsed < StandsStill, "what else it had under way does not come to an end");
            await Task.Delay(30);
            quiet = await world.ScalarAsync<bool>(
                """
                SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                               AND usename <> @backup AND state <> 'idle')
                """,
                new { backup = PostgresFixture.BackupLogin })
                ? 0 : quiet + 1;
        }
    }

    public JobProcess Start(JobWorld world) => world.StartPublished(scenario.Job, ["--output", "json", .. scenario.Args]);

    /// <summary>In the midst of its work: the lease is taken and not yet given back.</summary>
    public async Task<IReadOnlyList<Point>> MiddleAsync(int count)
    {
        var points = (await UndisturbedAsync()).Points;
        var begun = points.ToList().FindIndex(point => point.Phase == Phase.After && point.Step.Contains("INSERT INTO leases", StringComparison.Ordinal));
        var ends = points.ToList().FindIndex(point => point.Step.Contains("WITH finished AS", StringComparison.Ordinal));
        Assert.True(begun >= 0 && ends > begun, $"{scenario.Name} takes its lease at {begun} and gives it back at {ends} of {points.Count}");
        var middle = Points.Some([.. points.Skip(begun + 1).Take(ends - begun - 1)], count);
        Assert.NotEmpty(middle);
        return middle;
    }

    /// <summary>The next run, or as many as the work takes: nothing is in their way, so they must succeed.</summary>
    public async Task RerunAsync(JobWorld world)
    {
        for (var run = 1; run <= MostRuns && (run <= scenario.Runs || (scenario.Open is { } open && await world.ScalarAsync<bool>($"SELECT {open}"))); run++)
            Succeeded(await world.RunPublishedAsync(scenario.Job, scenario.Args), "the next run");
        if (scenario.Open is { } left)
            Assert.False(await world.ScalarAsync<bool>($"SELECT {left}"), $"after {MostRuns} runs there is still something left: {left}");
    }

    private const int MostRuns = 5;

    /// <summary>A command of the operator's tool says in words of its own what it did.</summary>
    public void Succeeded(JobResult result, string which) => Assert.True(
        result.ExitCode == 0 && (Catalogue.Find(scenario.Job).Kind == JobKind.Tool || result.Json.GetProperty("status").GetString() == "succeeded"), $"{which}: {result}");

    /// <summary>After the trouble: nothing is harmed, the next run completes the work, and the end is as it must be.</summary>
    public async Task CompleteAsync(JobWorld world, Disturbance by)
    {
        if (scenario.Meanwhile is { } meanwhile)
            await meanwhile(world);
        await RerunAsync(world);
        await CompareAsync(world, by: by);
    }

    public async Task FindAsync(JobWorld world)
    {
        foreach (var finder in scenario.Finders)
        {
            var result = await world.RunPublishedAsync(finder, "--as-of", scenario.Args[1]);
            Assert.True(result.ExitCode == 0, $"{finder}: {result}");
        }
    }

    public async Task CompareAsync(JobWorld world, bool actors = true, Disturbance? by = null)
    {
        await Truth.CheckAsync(world);
        if (scenario.Judge is { } judge)
            await judge(world, by);
        else
            await EqualAsync(world, actors);
        if (scenario.Check is { } check)
            await check(world);
    }

    private async Task EqualAsync(JobWorld world, bool actors)
    {
        var undisturbed = await UndisturbedAsync();
        var expected = actors ? undisturbed.Truth : undisturbed.TruthWithoutActors;
        var actual = await Truth.OfAsync(world, actors, scenario.FixedClock);
        Assert.True(expected.Taken == actual.Taken, $"taken: {actual.Taken} instead of {expected.Taken}");
        Assert.True(expected.State == actual.State, Difference(expected.State, actual.State));
        var also = await AlsoAsync(world);
        Assert.True(undisturbed.Also == also, Difference(undisturbed.Also, also));
    }

    private Task<string> AlsoAsync(JobWorld world) => scenario.Also?.Invoke(world) ?? Task.FromResult("");

    private async Task<Undisturbed> RunUndisturbedAsync()
    {
        Undisturbed? undisturbed = null;
        await InWorldAsync(async world =>
        {
            await IsDoneAsync(world, done: false);
            await using var outside = scenario.Outside?.Invoke(world);
            if (outside is not null)
                await outside.ListenAsync();
            await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
            using var process = StartThrough(proxy, world);
            var result = await process.EndAsync();
            Succeeded(result, "undisturbed");
            foreach (var (counter, value) in scenario.Outcome)
                Assert.True(result.Counter(counter) == value, $"{scenario.Name}: {counter} is {result.Counter(counter)}, not {value}\n{result}");
            await IsDoneAsync(world, done: true);
            var calls = (int)(await world.Stripe.RequestsAsync()).Total;
            IReadOnlyList<OutsideStep> steps = outside is null ? [] : await outside.StepsAsync();
            await Truth.CheckAsync(world);
            if (scenario.Judge is { } judge)
                await judge(world, Disturbance.None);
            undisturbed = new Undisturbed(
                await Truth.OfAsync(world, times: scenario.FixedClock), await Truth.OfAsync(world, actors: false, scenario.FixedClock),
                Points.Of(proxy.Log, scenario.Money, scenario.Alike), calls)
            {
                RoundTrips = proxy.Log.Select(trip => trip.Step).ToHashSet(StringComparer.Ordinal),
                OutsideTransactions = Points.OutsideTransactions(proxy.Log),
                Steps = OutsideStep.Some(steps, scenario.Money),
                Also = await AlsoAsync(world),
            };
        });
        return undisturbed!;
    }

    private async Task IsDoneAsync(JobWorld world, bool done)
    {
        if (scenario.Done is { } condition)
            Assert.True(await world.ScalarAsync<bool>($"SELECT {condition}") == done, $"{scenario.Name}, {(done ? "after" : "before")} the undisturbed run: {condition} is {(done ? "false" : "true")}");
    }

    /// <summary>The same database by way of the proxy.</summary>
    public static string Through(PostgresProxy proxy, ThrowawayPostgres server, string url) => url.Replace(
        string.Create(CultureInfo.InvariantCulture, $"@{server.Host}:{server.Port}/"),
        string.Create(CultureInfo.InvariantCulture, $"@127.0.0.1:{proxy.Port}/"), StringComparison.Ordinal);

    private JobProcess StartThrough(PostgresProxy proxy, JobWorld world)
    {
        var environment = new Dictionary<string, string?>(world.Environment, StringComparer.Ordinal);
        foreach (var (name, url) in world.Environment)
            environment[name] = url is null ? null : Through(proxy, world.Server, url);
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
