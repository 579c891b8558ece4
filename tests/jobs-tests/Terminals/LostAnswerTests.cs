using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Terminals;

/// <summary>What SumUp and the line to it do wrong: the customer pays once or not at all, and we know which.</summary>
public sealed class LostAnswerTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData("drop_after")]
    [InlineData("status_after:500")]
    [InlineData("status_after:502")]
    [InlineData("status_after:504")]
    [InlineData("status_after:408")]
    [InlineData("status_after:409")]
    [InlineData("truncated_body")]
    [InlineData("half_json")]
    [InlineData("html")]
    [InlineData("empty")]
    public async Task Accepted_and_never_heard_of_the_payment_is_found_by_its_reference_and_not_sent_again(string kind)
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.FaultAsync(kind, "/checkout$", "POST", nth: 1);
        var payment = await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.True(result.Counter("approved") == 1, result.ToString());
        Assert.Equal(1, await counter.AskedAsync());
        Assert.Equal("succeeded", await counter.PaymentAsync(payment));
        await counter.SettledAsync();
    }

    [Theory]
    [InlineData("drop_before")]
    [InlineData("status_before:500")]
    [InlineData("status_before:503")]
    public async Task Never_carried_out_and_no_answer_it_is_not_paid_once_that_is_proven_and_never_sent_again(string kind)
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.FaultAsync(kind, "/checkout$", "POST", nth: 1);
        var payment = await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.True(result.Counter("not_paid") == 1, result.ToString());
        Assert.Equal(1, await counter.AskedAsync());
        Assert.Equal("failed", await counter.PaymentAsync(payment));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task Told_to_slow_down_it_waits_at_its_place()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.FaultAsync("status_before:429", "/checkout$", "POST", nth: 1);
        await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.Equal((1, 1), (result.Counter("put_back"), result.Counter("approved")));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task While_the_result_is_unknown_neither_the_reader_nor_the_payer_is_free()
    {
        await using var counter = await CounterScene.OpenAsync(fixture, "A", "B");
        counter.World.Environment["JOBS_TERMINAL_NOT_PAID_AFTER"] = "1h";
        counter.World.Environment["JOBS_TERMINAL_DRAIN_FOR"] = "2s";
        await counter.Merchant.SetOnlineAsync("B", false);
        await counter.Merchant.FaultAsync("drop_before", "/checkout$", "POST", nth: 1);
        var unknown = await counter.QueueAsync(MemberScene.Ada, 1000, "first");
        using var run = counter.World.StartPublished("process-payment-queue", "--output", "json");
        await Eventually.HoldsAsync(async () => await counter.PlaceAsync(unknown) == "unknown no_answer");
        run.Signal("TERM");
        await run.EndAsync();
        var second = await counter.QueueAsync(MemberScene.Ada, 1000, "second");
        var other = await counter.QueueAsync("bea");

        using var again = counter.World.StartPublished("process-payment-queue", "--output", "json");
        await Task.Delay(3000);
        again.Signal("TERM");
        await again.EndAsync();

        Assert.Equal("unknown no_answer", await counter.PlaceAsync(unknown));
        Assert.Equal(["waiting ", "waiting "], [await counter.PlaceAsync(second), await counter.PlaceAsync(other)]);
        Assert.Equal(1, await counter.AskedAsync());
        Assert.Equal("pending", await counter.PaymentAsync(unknown));
    }

    [Fact]
    public async Task A_transaction_that_is_denied_for_a_while_is_not_taken_for_unpaid()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.ScriptAsync("SOLO-1", new { start_after_ms = 20, after_ms = 80, visible_after_ms = 3000 });
        var payment = await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.True(result.Counter("approved") == 1, result.ToString());
        Assert.Equal("succeeded", await counter.PaymentAsync(payment));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task A_reader_that_goes_offline_in_the_middle_leaves_it_unknown_until_it_is_back()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.ConfigureAsync(new { valid_ms = 60_000 });
        await counter.Merchant.ScriptAsync("SOLO-1", new { start_after_ms = 20, offline_after_ms = 10, after_ms = 200, result_after_ms = 3000 });
        var payment = await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.True(result.Counter("approved") == 1, result.ToString());
        Assert.Equal("succeeded", await counter.PaymentAsync(payment));
        await counter.SettledAsync();
    }

    [Theory]
    [InlineData(false, "succeeded", "approved")]
    [InlineData(true, "canceled", "parked_payments")]
    public async Task Closed_as_not_paid_and_found_paid_later_it_is_booked_or_kept_for_a_refund(bool canceled, string status, string counted)
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        var payment = await counter.QueueAsync("ada");
        Assert.Equal(1, (await counter.RunAsync()).Counter("approved"));
        // As if the provider had denied it for hours.
        await counter.World.ExecuteAsync(
            """
            DELETE FROM receipts; DELETE FROM receipt_counters; DELETE FROM notifications; DELETE FROM job_cursors;
            UPDATE payments SET status = @status, failure_code = 'not_paid', provider_payment_id = NULL, succeeded_at = NULL;
            UPDATE payment_queue SET status = 'failed', reason = 'not_paid';
            UPDATE terminal_attempts SET outcome = 'not_paid', provider_transaction_id = NULL, watch_until = now() + interval '1 day', next_check_at = now() + interval '1 hour'
            """,
            new { status = canceled ? "canceled" : "failed" });

        var result = await counter.RunAsync();

        Assert.True(result.Counter(counted) == 1, result.ToString());
        Assert.Equal(status, await counter.PaymentAsync(payment));
        await counter.SettledAsync();
        Assert.Equal(0, (await counter.RunAsync()).Counter(counted));
    }

    [Fact]
    public async Task Three_failures_in_a_row_turn_the_fallback_mode_on_and_recovery_ends_it_and_staff_hear_of_each_once()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        counter.World.Environment["JOBS_TERMINAL_FAILURES"] = "2";
        await counter.Merchant.FaultAsync("status_before:503", "/readers");
        var payment = await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Equal("true true", await counter.World.ScalarAsync<string>(
            "SELECT (value ->> 'active') || ' ' || (value ->> 'automatic') FROM settings WHERE key = 'payment_fallback_mode'"));
        Assert.Equal("pending", await counter.PaymentAsync(payment));
        await counter.RunAsync();
        await counter.Merchant.ClearFaultsAsync();

        Assert.Equal(1, (await counter.RunAsync()).Counter("approved"));

        Assert.Equal(["staff_fallback_off", "staff_fallback_on"], (await counter.World.QueryAsync(
            "SELECT kind FROM notifications WHERE kind LIKE 'staff_fallback%' ORDER BY kind")).Select(row => (string)row.kind));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task In_a_fallback_that_somebody_turned_on_nothing_is_sent_and_what_is_open_is_still_settled()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.SetClockAsync(DateTimeOffset.UtcNow);
        await counter.Merchant.ScriptAsync("SOLO-1", new { start_after_ms = 20, after_ms = 1000 });
        var open = await counter.QueueAsync("ada");
        using (var killed = counter.World.StartPublished("process-payment-queue", "--output", "json"))
        {
            await counter.AtReaderAsync();
            killed.Kill();
        }

        await counter.Merchant.RealClockAsync();

        Assert.Equal(0, (await counter.World.RunAsync("fallback-mode", "--activate", "--reason", "no line", "--actor", "eve")).ExitCode);
        var waiting = await counter.QueueAsync("bea");

        Assert.Equal(1, (await counter.RunAsync()).Counter("approved"));

        Assert.Equal(("succeeded", "pending"), (await counter.PaymentAsync(open), await counter.PaymentAsync(waiting)));
        Assert.Equal("true", await counter.World.ScalarAsync<string>("SELECT value ->> 'active' FROM settings WHERE key = 'payment_fallback_mode'"));
        Assert.Equal(0, (await counter.World.RunAsync("fallback-mode", "--deactivate", "--actor", "eve")).ExitCode);
        Assert.Equal(1, (await counter.RunAsync()).Counter("approved"));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task A_key_that_is_refused_ends_the_run_and_holds_nobody()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        counter.World.Environment["SUMUP_API_KEY"] = "sup_sk_wrong";
        var payment = await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("SUMUP_API_KEY", result.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("sup_sk_wrong", result.ToString(), StringComparison.Ordinal);
        Assert.Equal("waiting ", await counter.PlaceAsync(payment));
        Assert.Equal(0, await counter.World.ScalarAsync<long>("SELECT count(*) FROM leases WHERE name LIKE 'payment:%'"));
    }

    [Fact]
    public async Task Staff_are_told_once_of_a_result_that_nobody_knows_for_a_quarter_of_an_hour()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        counter.World.Environment["JOBS_TERMINAL_NOT_PAID_AFTER"] = "1h";
        var payment = await counter.QueueAsync("ada");
        await counter.Merchant.FaultAsync("drop_before", "/checkout$", "POST", nth: 1);
        using (var run = counter.World.StartPublished("process-payment-queue", "--output", "json"))
        {
            await Eventually.HoldsAsync(async () => await counter.PlaceAsync(payment) == "unknown no_answer");
            run.Signal("TERM");
            await run.EndAsync();
        }

        await counter.World.ExecuteAsync(
            "UPDATE payment_queue SET started_at = started_at - interval '16 minutes'; UPDATE terminal_attempts SET sent_at = sent_at - interval '16 minutes'; UPDATE leases SET expires_at = expires_at - interval '16 minutes' WHERE name LIKE 'payment:%'");

        var first = await counter.RunAsync();
        await counter.RunAsync();

        Assert.Equal(1, first.Counter("staff_told_of_unknown"));
        Assert.Equal(1, await counter.World.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE kind = 'staff_terminal_unknown'"));
        Assert.Equal(0, await counter.World.ScalarAsync<long>("SELECT count(*) FROM leases WHERE name LIKE 'payment:%'"));
        Assert.StartsWith("unknown", await counter.PlaceAsync(payment), StringComparison.Ordinal);
    }
}
