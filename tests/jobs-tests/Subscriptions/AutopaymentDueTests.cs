using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Whom autopayment charges: one pair or one near miss for each condition.</summary>
public sealed class AutopaymentDueTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData(null, "2026-11-20T22:59:59.999999Z", "2026-11-20T23:00:00Z")] // Europe/Paris, UTC+1
    [InlineData("Pacific/Kiritimati", "2026-11-20T09:59:59.999999Z", "2026-11-20T10:00:00Z")] // UTC+14: today is 20 November from 10:00 the day before
    [InlineData("Etc/GMT+12", "2026-11-20T11:59:59.999999Z", "2026-11-20T12:00:00Z")] // UTC-12: still 19 November
    public async Task Due_is_until_the_last_instant_of_today_in_the_business_zone(string? zone, string last, string tomorrow)
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["JOBS_TIME_ZONE"] = zone;
        var due = await world.DueAsync("ada", endedAt: DateTime.Parse(last, null, System.Globalization.DateTimeStyles.AdjustToUniversal));
        var notYet = await world.DueAsync("ben", endedAt: DateTime.Parse(tomorrow, null, System.Globalization.DateTimeStyles.AdjustToUniversal));

        var run = (await world.AutopaymentAsync(Morning)).Done();

        Assert.Equal(1, run.Counter("charged"));
        Assert.Single(await world.AttemptsAsync(due));
        Assert.Empty(await world.AttemptsAsync(notYet));
    }

    [Fact]
    public async Task Next_attempt_at_is_due_at_its_very_instant_and_not_before()
    {
        await using var world = await fixture.WorldAsync();
        var reached = await world.DueAsync("ada");
        var ahead = await world.DueAsync("ben");
        await world.ExecuteAsync(
            """
            UPDATE subscriptions SET status = 'past_due', next_attempt_at = CASE id WHEN @reached THEN @Morning ELSE @Morning + interval '1 microsecond' END
            """,
            new { reached, Morning });

        (await world.AutopaymentAsync(Morning)).Done();

        Assert.Single(await world.AttemptsAsync(reached));
        Assert.Empty(await world.AttemptsAsync(ahead));
    }

    public static TheoryData<string> NearMisses =>
    [
        "UPDATE subscriptions SET status = 'pending' WHERE id = @id",
        "UPDATE subscriptions SET status = 'expired' WHERE id = @id",
        "UPDATE subscriptions SET status = 'canceled' WHERE id = @id",
        "UPDATE subscriptions SET status = 'paused' WHERE id = @id",
        "UPDATE subscriptions SET auto_renew = false WHERE id = @id",
        "UPDATE subscriptions SET cancel_at_period_end = true WHERE id = @id",
        "UPDATE subscriptions SET provider_subscription_id = 'sub_' || @id WHERE id = @id",
        "UPDATE subscriptions SET ended_at = NULL WHERE id = @id",
        "UPDATE subscriptions SET next_attempt_at = 'infinity' WHERE id = @id",
        "WITH once AS (INSERT INTO plans (code, amount_minor, recurring) VALUES ('once', 1000, false) RETURNING id) UPDATE subscriptions SET plan_id = once.id FROM once WHERE subscriptions.id = @id",
        "INSERT INTO payments (user_id, subscription_id, amount_minor, status) SELECT user_id, id, 1000, 'pending' FROM subscriptions WHERE id = @id",
        "INSERT INTO payments (user_id, subscription_id, amount_minor, status) SELECT user_id, id, 1000, 'processing' FROM subscriptions WHERE id = @id",
        "INSERT INTO payments (user_id, subscription_id, amount_minor, status) SELECT user_id, id, 1000, 'requires_action' FROM subscriptions WHERE id = @id",
        """
        WITH odd AS (INSERT INTO payments (user_id, subscription_id, amount_minor, status, provider_payment_id)
                     SELECT user_id, id, 1000, 'failed', 'pi_odd' FROM subscriptions WHERE id = @id RETURNING id)
        INSERT INTO unmatched_payments (provider_payment_id, payment_id, reason) SELECT 'pi_odd', id, 'amount_mismatch' FROM odd
        """,
    ];

    [Fact]
    public async Task Each_condition_alone_keeps_a_subscription_from_being_charged()
    {
        await using var world = await fixture.WorldAsync();
        var misses = new List<long>();
        foreach (var change in NearMisses)
        {
            var id = await world.DueAsync($"user{misses.Count}");
            await world.ExecuteAsync(change, new { id });
            misses.Add(id);
        }

        var due = await world.DueAsync("ada");
        var pastDue = await world.DueAsync("ben");
        await world.ExecuteAsync("UPDATE subscriptions SET status = 'past_due' WHERE id = @pastDue", new { pastDue });

        var run = (await world.AutopaymentAsync(Morning)).Done();

        Assert.Equal(2, run.Counter("charged"));
        Assert.Equal(
            new[] { due, pastDue }.Select(Text),
            (await world.CreationsAsync()).Select(r => Form(r.Params)["metadata[subscription_id]"]!).OrderBy(long.Parse));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM payments WHERE subscription_id = ANY (@misses) AND provider_request IS NOT NULL", new { misses }));
    }

    [Theory]
    [InlineData("'amount_mismatch'", "now()")] // resolved by staff
    [InlineData("'duplicate'", "NULL")] // the period itself is paid
    public async Task A_parked_payment_that_is_resolved_or_a_duplicate_holds_nothing_back(string reason, string resolved)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.DueAsync("ada");
        await world.ExecuteAsync(
            $"""
            WITH odd AS (INSERT INTO payments (user_id, subscription_id, amount_minor, status, period_start) SELECT user_id, id, 1000, 'failed', '2026-10-20' FROM subscriptions RETURNING id)
            INSERT INTO unmatched_payments (provider_payment_id, payment_id, reason, resolved_at, reported_at) SELECT 'pi_odd', id, {reason}, {resolved}, now() FROM odd
            """);

        Assert.Equal(1, (await world.AutopaymentAsync(Morning)).Done().Counter("charged"));
        Assert.Equal(2, (await world.AttemptsAsync(id)).Count);
    }

    [Fact]
    public async Task Only_and_limit_restrict_the_run()
    {
        await using var world = await fixture.WorldAsync();
        var first = await world.DueAsync("ada", endedAt: Morning.AddHours(-3));
        var second = await world.DueAsync("ben", endedAt: Morning.AddHours(-2));
        var third = await world.DueAsync("cem", endedAt: Morning.AddHours(-1));

        (await world.AutopaymentAsync(Morning, "--only", Text(third))).Done();
        Assert.Equal((0, 0, 1), ((await world.AttemptsAsync(first)).Count, (await world.AttemptsAsync(second)).Count, (await world.AttemptsAsync(third)).Count));

        (await world.AutopaymentAsync(Morning.AddMinutes(1), "--limit", "1")).Done();
        Assert.Equal((1, 0, 1), ((await world.AttemptsAsync(first)).Count, (await world.AttemptsAsync(second)).Count, (await world.AttemptsAsync(third)).Count));
    }

    [Fact]
    public async Task The_shards_are_disjoint_and_together_complete()
    {
        await using var world = await fixture.WorldAsync();
        for (var i = 0; i < 7; i++)
        {
            await world.DueAsync($"user{i}");
        }

        var runs = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => world.AutopaymentAsync(Morning, "--shard", $"{i}/3")));

        Assert.All(runs, r => r.Done());
        Assert.All(runs, r => Assert.InRange(r.Counter("charged"), 2, 3));
        Assert.Equal(7, runs.Sum(r => r.Counter("charged")));
        Assert.Equal(7, await world.ChargesAsync());
        Assert.Equal(1, (await world.Stripe.LedgerAsync()).MostChargesPerRenewal);
    }

    [Fact]
    public async Task Production_refuses_as_of_and_charges_nothing()
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.DueAsync("ada");
        world.Environment["APP_ENV"] = "production";
        world.Environment["STRIPE_SECRET_KEY"] = "sk_live_fake";

        foreach (var asOf in new[] { Morning, DateTime.UtcNow.AddYears(1) })
        {
            var run = (await world.AutopaymentAsync(asOf)).Failed();
            Assert.Contains("--as-of", run.Stderr + run.Stdout, StringComparison.Ordinal);
        }

        Assert.Empty(await world.AttemptsAsync(id));
        Assert.Equal(0, (await world.Stripe.RequestsAsync()).Total);
    }

    [Theory]
    [InlineData("sk_live_fake", null)]
    [InlineData("rk_live_fake", "staging")]
    [InlineData("sk_test_fake", "production")]
    [InlineData("pk_test_fake", null)]
    public async Task A_key_of_the_wrong_kind_is_refused_before_anything_is_sent(string key, string? environment)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.DueAsync("ada");
        world.Environment["APP_ENV"] = environment;
        world.Environment["STRIPE_SECRET_KEY"] = key;

        var run = (await world.RunAsync("autopayment")).Failed();

        Assert.Contains("STRIPE_SECRET_KEY", run.Stderr + run.Stdout, StringComparison.Ordinal);
        Assert.DoesNotContain(key, run.Stderr + run.Stdout, StringComparison.Ordinal);
        Assert.Empty(await world.AttemptsAsync(id));
        Assert.Equal(0, (await world.Stripe.RequestsAsync()).Total);
    }

    [Fact]
    public async Task A_dry_run_lists_the_items_and_leaves_no_row_and_no_request_behind()
    {
        await using var world = await fixture.WorldAsync();
        var charged = await world.DueAsync("ada");
        var without = await world.DueAsync("ben");
        await world.ExecuteAsync("UPDATE users SET default_payment_method_id = NULL WHERE name = 'ben'");
        var before = await world.StateAsync();

        var run = (await world.AutopaymentAsync(Morning, "--dry-run")).Done();

        var items = run.Json.GetProperty("items").EnumerateArray()
            .ToDictionary(i => i.GetProperty("id").ToString(), i => i.GetProperty("outcome").GetString(), StringComparer.Ordinal);
        Assert.Equal(new Dictionary<string, string?>(StringComparer.Ordinal) { [Text(charged)] = "charged", [Text(without)] = "no_payment_method" }, items);
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.RunRowsAsync());
        Assert.Equal(0, await world.PostsAsync());
    }
}
