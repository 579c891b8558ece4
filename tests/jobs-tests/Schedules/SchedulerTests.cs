using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Schedules;

public sealed class SchedulerTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_job_is_started_at_its_minute_and_the_scheduler_ends_when_it_is_told_to()
    {
        await using var world = await fixture.WorldAsync();
        var mails = Directory.CreateTempSubdirectory("mails");
        (world.Environment["MAIL_FROM"], world.Environment["MAIL_PICKUP_DIR"]) = ("office@example.test", mails.FullName);
        using var scheduler = world.StartPublished("jobctl", "scheduler", "send-notifications");

        // A minute passes before a job is started.
        await world.UntilAsync("SELECT EXISTS (SELECT FROM job_runs WHERE job <> 'migrate')", within: TimeSpan.FromSeconds(75));
        scheduler.Signal("TERM");
        var result = await scheduler.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.Contains("jobs by the time of Europe/Paris", result.Stderr, StringComparison.Ordinal);
        var run = Assert.Single(await world.QueryAsync("SELECT job, trigger, extract(second FROM started_at)::float8 AS second FROM job_runs WHERE job <> 'migrate'"));
        Assert.Equal(("send-notifications", "schedule"), ((string)run.job, (string)run.trigger));
        // On the minute, as far as a busy machine allows.
        Assert.InRange((double)run.second, 0, 30);
        mails.Delete(recursive: true);
    }

    [Fact]
    public async Task A_job_that_has_no_schedule_is_none_of_its_jobs()
    {
        await using var world = await fixture.WorldAsync();
        using var scheduler = world.StartPublished("jobctl", "scheduler", "record-payment");
        var result = await scheduler.EndAsync();
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("'record-payment' is none of the jobs", result.Stderr, StringComparison.Ordinal);
    }
}
