using Jobs.Billing;
using Jobs.Runs;
using Jobs.Schedules;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Schedules;

/// <summary>`jobctl next`: what is ahead, by the catalogue alone.</summary>
public sealed class NextTests
{
    private static readonly DateTime Saturday = new(2027, 3, 27, 12, 0, 0, DateTimeKind.Utc);

    [Fact]
    public void Runs_are_told_in_order_of_time()
    {
        var forecast = Of("0 6 * * *", count: 3);
        Assert.Equal([At(3, 28, 4), At(3, 29, 4), At(3, 30, 4)], forecast.Runs.Select(run => run.At));
        var all = Forecast.Of(Catalogue.Jobs.Where(job => job.Schedule is not null), new BusinessZone("Europe/Paris"), Saturday, 2);
        Assert.Equal(2 * Catalogue.Jobs.Count(job => job.Schedule is not null), all.Runs.Count);
        Assert.Equal(all.Runs.Select(run => run.At).Order(), all.Runs.Select(run => run.At));
    }

    [Fact]
    public void A_local_time_that_a_change_of_the_clock_skips_or_doubles_is_told_a_year_ahead()
    {
        var odd = Of("0 2 * * *").OddTimes;
        Assert.Equal(
            [new DateTime(2027, 3, 28, 2, 0, 0), new DateTime(2027, 10, 31, 2, 0, 0), new DateTime(2028, 3, 26, 2, 0, 0)], odd.Select(o => o.Local));
        Assert.Equal([true, false, true], odd.Select(o => o.Change.Forward));
        Assert.All(odd, o => Assert.Equal(["some-job"], o.Jobs));
    }

    [Theory]
    // One minute on either side of the hour.
    [InlineData("59 1 * * *")]
    [InlineData("0 3 * * *")]
    // Not on a Sunday.
    [InlineData("0 2 * * 1-6")]
    [InlineData("*/5 * * * *")]
    public void What_no_change_of_the_clock_hits_is_not_warned_of(string schedule) => Assert.Empty(Of(schedule).OddTimes);

    [Fact]
    public async Task It_needs_no_database_and_speaks_of_all_jobs_or_of_one()
    {
        var all = await RunAsync("--from", "2027-03-27T12:00:00Z");
        Assert.Equal(0, all.ExitCode);
        Assert.Contains("From Saturday 27 March 2027, 13:00:00 (Europe/Paris, UTC+01:00)", all.Stdout);
        Assert.All(Catalogue.Jobs.Where(job => job.Schedule is not null), job => Assert.Contains($"│ {job.Name} ", all.Stdout));
        Assert.Contains("│ Sun 2027-03-28 06:00 +02:00 │ 2027-03-28 04:00 │ 16 h 00 │ 4h ", all.Stdout);
        var words = string.Join(' ', all.Stdout.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("On Sunday 28 March 2027 clocks go from 02:00 to 03:00: there is no 02:00 (subscription-sync, cleanup).", words);
        Assert.Contains("On Sunday 31 October 2027 clocks go back from 03:00 to 02:00: 02:00 comes twice (subscription-sync, cleanup).", words);

        var one = await RunAsync("subscription-sync", "--from", "2027-03-27T12:00:00Z", "--count", "2", "--output", "json");
        Assert.Equal(0, one.ExitCode);
        Assert.Equal(
            ["2027-03-29T02:00:00+02:00", "2027-03-30T02:00:00+02:00"],
            one.Json.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("local").GetString()));
        Assert.Equal(36 * 3600, one.Json.GetProperty("runs")[0].GetProperty("in_seconds").GetInt32());
        Assert.Equal(["never", "twice", "never"], one.Json.GetProperty("odd_times").EnumerateArray().Select(odd => odd.GetProperty("happens").GetString()));
    }

    [Theory]
    [InlineData("autopaiment", "'autopaiment' is none of the jobs; did you mean autopayment?")]
    [InlineData("record-payment", "is none of the jobs")]
    [InlineData("--count=0", "--count must be a whole number above 0")]
    [InlineData("--from=tomorrow", "--from must be an instant with its zone")]
    public async Task A_mistake_is_one_line(string argument, string why)
    {
        var result = await RunAsync(argument);
        Assert.Equal((1, ""), (result.ExitCode, result.Stdout));
        Assert.Contains(why, Assert.Single(result.Stderr.TrimEnd('\n').Split('\n')));
    }

    [Fact]
    public async Task The_published_tool_finds_the_committed_files_as_they_should_be()
    {
        using var process = JobInProcess.Start("jobctl", [], "render", "--check", "--to", PostgresFixture.RepositoryFile("docker"));
        var result = await process.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
        using var elsewhere = JobInProcess.Start("jobctl", [new("JOBS_TIME_ZONE", "Asia/Tokyo")], "render", "crontab", "--check", "--to", PostgresFixture.RepositoryFile("docker"));
        Assert.Contains("crontab; run `make render`", (await elsewhere.EndAsync()).Stderr);
    }

    private static async Task<JobResult> RunAsync(params string[] args)
    {
        using var process = JobInProcess.Start("jobctl", [], ["next", .. args]);
        return await process.EndAsync();
    }

    private static Forecast Of(string schedule, int count = 1) => Forecast.Of(
        [new JobDefinition("some-job", "Does something.", schedule, TimeSpan.FromMinutes(1), JobKind.Scheduled, [], MovesMoney: false)],
        new BusinessZone("Europe/Paris"), Saturday, count);

    private static DateTime At(int month, int day, int hour) => new(2027, month, day, hour, 0, 0, DateTimeKind.Utc);
}
