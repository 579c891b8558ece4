using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

public sealed class OutputTests(PostgresFixture fixture)
{
    private const string AsOf = "2026-11-20T05:00:00Z";
    private static readonly DateTime Now = new(2026, 11, 20, 5, 0, 0, DateTimeKind.Utc);

    [Fact]
    public async Task The_result_is_one_json_object_of_the_promised_shape()
    {
        await using var world = await fixture.WorldAsync();

        var run = await world.RunAsync("expire-subscriptions", "--as-of", AsOf, "--shard", "1/4");

        Assert.True(run.ExitCode == 0, run.ToString());
        var json = Mistake.OneObject(run);
        Assert.Equal("expire-subscriptions", json.GetProperty("job").GetString());
        Assert.Equal("succeeded", json.GetProperty("status").GetString());
        Assert.Equal(AsOf, json.GetProperty("as_of").GetString());
        Assert.Equal("1/4", json.GetProperty("shard").GetString());
        Assert.False(json.GetProperty("dry_run").GetBoolean());
        Assert.True(json.GetProperty("duration_ms").GetInt64() > 0);
        Assert.Equal(0, json.GetProperty("counters").GetProperty("expired").GetInt64());
        Assert.False(json.TryGetProperty("items", out _));
        Assert.False(json.TryGetProperty("error", out _));
        var started = DateTime.Parse(json.GetProperty("started_at").GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal);
        Assert.InRange(started, DateTime.UtcNow.AddMinutes(-2), DateTime.UtcNow.AddMinutes(1));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE id = @id", new { id = json.GetProperty("run_id").GetGuid() }));
    }

    [Theory]
    [InlineData("--items")]
    [InlineData("--dry-run")]
    public async Task Items_are_listed_when_asked_for_and_by_every_dry_run(string option)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.SubscriptionAsync(await world.UserAsync("ada"), await world.PlanAsync(), Now.AddDays(-4));

        var json = Mistake.OneObject(await world.RunAsync("expire-subscriptions", "--as-of", AsOf, option));

        var item = Assert.Single(json.GetProperty("items").EnumerateArray());
        Assert.Equal(id, item.GetProperty("id").GetInt64());
        Assert.Equal("expired", item.GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task Text_is_one_short_line()
    {
        await using var world = await fixture.WorldAsync();
        using var process = world.Start("expire-subscriptions", "--as-of", AsOf);
        Assert.Matches(@"^expire-subscriptions: succeeded in \d+\.\d s: 0 expired\n$", (await process.EndAsync()).Stdout);
        using var dry = world.Start("expire-subscriptions", "--dry-run");
        Assert.Matches(@"^expire-subscriptions: succeeded \(dry run, nothing written\) in \d+\.\d s: 0 expired\n$", (await dry.EndAsync()).Stdout);
    }

    [Fact]
    public async Task Logs_are_json_lines_with_job_and_run()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["LOG_LEVEL"] = "trace";
        var due = await world.SubscriptionAsync(await world.UserAsync("ada", "insufficient_funds"), await world.PlanAsync(), Now.AddHours(-1));
        Assert.True(due > 0);

        var run = await world.RunAsync("autopayment", "--as-of", AsOf);

        Assert.True(run.ExitCode == 0, run.ToString());
        var lines = run.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.NotEmpty(lines);
        Assert.All(lines, line =>
        {
            var log = JsonDocument.Parse(line).RootElement;
            Assert.True(log.TryGetProperty("time", out _) && log.TryGetProperty("level", out _) && log.TryGetProperty("message", out _), line);
            Assert.Equal("autopayment", log.GetProperty("job").GetString());
            Assert.Equal(run.Json.GetProperty("run_id").GetString(), log.GetProperty("run_id").GetString());
        });
        Mistake.NoSecret(run.Stdout + run.Stderr, world.Environment);
    }

    [Fact]
    public async Task A_log_line_is_written_at_once_so_that_no_kill_leaves_half_of_one()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["LOG_LEVEL"] = "trace";
        await world.SubscriptionAsync(await world.UserAsync("ada", "insufficient_funds"), await world.PlanAsync(), Now.AddHours(-1));
        using var log = new PacketPipe();

        using var job = JobProcess.Start(
            "/bin/bash", world.Environment, "-c", $"exec \"$0\" --as-of {AsOf} 2>{log.Redirection}", JobProcess.Executable("autopayment"));
        var end = job.EndAsync();
        var writes = await log.ReadUntilAsync(end);

        var run = await end;
        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Contains(writes, write => write.Length > 256);
        Assert.All(writes, write => Assert.Matches(@"^\{.*\}\n$", write));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    public async Task No_secret_is_logged_at_trace_level_whatever_the_provider_answers(int status)
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["LOG_LEVEL"] = "trace";
        await world.SubscriptionAsync(await world.UserAsync("ada"), await world.PlanAsync(), Now.AddHours(-1));
        await world.Stripe.FaultAsync($"status_before:{status}");

