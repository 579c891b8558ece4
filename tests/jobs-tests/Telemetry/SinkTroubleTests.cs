using System.Diagnostics;
using Jobs.Tests.Rendering;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;

namespace Jobs.Tests.Telemetry;

/// <summary>Whatever is wrong with those who are told, the run is as it would have been, and says so within its 5 s.</summary>
public sealed class SinkTroubleTests(PostgresFixture fixture)
{
    private const string Job = "expire-subscriptions";

    public static TheoryData<Manner?> Manners => [(Manner?)null, .. Enum.GetValues<Manner>().Where(manner => manner is not (Manner.Well or Manner.SlowBody)).Select(manner => (Manner?)manner)];

    [Theory]
    [MemberData(nameof(Manners))]
    public async Task Nobody_who_is_told_changes_the_exit_code_or_takes_longer_than_five_seconds(Manner? manner)
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink(manner ?? Manner.Well);
        await world.SubscriptionsAsync(3);
        SinkTests.Everything(world, "/nowhere/at/all", manner is null ? HttpSink.Refusing() : sink.Address);
        var clock = Stopwatch.StartNew();

        var result = await world.RunAsync(Job);

        Assert.True(result.ExitCode == 0, result.ToString());
        Assert.Equal(3, result.Counter("expired"));
        // The run's own time counts too, on a busy machine.
        Assert.InRange(clock.Elapsed.TotalSeconds - (result.Json.GetProperty("duration_ms").GetInt64() / 1000.0), 0, 9);
        string[] sinks = ["METRICS_TEXTFILE_DIR", "PUSHGATEWAY_URL", "HEALTHCHECKS_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        Assert.All(sinks, name => Assert.Contains($"Not told: {name}: ", result.Stderr, StringComparison.Ordinal));
        Assert.DoesNotContain("secret", result.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("exception", result.Stderr, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("succeeded", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE job = @Job", new { Job }));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Fact]
    public async Task An_answer_whose_body_never_ends_is_an_answer()
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink(Manner.SlowBody);
        world.Environment["PUSHGATEWAY_URL"] = $"http://{sink.Address}";
        world.Environment["HEALTHCHECKS_URL"] = $"http://{sink.Address}/key";

        Assert.True(await world.RunAsync(Job) is { ExitCode: 0, Stderr: "" });
    }

    [Fact]
    public async Task A_folder_that_may_not_be_written_to_is_named()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        // Also root may not write here.
        world.Environment["METRICS_TEXTFILE_DIR"] = "/proc/self";

        var result = await world.RunAsync(Job);

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("Not told: METRICS_TEXTFILE_DIR: ", result.Stderr, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PUSHGATEWAY_URL", "secret:9091", "PUSHGATEWAY_URL is no http or https URL; it is not used")]
    [InlineData("HEALTHCHECKS_URL", "hc-ping.com/secret", "HEALTHCHECKS_URL is no http or https URL; it is not used")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://secret:4317", "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL; it is not used")]
    [InlineData("HEALTHCHECKS_URL_FILE", "/nowhere/secret", "HEALTHCHECKS_URL_FILE names the file '/nowhere/secret', which cannot be read")]
    public async Task A_mistake_in_a_variable_is_one_warning(string name, string value, string sentence)
    {
        await using var world = await fixture.WorldAsync();
        world.Environment[name] = value;

        var result = await world.RunAsync(Job);

        Assert.Equal(0, result.ExitCode);
        var warning = Assert.Single(result.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(sentence, warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_collector_that_is_to_be_asked_by_gRPC_is_not_asked_at_all()
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink();
        world.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://{sink.Address}";
        world.Environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";

        var result = await world.RunAsync(Job);

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, not 'grpc'", result.Stderr, StringComparison.Ordinal);
        Assert.Empty(sink.Requests);
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task After_a_signal_all_of_it_is_over_within_ten_seconds(string signal)
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink(Manner.Never);
        await world.SubscriptionsAsync(10);
        SinkTests.Everything(world, "/nowhere/at/all", sink.Address);
        await using var blocker = await LeaseTests.BlockAsync(world);
        using var run = world.StartPublished(Job, "--output", "json");
        await world.UntilAsync("SELECT EXISTS (SELECT FROM leases)");
        var clock = Stopwatch.StartNew();

        run.Signal(signal);
        var result = await run.EndAsync();

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("interrupted", result.Json.GetProperty("status").GetString());
        Assert.Equal("interrupted", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE job = @Job", new { Job }));
        Assert.DoesNotContain("secret", result.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signal_that_comes_while_the_world_is_told_changes_nothing_any_more()
    {
        await using var world = await fixture.WorldAsync();
        await using var sink = new HttpSink(Manner.Never);
        world.Environment["PUSHGATEWAY_URL"] = $"http://{sink.Address}";
        using var run = world.StartPublished(Job, "--output", "json");
        await sink.UntilAsync(sent => sent.Count > 0);

        run.Signal("TERM");
        var result = await run.EndAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Equal("succeeded", result.Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task Metrics_of_a_run_are_told_though_the_database_does_not_answer_for_those_of_all()
    {
        await using var world = await fixture.WorldAsync();
        using var folder = new Folder();
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.Path;
        await using var lockedOut = new Npgsql.NpgsqlConnection(world.Server.ConnectionFor(world.Database).ConnectionString);
        await lockedOut.OpenAsync(TestContext.Current.CancellationToken);
        await using var begin = new Npgsql.NpgsqlCommand("BEGIN; LOCK TABLE payment_queue IN ACCESS EXCLUSIVE MODE", lockedOut);
        await begin.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var result = await world.RunAsync(Job);

        Assert.Equal(0, result.ExitCode);
        Assert.Equal(["jobs_expire-subscriptions.prom"], folder.Read().Keys);
        Assert.Contains("Not told: metrics: ", result.Stderr, StringComparison.Ordinal);
    }
}
