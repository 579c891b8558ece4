using System.Globalization;
using System.Text;
using Jobs.Tests.Rendering;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Telemetry;

/// <summary>What published jobs tell textfile, Pushgateway, Healthchecks and Kubernetes, and when.</summary>
public sealed class SinkTests(PostgresFixture fixture)
{
    private const string Job = "expire-subscriptions";
    private const string Success = "jobs_run_last_success_timestamp_seconds{job_name=\"expire-subscriptions\"} ";

    [Fact]
    public async Task A_textfile_of_the_run_and_one_of_all_jobs_are_there_whole_and_readable()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        await world.SubscriptionsAsync(3);
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.Path;

        var result = await world.RunAsync(Job);

        Assert.True(result is { ExitCode: 0, Stderr: "" }, result.ToString());
        var files = folder.Read();
        Assert.Equal(["jobs.prom", "jobs_expire-subscriptions.prom"], files.Keys);
        Assert.All(files.Keys, name => Assert.Equal((UnixFileMode)0b110_100_100, File.GetUnixFileMode(Path.Combine(folder.Path, name))));
        var run = files["jobs_expire-subscriptions.prom"];
        Assert.Contains("jobs_run_last_exit_code{job_name=\"expire-subscriptions\"} 0\n", run, StringComparison.Ordinal);
        Assert.InRange(Value(run, Success), Now() - 120, Now());
        Assert.InRange(Value(run, "jobs_run_last_duration_seconds{job_name=\"expire-subscriptions\"} "), 0.001, 100);
        Assert.Contains("jobs_items_total{job_name=\"expire-subscriptions\",outcome=\"expired\"} 3\n", files["jobs.prom"], StringComparison.Ordinal);
        Assert.Contains("jobs_expected_interval_seconds{job_name=\"autopayment\"} 86400\n", files["jobs.prom"], StringComparison.Ordinal);
        // The collector takes all files for one text.
        await Promtool.CheckAsync(string.Concat(files.Values));
    }

    [Fact]
    public async Task A_run_that_fails_keeps_the_last_success_with_and_without_the_database()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.Path;
        await world.RunAsync(Job);
        var before = Value(folder.Read()["jobs_expire-subscriptions.prom"], Success);

        Assert.Equal(1, (await world.RunAsync(Job, "--as-of", "2026-13-01")).ExitCode);
        Assert.Contains("exit_code{job_name=\"expire-subscriptions\"} 0\n", folder.Read()["jobs_expire-subscriptions.prom"], StringComparison.Ordinal);

        world.Environment["RENEWAL_RETRY_DAYS"] = "nonsense";
        Assert.Equal(1, (await world.RunAsync(Job)).ExitCode);
        AssertFailedSince(before);

        world.Environment["DATABASE_URL"] = $"postgresql://u:secretpassword@{HttpSink.Refusing()}/none";
        var unreachable = await world.RunAsync(Job);
        Assert.Equal(1, unreachable.ExitCode);
        Assert.DoesNotContain("secretpassword", unreachable.ToString(), StringComparison.Ordinal);
        AssertFailedSince(before);

        void AssertFailedSince(double success)
        {
            var run = folder.Read()["jobs_expire-subscriptions.prom"];
            Assert.Contains("jobs_run_last_exit_code{job_name=\"expire-subscriptions\"} 1\n", run, StringComparison.Ordinal);
            Assert.Equal(success, Value(run, Success));
            Assert.True(Value(run, "jobs_run_last_completion_timestamp_seconds{job_name=\"expire-subscriptions\"} ") > success);
        }
    }

    [Fact]
    public async Task A_run_of_a_few_items_is_no_success_of_the_job()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        await using var sink = new HttpSink();
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.Path;
        world.Environment["HEALTHCHECKS_URL"] = $"http://{sink.Address}/key";

        Assert.Equal(0, (await world.RunAsync(Job, "--limit", "5")).ExitCode);

        Assert.DoesNotContain("last_success", folder.Read()["jobs_expire-subscriptions.prom"], StringComparison.Ordinal);
        Assert.Equal(["/key/expire-subscriptions/start", "/key/expire-subscriptions/log"], sink.Requests.Select(r => r.Path));
    }

    [Fact]
    public async Task Each_shard_has_its_own_file_and_its_own_group()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        await using var sink = new HttpSink();
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.Path;
        world.Environment["PUSHGATEWAY_URL"] = $"http://{sink.Address}/prefix/";

        var runs = await Task.WhenAll(world.RunAsync(Job, "--shard", "0/2"), world.RunAsync(Job, "--shard", "1/2"));

        Assert.All(runs, run => Assert.True(run is { ExitCode: 0, Stderr: "" }, run.ToString()));
        var files = folder.Read();
        Assert.Equal(["jobs.prom", "jobs_expire-subscriptions_0_of_2.prom", "jobs_expire-subscriptions_1_of_2.prom"], files.Keys);
        Assert.Contains("jobs_run_last_exit_code{job_name=\"expire-subscriptions\",shard=\"1/2\"} 0\n", files["jobs_expire-subscriptions_1_of_2.prom"], StringComparison.Ordinal);
        foreach (var file in files.Values)
        {
            await Promtool.CheckAsync(file);
        }

        string[] groups =
        [
            "/prefix/metrics/job/jobs", "/prefix/metrics/job/jobs",
            "/prefix/metrics/job/jobs/job_name/expire-subscriptions/shard@base64/MC8y", "/prefix/metrics/job/jobs/job_name/expire-subscriptions/shard@base64/MS8y",
        ];
        Assert.Equal(groups, sink.Requests.Select(r => r.Target).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_Pushgateway_gets_the_run_and_all_jobs_each_in_its_group_with_the_password()
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink();
        world.Environment["PUSHGATEWAY_URL"] = $"http://push:p%40ss%20word@{sink.Address}";

        var result = await world.RunAsync(Job);
        world.Environment["RENEWAL_RETRY_DAYS"] = "nonsense";
        await world.RunAsync(Job);

        Assert.True(result is { ExitCode: 0, Stderr: "" }, result.ToString());
        Assert.Equal(4, sink.Requests.Count);
        Assert.All(sink.Requests, r =>
        {
            Assert.Equal("PUT", r.Method);
            Assert.Equal("Basic " + Convert.ToBase64String("push:p@ss word"u8), r.Headers["Authorization"]);
            Assert.StartsWith("text/plain; version=0.0.4", r.Headers["Content-Type"], StringComparison.Ordinal);
            Assert.EndsWith("\n", r.Text, StringComparison.Ordinal);
        });
        var pushes = sink.Requests.Where(r => r.Target == "/metrics/job/jobs/job_name/expire-subscriptions").ToList();
        Assert.Equal(2, pushes.Count);
        Assert.Contains("jobs_run_last_exit_code{job_name=\"expire-subscriptions\"} 1\n", pushes[1].Text, StringComparison.Ordinal);
        Assert.Equal(Value(pushes[0].Text, Success), Value(pushes[1].Text, Success));
        await Promtool.CheckAsync(string.Concat(sink.Requests.Take(2).Select(r => r.Text)));
    }

    [Fact]
    public async Task Where_nobody_knows_of_a_success_the_one_that_was_pushed_before_stays()
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink();
        world.Environment["PUSHGATEWAY_URL"] = $"http://{sink.Address}";
        world.Environment["DATABASE_URL"] = $"postgresql://u:p@{HttpSink.Refusing()}/none";

        Assert.Equal(1, (await world.RunAsync(Job)).ExitCode);

        var push = Assert.Single(sink.Requests);
        Assert.Equal(("POST", "/metrics/job/jobs/job_name/expire-subscriptions"), (push.Method, push.Target));
        Assert.DoesNotContain("last_success", push.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://ADDRESS/key", "/key/expire-subscriptions", "?rid=")]
    [InlineData("http://ADDRESS/key/?create=1", "/key/expire-subscriptions", "?create=1&rid=")]
    [InlineData("http://ADDRESS/ping/jobs-{job}", "/ping/jobs-expire-subscriptions", "?rid=")]
    [InlineData("http://ADDRESS/{job}/key", "/expire-subscriptions/key", "?rid=")]
    public async Task Healthchecks_hears_of_start_and_success_of_the_same_run(string url, string path, string query)
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink();
        world.Environment["HEALTHCHECKS_URL"] = url.Replace("ADDRESS", sink.Address, StringComparison.Ordinal);

        var result = await world.RunAsync(Job);

        Assert.True(result is { ExitCode: 0, Stderr: "" }, result.ToString());
        var id = result.Json.GetProperty("run_id").GetString();
        Assert.Equal([$"{path}/start{query}{id}", $"{path}{query}{id}"], sink.Requests.Select(r => r.Target));
        Assert.StartsWith("expire-subscriptions: succeeded in ", sink.Requests[1].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Healthchecks_hears_of_a_failure_with_its_reason_also_when_nothing_could_begin()
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink();
        world.Environment["HEALTHCHECKS_URL"] = $"http://{sink.Address}/key";
        world.Environment["RENEWAL_RETRY_DAYS"] = "nonsense";
        await world.RunAsync(Job);
        world.Environment["DATABASE_URL"] = $"postgresql://u:p@{HttpSink.Refusing()}/none";
        await world.RunAsync(Job);

        Assert.Equal(["/start", "/fail", "/fail"], sink.Requests.Select(r => r.Path["/key/expire-subscriptions".Length..]));
        Assert.Contains("RENEWAL_RETRY_DAYS must be whole days, not 'nonsense'", sink.Requests[1].Text, StringComparison.Ordinal);
        Assert.Contains("the database cannot be reached", sink.Requests[2].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_is_skipped_leaves_every_state_as_it_was_and_says_why_in_the_log_of_the_check()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        await using var sink = new HttpSink();
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.Path;
        world.Environment["PUSHGATEWAY_URL"] = $"http://{sink.Address}";
        world.Environment["HEALTHCHECKS_URL"] = $"http://{sink.Address}/key";
        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason) VALUES ('expire-subscriptions', 'the till is being moved')");

        Assert.Equal("skipped", (await world.RunAsync(Job)).Json.GetProperty("status").GetString());

        Assert.Empty(folder.Read());
        var ping = Assert.Single(sink.Requests);
        Assert.Equal("/key/expire-subscriptions/log", ping.Path);
        Assert.Contains("paused: the till is being moved", ping.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_operator_sees_the_metrics_of_all_jobs_in_both_forms()
    {
        await using var world = await fixture.WorldAsync();
        await world.RunAsync(Job);
        await world.RunAsync("daily-stats");

        using var asText = world.Start("jobctl", "metrics");
        var text = await asText.EndAsync();
        var json = await world.RunAsync("jobctl", "metrics");

        Assert.True(text is { ExitCode: 0, Stderr: "" }, text.ToString());
        Assert.True(json is { ExitCode: 0, Stderr: "" }, json.ToString());
        await Promtool.CheckAsync(text.Stdout);
        Assert.Contains("jobs_run_last_exit_code{job_name=\"daily-stats\"} 0\n", text.Stdout, StringComparison.Ordinal);
        var metrics = json.Json.GetProperty("metrics").EnumerateArray().ToList();
        var exitCodes = Assert.Single(metrics, m => m.GetProperty("name").GetString() == "jobs_run_last_exit_code").GetProperty("samples").EnumerateArray()
            .ToDictionary(s => s.GetProperty("labels").GetProperty("job_name").GetString()!, s => s.GetProperty("value").GetDouble());
        Assert.Equal((0.0, 0.0), (exitCodes[Job], exitCodes["daily-stats"]));
        Assert.Equal("counter", Assert.Single(metrics, m => m.GetProperty("name").GetString() == "jobs_stock_released_total").GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_dry_run_tells_nobody()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        await using var sink = new HttpSink();
        Everything(world, folder.Path, sink.Address);

        Assert.True(await world.RunAsync(Job, "--dry-run") is { ExitCode: 0, Stderr: "" });

        Assert.Empty(folder.Read());
        Assert.Empty(sink.Requests);
    }

    [Theory]
    [InlineData("succeeded")]
    [InlineData("failed")]
    [InlineData("skipped")]
    [InlineData("unreachable")]
    public async Task Kubernetes_finds_the_result_in_one_line(string status)
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        var file = folder.Write("termination-log", "what an earlier container said, which was much longer than what this one will have to say of itself, surely");
        world.Environment["TERMINATION_MESSAGE_PATH"] = file;
        if (status == "failed")
            world.Environment["RENEWAL_RETRY_DAYS"] = new string('é', 5000);
        if (status == "skipped")
            await world.ExecuteAsync("INSERT INTO job_pauses (job, reason) VALUES ('expire-subscriptions', 'why not')");
        if (status == "unreachable")
            world.Environment["DATABASE_URL"] = $"postgresql://u:secretpassword@{HttpSink.Refusing()}/none";

        await world.RunAsync(Job);

        var said = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        var line = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(said);
        Assert.StartsWith(status == "unreachable" ? "expire-subscriptions: the database cannot be reached" : $"expire-subscriptions: {status} in ", line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
        Assert.DoesNotContain("secretpassword", line, StringComparison.Ordinal);
        if (status == "failed")
            Assert.InRange(said.Length, 4090, 4096);
    }

    [Fact]
    public async Task A_file_that_a_killed_run_left_half_written_harms_nobody_and_goes()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.Path;
        await world.RunAsync(Job);
        var whole = folder.Read()["jobs_expire-subscriptions.prom"];
        var left = folder.Write("jobs_expire-subscriptions.prom.0123456789abcdef0123456789abcdef.tmp", whole[..100]);
        var fresh = folder.Write("jobs_expire-subscriptions.prom.fedcba98765432100123456789abcdef.tmp", whole[..50]);
        File.SetLastWriteTimeUtc(left, DateTime.UtcNow.AddMinutes(-11));

        await world.RunAsync(Job);

        Assert.Equal(["jobs.prom", "jobs_expire-subscriptions.prom", Path.GetFileName(fresh)], folder.Read().Keys);
    }

    [Fact]
    public async Task Many_runs_at_once_leave_whole_files()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.Path;
        using var watching = new CancellationTokenSource();
        var seen = Task.Run(async () =>
        {
            for (; !watching.IsCancellationRequested; await Task.Delay(1))
            {
                foreach (var file in Directory.GetFiles(folder.Path, "*.prom"))
                    Assert.EndsWith("\n", await File.ReadAllTextAsync(file), StringComparison.Ordinal);
            }
        }, TestContext.Current.CancellationToken);

        var runs = await Task.WhenAll(Enumerable.Range(0, 4).SelectMany(_ => new[] { world.RunAsync("daily-stats"), world.RunAsync("renewal-reminder") }));

        await watching.CancelAsync();
        await seen;
        Assert.All(runs, run => Assert.True(run is { ExitCode: 0 }, run.ToString()));
        Assert.Equal(["jobs.prom", "jobs_daily-stats.prom", "jobs_renewal-reminder.prom"], folder.Read().Keys);
    }

    internal static void Everything(JobWorld world, string folder, string address)
    {
        world.Environment["METRICS_TEXTFILE_DIR"] = folder;
        world.Environment["PUSHGATEWAY_URL"] = $"http://push:secretpassword@{address}";
        world.Environment["HEALTHCHECKS_URL"] = $"http://{address}/secretpingkey";
        world.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://{address}";
        world.Environment["OTEL_EXPORTER_OTLP_HEADERS"] = "x-api-key=secretheader";
    }

    internal static double Value(string metrics, string start) => double.Parse(
        Assert.Single(metrics.Split('\n'), line => line.StartsWith(start, StringComparison.Ordinal))[start.Length..], CultureInfo.InvariantCulture);

    private static double Now() => (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds + 5;
}
