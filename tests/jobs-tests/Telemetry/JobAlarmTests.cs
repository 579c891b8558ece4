using Jobs.Tests.Mail;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Telemetry;

/// <summary>Staff hear of a job that fails three times in a row, or is late: once an episode, by a mail in the outbox.</summary>
public sealed class JobAlarmTests(PostgresFixture fixture)
{
    private const string Job = "expire-subscriptions";
    private const string Told = "SELECT count(*) FROM notifications WHERE kind IN ('staff_job_failing', 'staff_job_late')";

    [Fact]
    public async Task The_third_failure_in_a_row_is_told_and_no_further_one_until_a_success()
    {
        await using var world = await fixture.WorldAsync();
        await FailAsync(world, 2);
        Assert.Equal(0, await world.ScalarAsync<long>(Told));

        await FailAsync(world, 1);
        var mail = Assert.Single(await world.QueryAsync("SELECT kind, to_address, user_id, dedupe_key, payload::text AS payload FROM notifications"));
        Assert.Equal(("staff_job_failing", "staff@example.test", "staff_job:expire-subscriptions:never"), ((string)mail.kind, (string)mail.to_address, (string)mail.dedupe_key));
        var payload = JobWorld.ParseOne((string)mail.payload);
        Assert.Equal(3, payload.GetProperty("failures").GetInt32());
        Assert.Equal(await world.ScalarAsync<Guid>("SELECT id FROM job_runs ORDER BY started_at DESC LIMIT 1"), payload.GetProperty("run_id").GetGuid());
        Assert.Contains("RENEWAL_RETRY_DAYS must be whole days", payload.GetProperty("error").GetString(), StringComparison.Ordinal);

        await FailAsync(world, 2);
        Assert.Equal(1, await world.ScalarAsync<long>(Told));

        Assert.Equal(0, (await world.RunAsync(Job)).ExitCode);
        await FailAsync(world, 2);
        Assert.Equal(1, await world.ScalarAsync<long>(Told));
        await FailAsync(world, 2);
        Assert.Equal(2, await world.ScalarAsync<long>(Told));
    }

    [Fact]
    public async Task What_says_nothing_about_the_job_neither_counts_nor_interrupts()
    {
        await using var world = await fixture.WorldAsync();
        await FailAsync(world, 2);
        // Restricted, skipped, of another shard, of another job.
        Assert.Equal(0, (await world.RunAsync(Job, "--only", "1")).ExitCode);
        await FailAsync(world, 1, "--limit", "1");
        await FailAsync(world, 1, "--shard", "0/2");
        Assert.Equal(0, (await world.RunAsync("daily-stats")).ExitCode);
        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason) VALUES (@Job, 'a while')", new { Job });
        Assert.Equal("skipped", (await world.RunAsync(Job)).Json.GetProperty("status").GetString());
        await world.ExecuteAsync("DELETE FROM job_pauses");
        Assert.Equal(0, await world.ScalarAsync<long>(Told));

