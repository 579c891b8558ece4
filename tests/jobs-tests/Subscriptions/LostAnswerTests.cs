using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Answers that never come, come late or are refused: money moves once whatever happens.</summary>
public sealed class LostAnswerTests(PostgresFixture fixture)
{
    private static readonly object Creation = new { method = "POST", path = "/v1/payment_intents" };
    private static readonly object FirstCreation = new { method = "POST", path = "/v1/payment_intents", nth = 1 };

    [Theory]
    [InlineData("status_before:500", 0)]
    [InlineData("status_after:500", 1)] // Stripe rolled forward: the money moved, the saved answer is the 500
    [InlineData("conflict_409", 0)]
    [InlineData("truncated_body", 1)]
    [InlineData("truncated_json", 1)]
    public async Task Without_a_definitive_answer_it_stays_in_flight_and_the_same_key_settles_it(string fault, int movedAtOnce)
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.Stripe.FaultAsync(fault, fault.StartsWith("truncated", StringComparison.Ordinal) ? Creation : FirstCreation, shouldRetry: false);

        var run = (await world.AutopaymentAsync(Morning)).Failed();

        Assert.Equal(1, run.Counter("failed"));
        Assert.Equal("pending", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal(movedAtOnce, await world.ChargesAsync());
        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("active", 0), ((string)row.status, (int)row.retry_count));

        await world.Stripe.ClearFaultsAsync();
        await world.AutopaymentAsync(Morning.AddMinutes(5));
        // A saved 500 is replayed for ever; then only the listing tells.
        (await world.RunAsync("match-pending-payments", "--as-of", AsOf(Morning.AddMinutes(6)))).Done();

        Assert.Equal("succeeded", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal(1, await world.ChargesAsync());
        Assert.Single((await world.CreationsAsync()).Select(r => (r.IdempotencyKey, r.Params)).Distinct());
    }

    [Fact]
    public async Task A_reply_dropped_after_the_charge_is_fetched_again_within_the_run()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada");
        await world.Stripe.FaultAsync("drop_after", FirstCreation);

        Assert.Equal(1, (await world.AutopaymentAsync(Morning)).Done().Counter("charged"));

