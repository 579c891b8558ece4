using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Telemetry;

/// <summary>Published jobs, and a collector that reads what they send.</summary>
public sealed class OtlpTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_trace_has_the_run_its_items_their_transactions_and_calls_of_Stripe_and_no_secret_or_person()
    {
        await using var world = await fixture.WorldAsync();
        await using var collector = new HttpSink();
        var plan = await world.PlanAsync();
        var paid = await world.SubscriptionAsync(await world.UserAsync("ada"), plan, DateTime.UtcNow.AddHours(-30));
        var declined = await world.SubscriptionAsync(await world.UserAsync("bob", "insufficient_funds"), plan, DateTime.UtcNow.AddHours(-30));
        world.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://{collector.Address}/otlp/";
        world.Environment["OTEL_EXPORTER_OTLP_HEADERS"] = "x-api-key=secretheader";
        world.Environment["OTEL_RESOURCE_ATTRIBUTES"] = "deployment.environment.name=tests";

        var result = await world.RunPublishedAsync("autopayment");

        Assert.True(result is { ExitCode: 0 }, result.ToString());
        Assert.DoesNotContain("Not told", result.Stderr, StringComparison.Ordinal);
        Assert.All(collector.Requests, r =>
        {
            Assert.Equal("secretheader", r.Headers["x-api-key"]);
            Assert.Equal("application/x-protobuf", r.Headers["Content-Type"]);
        });
        var spans = OtlpSpan.Of(collector.Requests);
        var run = Assert.Single(spans, s => s.Parent.Length == 0);
        Assert.Equal(("autopayment", "autopayment"), (run.Name, run.Service));
        Assert.Equal(result.Json.GetProperty("run_id").GetString(), run.Attributes["job.run_id"]);
        Assert.Equal("succeeded", run.Attributes["job.status"]);
        Assert.All(spans, s => Assert.Equal(run.Trace, s.Trace));
        var items = spans.Where(s => s.Name == "item").ToList();
        Assert.All(items, i => Assert.Equal(run.Id, i.Parent));
        Assert.Equal([paid, declined], items.Select(i => long.Parse(i.Attributes["job.item"], System.Globalization.CultureInfo.InvariantCulture)).Order());
        Assert.All(items, item =>
        {
            var call = Assert.Single(spans, s => s.Parent == item.Id && s.Name == "POST /v1/payment_intents");
            Assert.StartsWith("req_", call.Attributes["stripe.request_id"], StringComparison.Ordinal);
            Assert.Equal(item.Attributes["job.item"] == $"{declined}", call.Failed);
            Assert.Equal(call.Failed ? "402" : "200", call.Attributes["http.response.status_code"]);
            Assert.Contains(spans, s => s.Parent == item.Id && s.Name == "transaction");
        });
        Assert.All(collector.Requests, r => Assert.All(
            ["secretheader", "sk_test_", "pi_", "cus_", "pm_", "@example.test", "p@ss"],
            secret => Assert.DoesNotContain(secret, r.Text, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Metrics_are_those_of_the_textfile()
    {
        await using var world = await fixture.WorldAsync();
        await using var collector = new HttpSink();
        await world.SubscriptionsAsync(4);
        world.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://{collector.Address}";
        world.Environment["OTEL_SERVICE_NAME"] = "club-jobs";

        Assert.True(await world.RunPublishedAsync("expire-subscriptions") is { ExitCode: 0, Stderr: "" });

        var points = OtlpPoint.Of(collector.Requests);
        var expired = Assert.Single(points, p => p.Name == "jobs_items_total" && p.Attributes["outcome"] == "expired");
        Assert.Equal((true, 4.0, "expire-subscriptions"), (expired.IsTotal, expired.Value, expired.Attributes["job_name"]));
        Assert.Equal(0, Assert.Single(points, p => p.Name == "jobs_run_last_exit_code").Value);
        Assert.False(Assert.Single(points, p => p.Name == "jobs_run_last_exit_code").IsTotal);
        Assert.All(OtlpSpan.Of(collector.Requests), s => Assert.Equal("club-jobs", s.Service));
    }

    [Fact]
    public async Task A_run_that_failed_says_so()
    {
        await using var world = await fixture.WorldAsync();
        await using var collector = new HttpSink();
        world.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://{collector.Address}";
        world.Environment["RENEWAL_RETRY_DAYS"] = "nonsense";

        Assert.Equal(1, (await world.RunPublishedAsync("expire-subscriptions")).ExitCode);

        var run = Assert.Single(OtlpSpan.Of(collector.Requests), s => s.Parent.Length == 0);
        Assert.True(run.Failed);
        Assert.Equal("failed", run.Attributes["job.status"]);
    }
}
