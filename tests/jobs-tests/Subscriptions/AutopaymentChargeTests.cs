using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>What is sent for a charge, and what its success grants.</summary>
public sealed class AutopaymentChargeTests(PostgresFixture fixture)
{
    [Fact]
    public async Task The_attempt_is_committed_with_everything_it_will_send_before_it_is_sent()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.Stripe.FaultAsync("hang_before", new { method = "POST", path = "/v1/payment_intents" });
        using var process = world.Start("autopayment", "--as-of", AsOf(Morning), "--output", "json");

        var held = Assert.Single(await world.Stripe.HeldAsync());
        var attempt = Assert.Single(await world.AttemptsAsync(subscription));

        Assert.Equal("pending", attempt.status);
        Assert.Equal(held.IdempotencyKey, (string)attempt.idempotency_key);
        Assert.Equal(Fields(held.Params), Fields((string)attempt.provider_request));
        Assert.InRange((DateTime)attempt.sent_at, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow.AddMinutes(1));
        Assert.Equal(Morning, (DateTime)attempt.created_at);
        Assert.Equal(1, (int)attempt.attempt);
        Assert.Equal(1, await world.ScalarAsync<long>(
            "SELECT count(*) FROM audit_logs JOIN job_runs AS r ON r.id = run_id WHERE subject_type = 'payment' AND subject_id = @id AND r.job = 'autopayment'",
            new { attempt.id }));
        await world.Stripe.ReleaseAsync();
        (await process.EndAsync()).Done();
        Assert.Equal("succeeded", await world.StatusAsync("payments", (long)attempt.id));
    }

    [Fact]
    public async Task The_request_carries_the_contract_s_metadata_and_nothing_of_the_run()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        var run = (await world.AutopaymentAsync(Morning)).Done();

        var attempt = Assert.Single(await world.AttemptsAsync(subscription));
        var request = Assert.Single(await world.CreationsAsync());
        var form = Form(request.Params);
        var expected = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["amount"] = "1000",
            ["currency"] = "eur",
            ["customer"] = "cus_ada",
            ["payment_method"] = "pm_ada",
            ["confirm"] = "true",
            ["off_session"] = "true",
            ["automatic_payment_methods[enabled]"] = "true",
            ["automatic_payment_methods[allow_redirects]"] = "never",
            ["metadata[payment_id]"] = Text(attempt.id),
            ["metadata[user_id]"] = Text(attempt.user_id),
            ["metadata[purpose]"] = "subscription",
            ["metadata[subscription_id]"] = Text(subscription),
            ["metadata[plan]"] = "monthly",
            ["metadata[period_start]"] = "2026-11-20",
            ["metadata[attempt_key]"] = (string)attempt.idempotency_key,
        };
        Assert.Equal(expected, form.AllKeys.ToDictionary(k => k!, k => form[k]!, StringComparer.Ordinal));
        Assert.DoesNotContain(run.Json.GetProperty("run_id").GetString()!, request.Params, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_are_random_and_differ_for_the_same_charge_in_two_copies_of_a_database()
    {
        var keys = new List<string>();
        for (var copy = 0; copy < 2; copy++)
        {
            await using var world = await fixture.WorldAsync();
            await world.DueAsync("ada");
            (await world.AutopaymentAsync(Morning)).Done();
            keys.Add((await world.CreationsAsync())[0].IdempotencyKey!);
        }

        Assert.NotEqual(keys[0], keys[1]);
        Assert.All(keys, key => Assert.True(Guid.TryParse(key, out _), key));
    }

    [Fact]
    public async Task A_period_follows_the_old_end_on_the_anchor_day_clamped_to_the_month()
    {
        await using var world = await fixture.WorldAsync();
        // 18:30 in Paris, before and after the change to summer time.
        var subscription = await world.SubscriptionAsync(await world.UserAsync("ada"), await world.PlanAsync(), Utc(2027, 1, 31, 17, 30), anchorDay: 31);

        foreach (var (now, end) in new[]
        {
            (Utc(2027, 1, 31, 5), Utc(2027, 2, 28, 17, 30)),
            (Utc(2027, 2, 28, 5), Utc(2027, 3, 31, 16, 30)),
            (Utc(2027, 3, 31, 4), Utc(2027, 4, 30, 16, 30)),
        })
        {
            Assert.Equal(1, (await world.AutopaymentAsync(now)).Done().Counter("charged"));
            var row = await world.RowAsync("subscriptions", subscription);
            Assert.Equal(end, (DateTime)row.ended_at);
            Assert.Equal(31, (int)row.anchor_day);
        }
    }

    [Fact]
    public async Task Without_an_anchor_the_old_end_s_local_day_becomes_it()
    {
        await using var world = await fixture.WorldAsync();
        // 00:30 on 31 January in Paris, still the 30th in UTC.
        var subscription = await world.SubscriptionAsync(await world.UserAsync("ada"), await world.PlanAsync(), Utc(2027, 1, 30, 23, 30));

        (await world.AutopaymentAsync(Utc(2027, 1, 31, 5))).Done();

        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(Utc(2027, 2, 27, 23, 30), (DateTime)row.ended_at);
        Assert.Equal(31, (int)row.anchor_day);
    }

    [Fact]
    public async Task Exactly_the_grace_late_continues_the_period_and_any_later_begins_anew_with_today_as_anchor()
    {
        await using var world = await fixture.WorldAsync();
        var inGrace = await world.SubscriptionAsync(await world.UserAsync("ada"), await world.PlanAsync(), Morning.AddDays(-3), anchorDay: 17);
        var lapsed = await world.SubscriptionAsync(await world.UserAsync("ben"), await world.PlanAsync(), Morning.AddDays(-3).AddMicroseconds(-1), anchorDay: 17);

        (await world.AutopaymentAsync(Morning)).Done();

        var continued = await world.RowAsync("subscriptions", inGrace);
        Assert.Equal(Utc(2026, 12, 17, 5), (DateTime)continued.ended_at);
        Assert.Equal(17, (int)continued.anchor_day);
        var anew = await world.RowAsync("subscriptions", lapsed);
        Assert.Equal(Utc(2026, 12, 20, 5), (DateTime)anew.ended_at);
        Assert.Equal(20, (int)anew.anchor_day);
        Assert.Equal("2026-11-20", await world.ScalarAsync<string>("SELECT period_start::text FROM payments WHERE subscription_id = @lapsed", new { lapsed }));
    }

    [Fact]
    public async Task A_renewal_found_paid_after_the_subscription_expired_reactivates_it_from_now()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", "processing_then_succeed:3600");
        (await world.AutopaymentAsync(Morning)).Done();
        await world.ExecuteAsync("UPDATE subscriptions SET status = 'expired'");
        await world.Stripe.ActAsync((await world.Stripe.DumpAsync())[0].GetProperty("id").GetString()!, "settle", new { outcome = "succeed" });

        (await world.RunAsync("match-pending-payments", "--as-of", AsOf(Morning.AddDays(5)))).Done();

        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal("active", (string)row.status);
        Assert.Equal(Utc(2026, 12, 25, 5), (DateTime)row.ended_at);
        Assert.Equal(25, (int)row.anchor_day);
    }

    [Fact]
    public async Task After_an_outage_each_run_charges_one_period_of_a_subscription_and_no_more()
    {
        await using var world = await fixture.WorldAsync();
        var daily = await world.PlanAsync("daily", unit: "day");
        var subscription = await world.SubscriptionAsync(await world.UserAsync("ada"), daily, Morning.AddDays(-2.5));

        for (var run = 1; run <= 3; run++)
        {
            Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddMinutes(run), "--batch-size", "1")).Done().Counter("charged"));
            Assert.Equal(run, await world.ChargesAsync());
        }

        Assert.Equal(Morning.AddDays(0.5), (DateTime)(await world.RowAsync("subscriptions", subscription)).ended_at);
        Assert.Equal(1, (await world.Stripe.LedgerAsync()).MostChargesPerRenewal);
    }

    [Fact]
    public async Task A_replayed_charge_is_the_run_s_one_period_of_its_subscription()
    {
        await using var world = await fixture.WorldAsync();
        var daily = await world.PlanAsync("daily", unit: "day");
        await world.SubscriptionAsync(await world.UserAsync("ada"), daily, Morning.AddDays(-2.5));
        await world.Stripe.FaultAsync("status_before:500", new { method = "POST", nth = 1 }, shouldRetry: false);
        (await world.AutopaymentAsync(Morning)).Failed();

        var next = (await world.AutopaymentAsync(Morning.AddMinutes(1))).Done();

        Assert.Equal(1, next.Counter("charged"));
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Fact]
    public async Task Each_currency_is_charged_in_its_own_minor_units()
    {
        await using var world = await fixture.WorldAsync();
        foreach (var (currency, amount) in new[] { ("eur", 1250L), ("jpy", 1500L), ("usd", 999L), ("kwd", 5000L) })
        {
            await world.SubscriptionAsync(await world.UserAsync(currency), await world.PlanAsync(currency, amount, currency), Morning);
        }

        Assert.Equal(4, (await world.AutopaymentAsync(Morning)).Done().Counter("charged"));

        var ledger = await world.Stripe.LedgerAsync();
        Assert.Equal((1250, 1500, 999, 5000), (ledger.Total("eur"), ledger.Total("jpy"), ledger.Total("usd"), ledger.Total("kwd")));
        Assert.Equal(
            "eur 1250, jpy 1500, kwd 5000, usd 999",
            await world.ScalarAsync<string>("SELECT string_agg(currency || ' ' || amount_minor, ', ' ORDER BY currency) FROM receipts"));
    }

    [Fact]
    public async Task A_success_writes_payment_receipt_mail_and_audit_together_and_a_second_run_changes_nothing()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.ExecuteAsync("UPDATE subscriptions SET status = 'past_due', retry_count = 2, next_attempt_at = @Morning, last_decline_code = 'generic_decline'", new { Morning });

        var run = (await world.AutopaymentAsync(Morning)).Done();

        var payment = Assert.Single(await world.AttemptsAsync(subscription));
        Assert.Equal(("succeeded", "pm_ada", Morning), ((string)payment.status, (string)payment.provider_payment_method_id, (DateTime)payment.succeeded_at));
        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("active", (long)payment.id, 0), ((string)row.status, (long)row.payment_id, (int)row.retry_count));
        Assert.Null(row.next_attempt_at);
        Assert.Null(row.last_decline_code);
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM receipts WHERE payment_id = @id AND issued_at = @Morning", new { payment.id, Morning }));
        Assert.Equal(1, await world.MailsAsync("payment_receipt"));
        var runId = Guid.Parse(run.Json.GetProperty("run_id").GetString()!);
        Assert.Equal(
            "payment.attempted, payment.succeeded, subscription.extended",
            await world.ScalarAsync<string>("SELECT string_agg(action, ', ' ORDER BY action) FROM audit_logs WHERE run_id = @runId", new { runId }));
        var after = await world.StateAsync();

        (await world.AutopaymentAsync(Morning)).Done();
        (await world.AutopaymentAsync(Morning.AddHours(1))).Done();

        Assert.Equal(after, await world.StateAsync());
        Assert.Equal(1, await world.ChargesAsync());
    }
}