        var run = await world.RunAsync("autopayment", "--as-of", AsOf);

        Assert.Equal(1, run.ExitCode);
        Mistake.OneObject(run);
        Mistake.NoSecret(run.Stdout + run.Stderr, world.Environment);
        await world.Stripe.ClearFaultsAsync();
    }

    [Fact]
    public async Task The_option_beats_the_variable_and_the_variable_the_default()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["JOBS_SHARD"] = "2/8";
        world.Environment["JOBS_DRY_RUN"] = "yes";
        world.Environment["JOB_COMPLETION_INDEX"] = "3";
        world.Environment["JOB_SHARDS"] = "9";

        var json = (await world.RunAsync("expire-subscriptions", "--shard", "1/4", "--dry-run", "false")).Json;
        Assert.Equal("1/4", json.GetProperty("shard").GetString());
        Assert.False(json.GetProperty("dry_run").GetBoolean());

        json = (await world.RunAsync("expire-subscriptions")).Json;
        Assert.Equal("2/8", json.GetProperty("shard").GetString());
        Assert.True(json.GetProperty("dry_run").GetBoolean());

        world.Environment.Remove("JOBS_SHARD");
        Assert.Equal("3/9", (await world.RunAsync("expire-subscriptions")).Json.GetProperty("shard").GetString());

        world.Environment.Remove("JOB_SHARDS");
        Assert.Equal(JsonValueKind.Null, (await world.RunAsync("expire-subscriptions")).Json.GetProperty("shard").ValueKind);
    }

    [Fact]
    public async Task A_timeout_longer_than_any_timer_is_no_crash()
    {
        await using var world = await fixture.WorldAsync();
        Assert.Equal(0, (await world.RunAsync("expire-subscriptions", "--timeout", "3650d")).ExitCode);
    }

    [Fact]
    public async Task Work_is_done_and_recorded_even_when_the_result_has_nowhere_to_go()
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.SubscriptionAsync(await world.UserAsync("ada"), await world.PlanAsync(), Now.AddDays(-4));
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardError = true, UseShellExecute = false };
        start.Environment.Clear();
        foreach (var (name, value) in world.Environment)
        {
            start.Environment[name] = value;
        }

        foreach (var argument in new[] { "-c", "exec \"$0\" --items --output json --as-of " + AsOf + " > /dev/full", JobProcess.Executable("expire-subscriptions") })
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var stderr = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, process.ExitCode);
        Assert.DoesNotContain("   at ", stderr, StringComparison.Ordinal);
        Assert.Contains("could not be written to stdout", stderr, StringComparison.Ordinal);
        Assert.Equal("expired", await world.ScalarAsync<string>("SELECT status FROM subscriptions WHERE id = @id", new { id }));
        Assert.Equal("succeeded", await world.ScalarAsync<string>("SELECT status FROM job_runs"));
    }

    [Fact]
    public async Task Help_lists_every_option_with_its_variable_and_the_exit_status()
    {
        foreach (var job in Catalogue.Jobs.Where(job => job.Kind != JobKind.Tool))
        {
            using var process = JobProcess.Start(job.Name, [], "--help");
            var help = await process.EndAsync();
            Assert.True(help.ExitCode == 0 && help.Stderr.Length == 0, help.ToString());
            foreach (var name in new[] { "--dry-run", "--as-of", "--only", "--limit", "--batch-size", "--shard", "--timeout", "--output", "--items" })
            {
                var variable = "JOBS_" + name[2..].Replace('-', '_').ToUpperInvariant();
                Assert.Matches($@"(?m)^  {name}\b.*\[env: {variable}\]$", help.Stdout);
            }

            Assert.All(help.Stdout.Split('\n').Where(l => l.StartsWith("  --", StringComparison.Ordinal) && !l.Contains("--help") && !l.Contains("--version")), line => Assert.Contains("[env: ", line, StringComparison.Ordinal));
            Assert.Contains(job.Summary, help.Stdout, StringComparison.Ordinal);
            Assert.Contains("Exit status:\n  0  done", help.Stdout, StringComparison.Ordinal);
            Assert.Contains("\n  1  anything else", help.Stdout, StringComparison.Ordinal);
            Assert.All(job.Needs, need => Assert.Contains(need, help.Stdout, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task The_version_is_the_assemblys()
    {
        using var process = JobProcess.Start("expire-subscriptions", [], "--version");
        Assert.Equal(JobProgram.Version + "\n", (await process.EndAsync()).Stdout);
    }
}
