using System.Text.Json;
using Jobs.Tests.Rendering;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;

namespace Jobs.Tests.Acting;

/// <summary>Jobs that a person starts: now, for days that were missed, or in a cluster.</summary>
public sealed class StartingTests(PostgresFixture fixture)
{
    [Fact]
    public async Task The_ledger_says_who_started_a_run_and_its_result_and_options_pass_through()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ben", endedAt: DateTime.UtcNow.AddHours(-1));

        var dry = await world.RunPublishedAsync("jobctl", "run", "autopayment", "--dry-run");
        Assert.Equal(("autopayment", true), (dry.Done().Json.GetProperty("job").GetString(), dry.Json.GetProperty("dry_run").GetBoolean()));
        var run = await world.RunPublishedAsync("jobctl", "run", "autopayment", "--actor", "ada", "--", "--limit", "1", "--items");

        Assert.Equal(1, run.Done().Counter("charged"));
        Assert.Single(run.Json.GetProperty("items").EnumerateArray());
        var row = await world.OneAsync("SELECT trigger, actor, partial, status FROM job_runs WHERE job = 'autopayment'");
        Assert.Equal(("manual", "ada", true, "succeeded"), ((string)row.trigger, (string)row.actor, (bool)row.partial, (string)row.status));
    }

    [Fact]
    public async Task The_exit_code_is_the_job_s_and_so_is_what_it_says()
    {
        await using var world = await fixture.WorldAsync();
        var run = await world.RunPublishedAsync("jobctl", "run", "autopayment", "--", "--limt", "1");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("autopayment: '--limt' is not an option of autopayment; did you mean --limit?", run.Stderr, StringComparison.Ordinal);
        Assert.Contains("'soon' is too much", (await world.ActAsync("run", "autopayment", "soon")).Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Told_to_stop_it_tells_the_job_which_ends_what_it_has_in_hand()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ben", endedAt: DateTime.UtcNow.AddHours(-1));
        await world.Stripe.FaultAsync("hang_before", new { method = "POST" });
        using var process = world.StartPublished("jobctl", "run", "autopayment", "--output", "json");
        await world.Stripe.HeldAsync(waitMs: 60_000);

        process.Signal("TERM");
        await world.Stripe.ReleaseAsync();
        var result = await process.EndAsync();
        await world.Stripe.ClearFaultsAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.Equal("interrupted", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE job = 'autopayment'"));
    }

    private static JsonElement[] Days(JobResult result) => [.. result.Done().Json.GetProperty("days").EnumerateArray()];

    [Fact]
    public async Task Missed_days_are_planned_first_and_made_up_for_once()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ben");
        await world.ExecuteAsync("INSERT INTO attendances (user_id, attended_on) VALUES (@user, '2026-11-02'); INSERT INTO daily_stats (stat_date) VALUES ('2026-11-03')", new { user });
        string[] range = ["backfill", "daily-stats", "--from", "2026-11-02", "--to", "2026-11-04"];

        Assert.Equal(3, Days(await world.ActAsync(range)).Length);
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM daily_stats"));
        Assert.Equal(["2026-11-02", "2026-11-04"], Days(await world.ActAsync([.. range, "--missing-only", "--yes"])).Select(d => d.GetProperty("date").GetString()));
        Assert.Empty(Days(await world.ActAsync([.. range, "--missing-only", "--yes"])));

        Assert.Equal("1", await world.ScalarAsync<string>("SELECT data ->> 'total_visits' FROM daily_stats WHERE stat_date = '2026-11-02'"));
        Assert.Equal(2, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = 'daily-stats' AND actor = 'ada' AND trigger = 'manual'"));
    }

    [Fact]
    public async Task The_plan_says_what_would_be_charged_and_in_production_nothing_more_is_done()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ben", endedAt: new DateTime(2026, 11, 2, 3, 0, 0, DateTimeKind.Utc));
        string[] range = ["backfill", "autopayment", "--from", "2026-11-01", "--to", "2026-11-02"];

        var days = Days(await world.ActAsync(range));
        world.Environment["APP_ENV"] = "production";
        world.Environment["STRIPE_SECRET_KEY"] = "sk_live_fake";
        var refusal = (await world.ActAsync([.. range, "--yes"])).Refusal();

        Assert.Equal("2026-11-01T05:00:00Z 2026-11-02T05:00:00Z", string.Join(' ', days.Select(d => d.GetProperty("as_of").GetString())));
        Assert.Equal(
            ["{}", """{"eur":1000}"""],
            days.Select(d => d.GetProperty("plan").GetProperty("amounts_minor").GetRawText()));
        Assert.Contains("autopayment is not run for another day in production", refusal, StringComparison.Ordinal);
        Assert.Equal(0, await world.ChargesAsync());
        using var text = world.Start("jobctl", range);
        Assert.Contains("10.00", (await text.EndAsync()).Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_day_that_fails_ends_it_and_says_where_to_go_on()
    {
        await using var world = await fixture.WorldAsync();
        await world.ActAsync("pause", "renewal-reminder", "--reason", "holidays");
        var refusal = (await world.ActAsync("backfill", "renewal-reminder", "--from", "2026-11-01", "--to", "2026-11-02", "--yes")).Refusal();
        Assert.Contains("renewal-reminder skipped for 2026-11-01", refusal, StringComparison.Ordinal);
        Assert.EndsWith("Go on with: jobctl backfill renewal-reminder --from 2026-11-01 --to 2026-11-02 --yes", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--from is missing", "backfill", "daily-stats", "--to", "2026-11-02")]
    [InlineData("--from 2026-11-03 is after --to 2026-11-02", "backfill", "daily-stats", "--from", "2026-11-03", "--to", "2026-11-02")]
    [InlineData("is not over for daily-stats", "backfill", "daily-stats", "--from", "2026-11-03", "--to", "2027-11-02")]
    [InlineData("'cleanup' is none of the jobs", "backfill", "cleanup", "--from", "2026-11-03", "--to", "2026-11-04")]
    public async Task A_mistake_is_one_sentence(string sentence, params string[] args)
    {
        await using var world = await fixture.WorldAsync();
        Assert.Contains(sentence, (await world.ActAsync(args)).Refusal(), StringComparison.Ordinal);
    }

    private static async Task<(string Text, Job Job)> ManifestAsync(params string[] args)
    {
        using var process = JobInProcess.Start("jobctl", [], ["manifest", .. args]);
        var result = await process.EndAsync();
        Assert.True(result.ExitCode == 0, result.ToString());
        return (result.Stdout, Assert.IsType<Job>(Assert.Single(KubernetesObject.Read(result.Stdout))));
    }

    [Fact]
    public async Task A_Job_that_runs_once_is_made_as_the_scheduled_one_with_its_options()
    {
        var (_, job) = await ManifestAsync(
            "expire-subscriptions", "--as-of", "2026-11-20T06:00:00Z", "--shards", "4", "--image", "registry.example/jobs/expire-subscriptions:0.1.0", "--actor", "a \"b\": c",
            "--", "--batch-size", "50");

        Assert.Matches("^expire-subscriptions-[0-9]{8}-[0-9]{6}$", job.Metadata.Name);
        Assert.Equal(("Indexed", 4, 4), (job.Spec.CompletionMode, job.Spec.Completions, job.Spec.Parallelism));
        var container = Assert.Single(job.Spec.Template.Spec.Containers);
        Assert.Equal(["--as-of", "2026-11-20T06:00:00Z", "--batch-size", "50"], container.Args);
        Assert.Equal("registry.example/jobs/expire-subscriptions:0.1.0", container.Image);
        Assert.Equal("a \"b\": c", container.Env.Single(variable => variable.Name == "JOBS_ACTOR").Value);
        Assert.Equal("4", container.Env.Single(variable => variable.Name == "JOB_SHARDS").Value);
        Assert.DoesNotContain(container.Env, variable => variable.Name == "JOBS_TRIGGER");
    }

    [Theory]
    [InlineData("autopayment")]
    [InlineData("migrate")]
    [InlineData("record-payment")]
    public async Task Every_kind_of_job_has_one(string name)
    {
        var (text, job) = await ManifestAsync(name);
        Assert.Empty(Assert.Single(job.Spec.Template.Spec.Containers).Args);
        Assert.Contains($"kubectl logs -n jobs -f job/{job.Metadata.Name}", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_Job_for_another_day_that_moves_money_is_refused_in_production()
    {
        Dictionary<string, string?> production = new() { ["APP_ENV"] = "production" };
        using var process = JobInProcess.Start("jobctl", production, "manifest", "autopayment", "--as-of", "2026-11-20T06:00:00Z");
        Assert.Contains("--as-of is refused in production", (await process.EndAsync()).Stderr, StringComparison.Ordinal);
    }
}
