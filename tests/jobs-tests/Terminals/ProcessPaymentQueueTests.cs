using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Terminals;

public sealed class ProcessPaymentQueueTests(PostgresFixture fixture)
{
    [Fact]
    public async Task An_approved_payment_is_booked_with_its_receipt_and_everything_is_free_again()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        var payment = await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Equal(1, result.Counter("approved"));
        Assert.Equal("succeeded", await counter.PaymentAsync(payment));
        Assert.Equal("done ", await counter.PlaceAsync(payment));
        Assert.Equal("available ", await counter.TerminalAsync("SOLO-1"));
        await counter.SettledAsync();
        Assert.Equal(1, await counter.World.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE kind = 'payment_receipt'"));
    }

    [Fact]
    public async Task Payments_go_to_a_reader_in_the_order_of_their_places()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        var payments = new List<long>();
        foreach (var payer in new[] { "ada", "bea", "cyd", "dan" })
            payments.Add(await counter.QueueAsync(payer));

        Assert.Equal(4, (await counter.RunAsync()).Counter("approved"));

        Assert.Equal(payments, (await counter.World.QueryAsync("SELECT payment_id FROM terminal_attempts ORDER BY id")).Select(row => (long)row.payment_id));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task Two_readers_work_at_once_and_two_payments_of_one_person_one_after_the_other()
    {
        await using var counter = await CounterScene.OpenAsync(fixture, "A", "B");
        await counter.Merchant.ConfigureAsync(new { script = new { start_after_ms = 20, after_ms = 1500 } });
        var first = await counter.QueueAsync(MemberScene.Ada, 1000, "first");
        var second = await counter.QueueAsync(MemberScene.Ada, 1000, "second");
        var other = await counter.QueueAsync("bea");

        Assert.Equal(3, (await counter.RunAsync()).Counter("approved"));

        var sent = (await counter.World.QueryAsync("SELECT payment_id FROM terminal_attempts ORDER BY id")).Select(row => (long)row.payment_id).ToList();
        Assert.Equal([first, other, second], sent);
        Assert.False(await counter.World.ScalarAsync<bool>(
            "SELECT bool_or(a.sent_at < b.settled_at AND b.sent_at < a.settled_at) FROM terminal_attempts AS a JOIN terminal_attempts AS b ON a.id < b.id WHERE a.payment_id = @first AND b.payment_id = @second",
            new { first, second }));
        await counter.SettledAsync();
    }

    [Theory]
    [InlineData("decline")]
    [InlineData("cancel_key")]
    public async Task A_declined_payment_has_failed_and_the_reader_takes_the_next(string outcome)
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.ScriptAsync("SOLO-1", new { outcome });
        var declined = await counter.QueueAsync("ada");
        await counter.QueueAsync("bea");

        var result = await counter.RunAsync();

        Assert.Equal((1, 1), (result.Counter("declined"), result.Counter("approved")));
        Assert.Equal("failed", await counter.PaymentAsync(declined));
        Assert.Equal("failed declined", await counter.PlaceAsync(declined));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task Nobody_came_and_only_when_that_is_proven_the_payment_has_failed()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.ScriptAsync("SOLO-1", new { outcome = "customer_timeout" });
        var payment = await counter.QueueAsync("ada");

        var result = await counter.RunAsync();

        Assert.True(result.Counter("not_paid") == 1, result.ToString());
        Assert.Equal("failed", await counter.PaymentAsync(payment));
        Assert.True(await counter.World.ScalarAsync<bool>("SELECT settled_at - sent_at >= interval '1 second' FROM terminal_attempts"));
        Assert.True(await counter.World.ScalarAsync<bool>("SELECT watch_until > now() + interval '47 hours' FROM terminal_attempts"));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task A_tip_is_the_businesss_and_not_part_of_the_amount()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.ScriptAsync("SOLO-1", new { tip = 150 });
        var payment = await counter.QueueAsync("ada");

        await counter.RunAsync();

