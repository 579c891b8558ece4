using System.Collections.Concurrent;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Together;

/// <summary>
/// The leases are one per job: they keep no two jobs apart. What does is what each of them does to a row - compare-and-set, row locks
/// and unique keys - and here every two jobs that touch the same tables try it, at once, on the same rows.
/// </summary>
[Trait("Category", "Proof")]
public sealed class TogetherTests(PostgresFixture fixture)
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<(Tables Tables, JobResult Result)>>> Known = new(StringComparer.Ordinal);

    // More worlds at once only wait for each other.
    private static readonly SemaphoreSlim Places = new(3);

    private static readonly string[] SubscriptionWorkers =
        ["autopayment", "expire-subscriptions", "expire-payments", "match-pending-payments", "match-successful-payments"];

    /// <summary>
    /// A backup reads one snapshot and writes no business row; `migrate` runs before the others. What the operator's tool does is tested
    /// where it acts.
    /// </summary>
    private static IEnumerable<JobDefinition> Candidates =>
        Catalogue.Jobs.Where(job => job.Kind is JobKind.Scheduled or JobKind.OnDemand && job.Name != "backup-database");

    public static TheoryData<string> Jobs => [.. Candidates.Select(job => job.Name)];

    public static TheoryData<string> MoneyJobs => [.. Candidates.Where(job => job.MovesMoney).Select(job => job.Name)];

    [Fact]
    public async Task The_pairs_are_found_by_the_tables_that_the_jobs_name()
    {
        var pairs = await PairsAsync();
        foreach (var (first, second) in new[]
        {
            ("autopayment", "match-pending-payments"), ("autopayment", "match-successful-payments"), ("autopayment", "expire-subscriptions"),
            ("expire-payments", "match-pending-payments"), ("match-successful-payments", "expire-stale-orders"),
            ("match-pending-payments", "cleanup-stale-payment-intents"), ("autopayment", "record-payment"), ("expire-stale-orders", "record-payment"),
            ("match-successful-payments", "subscription-sync"), ("autopayment", "send-notifications"), ("match-pending-payments", "send-notifications"),
            ("renewal-reminder", "send-notifications"), ("record-payment", "send-notifications"), ("record-payment", "process-payment-queue"),
            ("process-payment-queue", "fallback-mode"), ("record-payment", "grant-membership"), ("send-notifications", "cleanup-logs"),
        })
        {
            Assert.Contains((first, second), pairs);
        }

        Assert.DoesNotContain(("autopayment", "cleanup"), pairs);
        TestContext.Current.TestOutputHelper?.WriteLine($"{pairs.Count} pairs: {string.Join(", ", pairs.Select(pair => $"{pair.First} x {pair.Second}"))}");
    }

    [Theory]
    [MemberData(nameof(Jobs))]
    public async Task The_busy_day_has_work_for(string job)
    {
        var (_, result) = await AloneAsync(job);
        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.Contains(
            result.Json.GetProperty("counters").EnumerateObject(),
            counter => !counter.Name.StartsWith("seen", StringComparison.Ordinal) && counter.Value.GetInt64() > 0);
    }

    [Theory]
    [MemberData(nameof(Jobs))]
    public async Task Two_jobs_at_once_keep_every_promise(string job)
    {
        var pairs = await PairsAsync();
        await EveryAsync(job, from pair in pairs.Index()
                              where pair.Item.First == job
                              from time in Enumerable.Range(0, Times(pair.Item, pair.Index))
                              select Schedule.OfTwo(pair.Item.First, pair.Item.Second, time));
    }

    [Fact]
    public Task The_five_that_work_on_subscriptions_at_once_keep_every_promise() =>
        EveryAsync(SubscriptionWorkers[0], Enumerable.Range(0, Evidence.Times(1, proof: 12, endless: 40)).Select(time => Schedule.OfMany(SubscriptionWorkers, time)));

    [Theory]
    [MemberData(nameof(MoneyJobs))]
    public async Task Two_runs_of_a_job_and_another_job_at_once_keep_every_promise(string job)
    {
        Assert.SkipUnless(Evidence.Full, "tried by `make proof`: what it adds to two jobs, and to two runs, is rare");
        var pairs = await PairsAsync();
        await EveryAsync(job, from pair in pairs
                              where pair.First == job || pair.Second == job
                              from time in Enumerable.Range(0, Evidence.Times(0, proof: 1, endless: 2))
                              select Schedule.OfTwoAndOther(job, pair.First == job ? pair.Second : pair.First, time));
    }

    /// <summary>Jobs that move money meet in every run; of the others a few, and all of them in `make proof`.</summary>
    private static int Times((string First, string Second) pair, int index)
    {
        var money = Catalogue.Find(pair.First).MovesMoney && Catalogue.Find(pair.Second).MovesMoney;
        return (money, Evidence.Full) switch
        {
            (true, true) => Evidence.Times(0, proof: 6, endless: 20),
            (false, true) => Evidence.Times(0, proof: 2, endless: 8),
            (true, false) => index % 3 == 0 ? 1 : 0,
            (false, false) => index % 18 == 0 ? 1 : 0,
        };
    }

    private Task EveryAsync(string job, IEnumerable<Schedule> schedules) =>
        Evidence.EveryAsync(job, Trouble.OtherJobAtOnce, schedules.Where(schedule => schedule.IsWanted), async schedule =>
        {
            var others = schedule.Jobs.Where(other => other != job).Distinct().ToList();
            try
            {
                await new Meeting(fixture, schedule).HoldAsync();
                others.ForEach(other => Evidence.Record(other, Trouble.OtherJobAtOnce, tried: 1));
            }
            catch
            {
                others.ForEach(other => Evidence.Record(other, Trouble.OtherJobAtOnce, tried: 1, violations: 1));
                throw;
            }
        });

    private async Task<IReadOnlyList<(string First, string Second)>> PairsAsync()
    {
        var names = Candidates.Select(job => job.Name).ToList();
        var tables = (await Task.WhenAll(names.Select(AloneAsync))).Zip(names).ToDictionary(pair => pair.Second, pair => pair.First.Tables, StringComparer.Ordinal);
        return
        [
            .. from first in names.Index()
               from second in names.Skip(first.Index + 1)
               where tables[first.Item].Shared(tables[second]).Count > 0
               select (first.Item, second),
        ];
    }

    private Task<(Tables Tables, JobResult Result)> AloneAsync(string job) =>
        Known.GetOrAdd(job, _ => new Lazy<Task<(Tables, JobResult)>>(async () =>
        {
            await Places.WaitAsync();
            try
            {
                return await new Meeting(fixture, Schedule.OfTwo(job, job, 0)).AloneAsync();
            }
            finally
            {
                Places.Release();
            }
        })).Value;
}