        Assert.Equal(2, (await world.CreationsAsync()).Count);
        Assert.Equal(1, await world.ChargesAsync());
    }

    /// <summary>The database's answers get lost as well: the transaction is repeated, and finds that it went through.</summary>
    [Theory]
    [InlineData("INSERT INTO payments")]
    [InlineData("WITH paid AS")]
    public async Task A_commit_whose_answer_is_lost_is_recognized(string statement)
    {
        await using var world = await fixture.WorldAsync();
        Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        var subscription = await world.DueAsync("ada");
        await world.DueAsync("ben");
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port);
        world.Environment["DATABASE_URL"] = world.Through(proxy.Port);
        // An undisturbed run of another subscription tells what the step is called.
        (await world.AutopaymentAsync(Morning, "--only", Text(subscription + 1))).Done();
        var step = proxy.Log.Select(trip => trip.Step).Single(step => step.Contains(statement, StringComparison.Ordinal) && step.EndsWith("COMMIT", StringComparison.Ordinal));
        proxy.Reset();
        proxy.StopAt(step, 1, Phase.After);

        var run = world.AutopaymentAsync(Morning, "--only", Text(subscription));
        await proxy.Reached;
        proxy.Reset();

        Assert.Equal(1, (await run).Done().Counter("charged"));
        Assert.Equal("succeeded", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal(2, (await world.CreationsAsync()).Count);
        Assert.Equal(2, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
    }

    [Fact]
    public async Task A_run_killed_while_waiting_leaves_an_attempt_that_the_next_run_settles()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.Stripe.FaultAsync("hang_after", FirstCreation);
        using (var process = world.StartPublished("autopayment", "--as-of", AsOf(Morning)))
        {
            await world.Stripe.HeldAsync();
            process.Kill();
        }

        await world.Stripe.ReleaseAsync();
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddMinutes(1))).Done().Counter("charged"));
        Assert.Equal("succeeded", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Theory]
    [InlineData("23 hours", false)]
    [InlineData("22 hours 58 minutes", true)]
    public async Task A_key_is_sent_again_only_within_23_hours_of_its_first_send(string age, bool sent)
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada");
        await world.Stripe.FaultAsync("status_before:500", FirstCreation, shouldRetry: false);
        (await world.AutopaymentAsync(Morning)).Failed();
        await world.ExecuteAsync("UPDATE payments SET sent_at = clock_timestamp() - @age::interval", new { age });

        // What the run takes for now has no say in it.
        (await world.AutopaymentAsync(Morning.AddMinutes(1))).Done();

        Assert.Equal(sent ? 2 : 1, (await world.CreationsAsync()).Count);
        Assert.Equal(sent ? 1 : 0, await world.ChargesAsync());
    }

    [Theory]
    [InlineData("UPDATE subscriptions SET auto_renew = false")]
    [InlineData("UPDATE subscriptions SET cancel_at_period_end = true")]
    [InlineData("UPDATE subscriptions SET status = 'canceled'")]
    [InlineData("UPDATE subscriptions SET provider_subscription_id = 'sub_1'")]
    [InlineData("UPDATE subscriptions SET ended_at = ended_at + interval '1 month'")]
    public async Task Before_a_replay_it_is_asked_again_whether_to_charge_at_all(string change)
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada");
        await world.Stripe.FaultAsync("status_before:500", FirstCreation, shouldRetry: false);
        (await world.AutopaymentAsync(Morning)).Failed();
        await world.ExecuteAsync(change);

        var dry = (await world.AutopaymentAsync(Morning.AddMinutes(1), "--dry-run")).Done();
        var run = (await world.AutopaymentAsync(Morning.AddMinutes(1))).Done();

        Assert.Equal((0, 0), (dry.Counter("replayed"), run.Counter("replayed")));
        Assert.Single(await world.CreationsAsync());
        Assert.Equal(0, await world.ChargesAsync());
    }

    [Theory]
    [InlineData("status_before:401")]
    [InlineData("status_before:403")]
    public async Task A_refused_key_stops_the_run_spends_no_retry_and_the_next_run_charges(string fault)
    {
        await using var world = await fixture.WorldAsync();
        var subscriptions = new List<long>();
        for (var i = 0; i < 60; i++)
        {
            subscriptions.Add(await world.DueAsync($"user{i}"));
        }

        await world.Stripe.FaultAsync(fault, Creation);
        var run = (await world.AutopaymentAsync(Morning)).Failed();

        Assert.Contains("STRIPE_SECRET_KEY", run.Json.GetProperty("error").GetString()!, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Stderr, StringComparison.Ordinal);
        // Those under way may get the answer too; nobody after them is tried.
        Assert.InRange((await world.CreationsAsync()).Count, 1, 45);
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE retry_count > 0 OR status <> 'active' OR next_attempt_at IS NOT NULL"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM notifications"));

        await world.Stripe.ClearFaultsAsync();
        Assert.Equal(60, (await world.AutopaymentAsync(Morning)).Done().Counter("charged"));
        Assert.Equal((60, 1), (await world.ChargesAsync(), (await world.Stripe.LedgerAsync()).MostChargesPerRenewal));
    }

    [Fact]
    public async Task A_charge_in_processing_settles_later_through_match_pending()
    {
        await using var world = await fixture.WorldAsync();
        var good = await world.DueAsync("ada", "processing_then_succeed:3600");
        var bad = await world.DueAsync("ben", "processing_then_fail:3600");
        Assert.Equal(2, (await world.AutopaymentAsync(Morning)).Done().Counter("waiting"));
        Assert.Equal("processing", (string)Assert.Single(await world.AttemptsAsync(good)).status);
        Assert.Equal(Morning.AddHours(-1), (DateTime)(await world.RowAsync("subscriptions", good)).ended_at);

        await world.Stripe.AdvanceAsync(TimeSpan.FromHours(2));
        var match = (await world.RunAsync("match-pending-payments", "--as-of", AsOf(Morning.AddHours(2)))).Done();

        Assert.Equal((1, 1), (match.Counter("matched"), match.Counter("declined")));
        Assert.Equal("active", await world.StatusAsync("subscriptions", good));
        var row = await world.RowAsync("subscriptions", bad);
        Assert.Equal(("past_due", 1), ((string)row.status, (int)row.retry_count));
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Fact]
    public async Task A_row_that_fails_every_time_stops_nobody_and_is_parked_after_five_runs()
    {
        await using var world = await fixture.WorldAsync();
        var poison = await world.DueAsync("poison", endedAt: Morning.AddHours(-2));
        await world.Stripe.FaultAsync("status_before:400", new { metadata = new { subscription_id = Text(poison) } });
        for (var run = 1; run <= 5; run++)
        {
            await world.DueAsync($"user{run}");
            var result = (await world.AutopaymentAsync(Morning.AddMinutes(run))).Failed();
            Assert.Equal((1, 1), (result.Counter("charged"), result.Counter("failed")));
        }

        await world.DueAsync("last");
        var after = (await world.AutopaymentAsync(Morning.AddMinutes(6))).Done();

        Assert.Equal((1, 0, 1), (after.Counter("charged"), after.Counter("failed"), after.Counter("parked")));
        Assert.Equal(5, await world.ScalarAsync<int>("SELECT failures FROM job_item_failures WHERE job = 'autopayment' AND item = @poison AND parked_at IS NOT NULL", new { poison = Text(poison) }));
        Assert.Equal(6, await world.ChargesAsync());

        // Asked for by name it is tried again.
        await world.Stripe.ClearFaultsAsync();
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddMinutes(7), "--only", Text(poison))).Done().Counter("charged"));
    }
}