        Assert.Equal("succeeded", await counter.PaymentAsync(payment));
        Assert.Equal(1000, await counter.World.ScalarAsync<long>("SELECT amount_minor FROM payments WHERE id = @payment", new { payment }));
    }

    [Fact]
    public async Task A_reader_that_is_busy_with_somebody_elses_sale_is_waited_for()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.ConfigureAsync(new { status = "none" });
        await counter.Merchant.SetClockAsync(DateTimeOffset.UtcNow);
        await counter.Merchant.StrangerAsync("SOLO-1", 500, new { start_after_ms = 0, after_ms = 1 });
        var payment = await counter.QueueAsync("ada");

        var running = counter.RunAsync();
        await Eventually.HoldsAsync(async () => await counter.AskedAsync() > 0);
        // Only now does the other sale come to its end.
        await counter.Merchant.RealClockAsync();
        var result = await running;

        Assert.Equal(0, result.ExitCode);
        Assert.Equal(1, result.Counter("approved"));
        Assert.True(result.Counter("put_back") > 0, result.ToString());
        Assert.Equal("succeeded", await counter.PaymentAsync(payment));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task An_offline_reader_is_left_alone_and_another_takes_its_place()
    {
        await using var counter = await CounterScene.OpenAsync(fixture, "A", "B");
        await counter.Merchant.SetOnlineAsync("A", false);
        await counter.QueueAsync("ada");
        await counter.QueueAsync("bea");

        Assert.Equal(2, (await counter.RunAsync()).Counter("approved"));

        Assert.Equal("offline offline", await counter.TerminalAsync("A"));
        Assert.All((await counter.Merchant.LedgerAsync()).Payments, payment => Assert.Equal("B", payment.Serial));
    }

    [Fact]
    public async Task A_reader_that_was_paired_anew_is_found_by_its_serial()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.QueueAsync("ada");
        Assert.Equal(1, (await counter.RunAsync()).Counter("approved"));
        var again = await counter.Merchant.PairAgainAsync("SOLO-1");
        await counter.QueueAsync("bea");

        Assert.Equal(1, (await counter.RunAsync()).Counter("approved"));

        Assert.Equal(again.Id, await counter.World.ScalarAsync<string>("SELECT provider_reader_id FROM payment_terminals"));
    }

    [Fact]
    public async Task A_membership_that_was_paid_in_cash_meanwhile_is_taken_out_of_the_queue()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        var queued = await counter.World.RecordAsync("membership", "1.00", ("--method", "card_terminal"), ("--membership-type", "basic"), ("--as-of", null));
        Assert.Equal(0, queued.ExitCode);
        var payment = await counter.World.ScalarAsync<long>("SELECT payment_id FROM payment_queue");
        await counter.World.HoldsAsync("basic", DateOnly.FromDateTime(DateTime.UtcNow).AddMonths(10));

        var result = await counter.RunAsync();

        Assert.Equal((0, 1), (result.Counter("approved"), result.Counter("canceled")));
        Assert.Equal("canceled", await counter.PaymentAsync(payment));
        Assert.Equal(0, await counter.AskedAsync());
    }

    [Fact]
    public async Task Canceled_while_the_reader_asks_for_the_card_the_reader_is_told_to_stop_and_nobody_pays()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.ConfigureAsync(new { card_wait_ms = 60_000, valid_ms = 120_000 });
        await counter.Merchant.ScriptAsync("SOLO-1", new { outcome = "none" });
        var payment = await counter.QueueAsync("ada");
        counter.World.Environment["JOBS_TERMINAL_NOT_PAID_AFTER"] = "3s";
        var running = counter.RunAsync();
        await counter.AtReaderAsync();
        await Task.Delay(300);
        await counter.World.ExecuteAsync("UPDATE payments SET status = 'canceled' WHERE id = @payment", new { payment });

        var result = await running;
        Assert.True(result.Counter("not_paid") == 1, result.ToString());

        Assert.Single(await counter.Merchant.RequestsAsync(), r => r.Path.EndsWith("/terminate", StringComparison.Ordinal));
        Assert.Equal("canceled", await counter.PaymentAsync(payment));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task Approved_after_it_was_canceled_here_the_money_is_kept_for_a_refund()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.SetClockAsync(DateTimeOffset.UtcNow);
        await counter.Merchant.ScriptAsync("SOLO-1", new { start_after_ms = 20, after_ms = 1500, processing_ms = 1400 });
        var payment = await counter.QueueAsync("ada");
        var running = counter.RunAsync();
        await counter.AtReaderAsync();
        // The card is read, and the answer of its bank is awaited.
        await counter.Merchant.AdvanceAsync(TimeSpan.FromMilliseconds(700));
        await counter.World.ExecuteAsync("UPDATE payments SET status = 'canceled' WHERE id = @payment", new { payment });
        await counter.Merchant.RealClockAsync();

        Assert.Equal(1, (await running).Counter("parked_payments"));

        Assert.Equal("canceled", await counter.World.ScalarAsync<string>("SELECT reason FROM unmatched_payments"));
        Assert.Equal(1, await counter.World.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE kind = 'staff_unmatched_payments'"));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task A_dry_run_tells_what_would_be_sent_where_and_does_nothing()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.QueueAsync("ada");
        await counter.QueueAsync("bea");
        var before = await counter.World.ScalarAsync<string>("SELECT string_agg(q::text, ';' ORDER BY id) FROM payment_queue AS q");

        var result = await counter.RunAsync("--dry-run");

        Assert.Equal((1, 1), (result.Counter("sent"), result.Counter("waiting")));
        Assert.Equal(0, await counter.AskedAsync());
        Assert.Equal(before, await counter.World.ScalarAsync<string>("SELECT string_agg(q::text, ';' ORDER BY id) FROM payment_queue AS q"));
        Assert.Equal(0, await counter.World.ScalarAsync<long>("SELECT count(*) FROM job_runs WHERE job = 'process-payment-queue'"));
    }

    [Fact]
    public async Task An_amount_that_the_provider_does_not_accept_has_failed_and_holds_nobody()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        await counter.Merchant.FaultAsync("status_before:400", "/checkout$", "POST", nth: 1);
        var payment = await counter.QueueAsync("ada");
        await counter.QueueAsync("bea");

        var result = await counter.RunAsync();

        Assert.Equal((1, 1), (result.Counter("refused"), result.Counter("approved")));
        Assert.Equal("failed invalid_request", await counter.PlaceAsync(payment));
        await counter.SettledAsync();
    }

    [Fact]
    public async Task Not_paid_after_less_than_two_minutes_is_refused_in_production()
    {
        await using var counter = await CounterScene.OpenAsync(fixture);
        counter.World.Environment["APP_ENV"] = "production";

        var result = await counter.RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("--not-paid-after", result.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }
}
