using System.Globalization;
using Jobs.Runs;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;

namespace Jobs.Tests.Proof.Database;

/// <summary>A round trip of the undisturbed run, and what goes wrong there.</summary>
internal sealed record FaultPoint(string Kind, string Step, int Time, PostgresFault Fault)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Kind} at #{Time} of {string.Join(' ', Step.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
}

/// <summary>A run by way of a proxy or a pooler, and what may come of it.</summary>
internal static class FaultyRun
{
    private static readonly string[] Money = ["autopayment", "match-pending-payments", "match-successful-payments"];

    public static bool MovesMoney(this Scenario scenario) => Money.Contains(scenario.Job);

    /// <summary>The scenarios that `make proof-sample` takes: the first of each job, and all of the money jobs.</summary>
    public static TheoryData<string> Names()
    {
        var all = Scenarios.Names().Select(row => Scenarios.Find(row.Data));
        return [.. (Evidence.Full ? all : all.Where(s => s.MovesMoney()).UnionBy(all, s => s.MovesMoney() ? s.Name : s.Job)).Select(s => s.Name)];
    }

    /// <summary>Those of jobs that log in with the role that reads and writes rows, and keep to the common command line.</summary>
    public static TheoryData<string> NamesOfRuns() => Where(_ => true);

    /// <summary>In `make proof-sample` the money jobs alone. What backup-database dumps comes by an address of its own, past the proxy.</summary>
    public static TheoryData<string> NamesOfMoney() => Where(scenario => scenario.MovesMoney() || (Evidence.Full && scenario.Job != "backup-database"));

    /// <summary>Every scenario whose round trips a proxy sees and whose result is that of a run.</summary>
    public static TheoryData<string> NamesOfMatrix() =>
    [
        .. Scenarios.Names().Select(row => Scenarios.Find(row.Data))
            .Where(scenario => Catalogue.Find(scenario.Job).Kind != JobKind.Tool && scenario.Job != "backup-database").Select(scenario => scenario.Name),
    ];

    private static TheoryData<string> Where(Func<Scenario, bool> condition) =>
    [
        .. Names().Select(row => Scenarios.Find(row.Data))
            .Where(scenario => Catalogue.Find(scenario.Job).Kind is JobKind.Scheduled or JobKind.OnDemand && condition(scenario)).Select(scenario => scenario.Name),
    ];

    // A run that a slow machine drew out renewed its lease, and the next one may not.
    private static bool IsHeartbeat(string step) => step.Contains("UPDATE leases SET expires_at", StringComparison.Ordinal);

    /// <summary>Every round trip of the undisturbed run, once; without repetitions only each distinct one.</summary>
    public static async Task<IReadOnlyList<(string Step, int Time)>> RoundTripsAsync(this CrashRig rig, bool repetitions) =>
    [
        .. (await rig.UndisturbedAsync()).Points.Where(point => !IsHeartbeat(point.Step))
            .Select(point => (point.Step, point.Time)).Distinct().Where(trip => repetitions || trip.Time == 1),
    ];

    /// <summary>As many as asked for, evenly over the whole.</summary>
    public static IEnumerable<T> Evenly<T>(this IReadOnlyList<T> all, int count) => Points.Some(all, count);

    public static bool IsCommit(string step) =>
        step.StartsWith("COMMIT", StringComparison.Ordinal) || step.EndsWith(";\nCOMMIT", StringComparison.Ordinal);

    /// <summary>Neither the start of a connection or a transaction nor its undoing.</summary>
    public static bool IsStatement(string step) =>
        step is not ("connect" or "ROLLBACK") && !step.StartsWith("BEGIN", StringComparison.Ordinal);

    /// <summary>Starts the job by way of another address.</summary>
    public static JobProcess Start(Scenario scenario, JobWorld world, int port) =>
        JobProcess.Start(scenario.Job, world.EnvironmentWith(("DATABASE_URL", world.Through(port))), ["--output", "json", .. scenario.Args]);

    /// <summary>Runs the job; at the point things go wrong.</summary>
    public static async Task<JobResult> RunAsync(Scenario scenario, JobWorld world, FaultPoint point)
    {
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
        proxy.BreakAt(point.Step, point.Time, point.Fault);
        using var process = Start(scenario, world, proxy.Port);
        var result = await process.EndAsync();
        // How many connections the pool opens depends on how the items overlap; everything else happens in each run.
        Assert.True(proxy.Broken > 0 || point.Step == "connect", $"never got there: {result}\n{proxy}");
        EndedWell(result, world);
        return result;
    }

    /// <summary>Succeeded, or exit 1 and one clear line.</summary>
    public static void EndedWell(JobResult result, JobWorld world)
    {
        Mistake.NoSecret(result.Stdout + result.Stderr, world.Environment);
        Assert.DoesNotContain("Unhandled", result.Stderr, StringComparison.Ordinal);
        Assert.DoesNotContain("Unexpected failure", result.Stderr, StringComparison.Ordinal);
        var json = Mistake.OneObject(result);
        if (result.ExitCode == 0)
        {
            Assert.Equal("succeeded", json.GetProperty("status").GetString());
            return;
        }

        Assert.True(result.ExitCode == 1 && json.GetProperty("status").GetString() == "failed", result.ToString());
        Assert.InRange(Error(result).Length, 20, 300);
        Assert.DoesNotContain("   at ", Error(result), StringComparison.Ordinal);
    }

    public static string Error(JobResult result) =>
        result.Json.TryGetProperty("error", out var error) && error.GetString() is { } sentence ? sentence : "";

    /// <summary>Nothing was asked of Stripe that takes or changes anything.</summary>
    public static async Task NothingWasAskedForAsync(JobWorld world)
    {
        var asked = (await world.Stripe.RequestsAsync()).Recent.Where(request => request.Method != "GET").Select(request => $"{request.Method} {request.Path}").ToList();
        Assert.True(asked.Count == 0, $"asked of Stripe: {string.Join(", ", asked)}");
    }
}