        await FailAsync(world, 1);
        Assert.Equal(1, await world.ScalarAsync<long>(Told));
        await FailAsync(world, 2, "--shard", "0/2");
        Assert.Equal("staff_job:expire-subscriptions 0/2:never", await world.ScalarAsync<string>("SELECT dedupe_key FROM notifications ORDER BY id DESC LIMIT 1"));
    }

    [Fact]
    public async Task Nobody_is_told_of_what_a_person_asked_for_or_where_there_is_no_staff()
    {
        await using var world = await fixture.WorldAsync();
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(1, (await world.RunAsync("grant-membership", "--user", "77", "--type", "basic", "--recorded-by", "77", "--reference", $"r{i}")).ExitCode);
        }

        world.Environment["STAFF_EMAIL"] = null;
        await FailAsync(world, 4);
        world.Environment["STAFF_EMAIL_FILE"] = "/nowhere";
        await FailAsync(world, 1);
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM notifications"));
        Assert.Equal(5, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = @Job AND status = 'failed'", new { Job }));
        // As soon as there is somebody.
        (world.Environment["STAFF_EMAIL_FILE"], world.Environment["STAFF_EMAIL"]) = (null, "staff@example.test");
        await FailAsync(world, 1);
        Assert.Equal(6, await world.ScalarAsync<long>("SELECT (payload ->> 'failures')::bigint FROM notifications"));
    }

    // Late: the longest pause, an hour where clocks may change in it, the time-out, a minute. cleanup: 7 d + 1 h + 2 h 1 min.
    [Theory]
    [InlineData(Job, "25 hours 32 minutes", "25 hours 30 minutes")]
    [InlineData("cleanup", "7 days 3 hours 2 minutes", "7 days 3 hours")]
    [InlineData("match-pending-payments", "14 minutes", "12 minutes")]
    [InlineData("process-payment-queue", "13 minutes", "11 minutes")]
    public async Task A_job_is_late_after_its_pause_and_its_longest_run(string job, string late, string intime)
    {
        await using var scene = await MailScene.SetAsync(fixture);
        await RanAsync(scene.World, job, late);
        var success = await RanAsync(scene.World, job, intime);
        await scene.SucceedAsync();
        Assert.Equal(0, await scene.World.ScalarAsync<long>(Told));

        await scene.World.ExecuteAsync("DELETE FROM job_runs WHERE id = @success", new { success });
        await scene.SucceedAsync();
        await scene.SucceedAsync();
        Assert.Equal(1, await scene.World.ScalarAsync<long>(Told));
        // It went out with the run after.
        Assert.Equal("staff_job_late sent", await scene.World.ScalarAsync<string>("SELECT kind || ' ' || status FROM notifications WHERE payload ->> 'job' = @job", new { job }));
    }

    [Fact]
    public async Task Late_is_told_once_an_episode_and_not_of_what_is_paused_restricted_or_never_seen()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        var world = scene.World;
        await RanAsync(world, "autopayment", "3 days");
        await RanAsync(world, "daily-stats", "3 days");
        await RanAsync(world, "renewal-reminder", "3 days");
        await RanAsync(world, "renewal-reminder", "1 hour", partial: true);
        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason) VALUES ('autopayment', 'moving')");
        // Paused until an hour ago: its next run is tomorrow.
        await RanAsync(world, "daily-stats", "1 hour", status: "skipped", error: "paused");
        // Never succeeded since it was first seen; and first seen just now.
        await RanAsync(world, "expire-payments", "3 days", status: "failed", error: "the key is wrong");
        await RanAsync(world, "subscription-sync", "1 hour", status: "failed", error: "the key is wrong");

        await scene.SucceedAsync();
        await scene.SucceedAsync();

        var told = await world.QueryAsync("SELECT dedupe_key, payload::text AS payload FROM notifications ORDER BY dedupe_key");
        Assert.Equal(["expire-payments", "renewal-reminder"], told.Select(row => ((string)row.dedupe_key).Split(':')[1]));
        Assert.Equal("the key is wrong", JobWorld.ParseOne((string)told[0].payload).GetProperty("error").GetString());

        // Failing as well is the same episode; a success ends it, and the next is another.
        await RanAsync(world, "renewal-reminder", "2 days 2 hours");
        await scene.SucceedAsync();
        Assert.Equal(3, await world.ScalarAsync<long>(Told));
        await world.ExecuteAsync("DELETE FROM job_pauses");
        await scene.SucceedAsync();
        Assert.Equal(4, await world.ScalarAsync<long>(Told));
    }

    [Fact]
    public async Task A_job_that_fails_and_is_late_is_told_of_once()
    {
        await using var scene = await MailScene.SetAsync(fixture);
        await RanAsync(scene.World, Job, "3 days");
        await FailAsync(scene.World, 3);
        Assert.Equal(1, await scene.World.ScalarAsync<long>(Told));

        await scene.SucceedAsync();
        await FailAsync(scene.World, 1);
        Assert.Equal("staff_job_failing", await scene.World.ScalarAsync<string>("SELECT string_agg(kind, ' ') FROM notifications"));
    }

    [Fact]
    public async Task Two_that_look_at_once_tell_once()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["MAIL_FROM"] = "office@example.test";
        world.Environment["SMTP_URL"] = $"smtp://{HttpSink.Refusing()}";
        await RanAsync(world, Job, "3 days");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => world.RunAsync("send-notifications", "--shard", $"{i}/4")));
        Assert.Equal(1, await world.ScalarAsync<long>(Told));
    }

    [Fact]
    public async Task The_mails_say_which_job_since_when_why_and_what_to_do_in_every_language()
    {
        await using var world = await fixture.WorldAsync();
        await RanAsync(world, Job, "3 days");
        await RanAsync(world, "daily-stats", "3 days", status: "failed", error: "the key is wrong");
        await FailAsync(world, 3);
        world.Environment["MAIL_FROM"] = "office@example.test";
        world.Environment["SMTP_URL"] = $"smtp://{HttpSink.Refusing()}";
        await world.RunAsync("send-notifications");
        var run = await world.ScalarAsync<Guid>("SELECT id FROM job_runs WHERE job = @Job ORDER BY started_at DESC LIMIT 1", new { Job });

        await using var scene = new TemplateScene(world);
        var mails = await scene.ComposeAllAsync(world);

        Assert.Equal(6, mails.Count);
        Assert.All(mails, mail =>
        {
            TemplateScene.IsWhole(mail.Mail);
            TemplateScene.SaysTheSameTwice(mail.Mail);
            var job = mail.Kind == "staff_job_failing" ? Job : "daily-stats";
            Assert.EndsWith(job, mail.Mail.Subject, StringComparison.Ordinal);
            Assert.Contains(mail.Kind == "staff_job_failing" ? $"jobctl show {run}" : "jobctl show ", mail.Mail.Text, StringComparison.Ordinal);
            Assert.Contains(mail.Kind == "staff_job_failing" ? "docker/runbooks/job-failing.md" : "docker/runbooks/job-stale.md", mail.Mail.Text, StringComparison.Ordinal);
            Assert.Contains(mail.Kind == "staff_job_failing" ? "RENEWAL_RETRY_DAYS" : "the key is wrong", mail.Mail.Text, StringComparison.Ordinal);
        });
        var english = mails.Where(m => m.Locale == "en").Select(m => m.Mail.Text).ToList();
        Assert.Contains(english, text => text.Contains("has failed 3 times in a row. Its last success was on ", StringComparison.Ordinal));
        Assert.Contains(english, text => text.Contains("should have succeeded by now, and never has.", StringComparison.Ordinal));
    }

    /// <summary>A setting that is wrong: recorded as failed.</summary>
    private static async Task FailAsync(JobWorld world, int times, params string[] args)
    {
        world.Environment["RENEWAL_RETRY_DAYS"] = "nonsense";
        for (var i = 0; i < times; i++)
        {
            Assert.Equal(1, (await world.RunAsync(Job, args)).ExitCode);
        }

        world.Environment.Remove("RENEWAL_RETRY_DAYS");
    }

    private static Task<Guid> RanAsync(JobWorld world, string job, string ago, string status = "succeeded", bool partial = false, string? error = null) =>
        world.ScalarAsync<Guid>(
            """
            INSERT INTO job_runs (id, job, status, partial, started_at, finished_at, error)
            VALUES (gen_random_uuid(), @job, @status, @partial, now() - @ago::interval - interval '10 seconds', now() - @ago::interval, @error)
            RETURNING id
            """,
            new { job, ago, status, partial, error });
}
