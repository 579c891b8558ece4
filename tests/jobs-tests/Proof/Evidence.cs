using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Jobs.Runs;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

[assembly: AssemblyFixture(typeof(EvidenceTable))]

namespace Jobs.Tests.Proof;

/// <summary>
/// What was tried and what went wrong, by job and kind of trouble. `make proof` tries everything (JOBS_PROOF=full), `make proof-sample` a part
/// of it that says the same of each kind of step.
/// </summary>
internal static class Evidence
{
    private static readonly ConcurrentDictionary<(string Job, Trouble Trouble), (int Tried, int Violations)> Cells = new();

    /// <summary>`make proof`: killed at every step, and of everything else enough that each place and each trouble is met, several times where money moves.</summary>
    public static bool Full { get; } = Environment.GetEnvironmentVariable("JOBS_PROOF") is "full" or "endless";

    /// <summary>Every trouble at every place, for a machine that has half a day.</summary>
    public static bool Endless { get; } = Environment.GetEnvironmentVariable("JOBS_PROOF") == "endless";

    // How xunit says that a test asked to be skipped: what is missing for one point is missing for all.
    private const string DynamicSkip = "$XunitDynamicSkip$";

    // However many tests run: more worlds at once than this only wait for each other on a small machine.
    private static readonly SemaphoreSlim Places = new(Full ? 6 : 4);

    /// <summary>How much of something is tried.</summary>
    public static int Times(int test, int proof, int endless = int.MaxValue) => Endless ? endless : Full ? proof : test;

    /// <summary>Notes that so many cases were tried, and in how many of them a promise was broken.</summary>
    public static void Record(string job, Trouble trouble, int tried, int violations = 0)
    {
        _ = Catalogue.Find(job);
        Cells.AddOrUpdate((job, trouble), (tried, violations), (_, sum) => (sum.Tried + tried, sum.Violations + violations));
    }

    /// <summary>Does the same to every point, a few at a time, and records it; all failures are reported together.</summary>
    public static async Task EveryAsync<T>(string job, Trouble trouble, IEnumerable<T> points, Func<T, Task> work)
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
            catch (Exception e) when (!e.Message.StartsWith(DynamicSkip, StringComparison.Ordinal))
            {
                failures.Enqueue($"{point}:\n{e.Message}\n{e.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("Jobs.Tests", StringComparison.Ordinal) && !line.Contains("Evidence", StringComparison.Ordinal))}");
            }
            finally
            {
                Places.Release();
            }
        });
        await Task.WhenAll(tasks);
        var tried = done + failures.Count;
        Record(job, trouble, tried, failures.Count);
        // Hours of it: whoever waits sees how far it is, and what is known when it is stopped.
        if (Full && tried > 0)
        {
            await Console.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"{job}, {Heading(trouble)}: {tried:N0} tried in {clock.Elapsed.TotalSeconds:0} s, {failures.Count} violations"));
            await EvidenceTable.WriteAsync();
        }

        Assert.True(failures.IsEmpty, $"{failures.Count} of {tried} points failed\n{string.Join("\n\n", failures.Take(5))}");
    }

    /// <summary>One row a job, one column a kind of trouble: how often it was tried, and after a "!" how often a promise was broken.</summary>
    public static string Table()
    {
        var troubles = Enum.GetValues<Trouble>();
        var table = new StringBuilder().Append("| job | ").AppendJoin(" | ", troubles.Select(Heading)).Append(" |\n|---|")
            .AppendJoin('|', troubles.Select(_ => "--:")).Append("|\n");
        foreach (var job in Catalogue.Jobs)
            table.Append(CultureInfo.InvariantCulture, $"| `{job.Name}` | ").AppendJoin(" | ", troubles.Select(trouble => Cell(Of(job.Name, trouble)))).Append(" |\n");
        table.Append("| **all** | ").AppendJoin(" | ", troubles.Select(trouble => Cell(Sum(Catalogue.Jobs.Select(job => Of(job.Name, trouble)))))).Append(" |\n");
        var (tried, violations) = Sum(Cells.Values);
        return table.Append(CultureInfo.InvariantCulture, $"\n{tried:N0} tried, {violations:N0} violations\n").ToString();
    }

    public static bool IsEmpty => Cells.IsEmpty;

    private static (int Tried, int Violations) Of(string job, Trouble trouble) => Cells.GetValueOrDefault((job, trouble));

    private static (int Tried, int Violations) Sum(IEnumerable<(int Tried, int Violations)> cells) =>
        cells.Aggregate((Tried: 0, Violations: 0), (sum, cell) => (sum.Tried + cell.Tried, sum.Violations + cell.Violations));

    private static string Cell((int Tried, int Violations) cell) => cell switch
    {
        (0, _) => "",
        (var tried, 0) => tried.ToString("N0", CultureInfo.InvariantCulture),
        var (tried, violations) => string.Create(CultureInfo.InvariantCulture, $"{tried:N0} **!{violations:N0}**"),
    };

    private static string Heading(Trouble trouble) => trouble switch
    {
        Trouble.KilledAtRoundTrip => "killed at a round trip to the database",
        Trouble.KilledAtCall => "killed at a call, a mail or file step",
        Trouble.ProviderFault => "reply lost or wrong",
        Trouble.DatabaseFault => "database in trouble",
        Trouble.TwoAtOnce => "two at once",
        Trouble.OtherJobAtOnce => "another job at once",
        Trouble.KilledElsewhere => "killed elsewhere, the next run at once",
        Trouble.Frozen => "frozen past its lease",
        Trouble.Calendar => "calendar",
        Trouble.HostileInput => "hostile input",
        Trouble.Model => "paths of the model",
        _ => throw new InvalidOperationException($"{trouble} has no heading"),
    };
}

/// <summary>Writes the table when the last test has ended, and in the full form after each.</summary>
public sealed class EvidenceTable : IAsyncDisposable
{
    private static readonly SemaphoreSlim Writing = new(1);

    public async ValueTask DisposeAsync()
    {
        if (!Evidence.IsEmpty)
            await WriteAsync();
    }

    internal static async Task WriteAsync()
    {
        var path = PostgresFixture.RepositoryFile("artifacts/proof.md");
        await Writing.WaitAsync();
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, Evidence.Table());
        }
        finally
        {
            Writing.Release();
        }
    }
}
