using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Soft and hard declines, and subscriptions that nothing can be charged on.</summary>
public sealed class DunningTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_soft_decline_is_tried_again_on_each_of_the_three_days_and_then_no_more()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", "insufficient_funds");
        for (var day = 0; day <= 3; day++)
        {
            var run = (await world.AutopaymentAsync(Morning.AddDays(day))).Done();
            Assert.Equal(1, run.Counter("declined"));
            var row = await world.RowAsync("subscriptions", subscription);
            Assert.Equal(("past_due", day + 1, "insufficient_funds"), ((string)row.status, (int)row.retry_count, (string)row.last_decline_code));
            // The next of the policy's days begins at midnight in Paris.
            Assert.Equal(day < 3 ? Utc(2026, 11, 20 + day, 23) : DateTime.MaxValue, (DateTime)row.next_attempt_at);
            // Not a second time on the same day.
            (await world.AutopaymentAsync(Morning.AddDays(day).AddHours(12))).Done();
            Assert.Equal(day + 1, (await world.AttemptsAsync(subscription)).Count);
        }

        await world.Stripe.BehaveAsync("pm_ada", "success");
        (await world.AutopaymentAsync(Morning.AddDays(4))).Done();

        Assert.Equal(4, (await world.AttemptsAsync(subscription)).Count);
        Assert.Equal(0, await world.ChargesAsync());
        Assert.Equal([1, 2, 3, 4], (await world.AttemptsAsync(subscription)).Select(a => (int)a.attempt));
        Assert.Equal(4, (await world.AttemptsAsync(subscription)).Select(a => (string)a.idempotency_key).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
    }

    [Fact]
    public async Task A_retry_that_succeeds_renews_from_the_old_end()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", "insufficient_funds,success");
        (await world.AutopaymentAsync(Morning)).Done();

        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(1))).Done().Counter("charged"));

        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("active", 0, Utc(2026, 12, 20, 4)), ((string)row.status, (int)row.retry_count, (DateTime)row.ended_at));
        Assert.Equal(1, await world.ChargesAsync());
        // The refused attempt's PaymentIntent cannot be paid any more.
        Assert.Equal(["canceled", "succeeded"], (await world.Stripe.DumpAsync()).Select(i => i.GetProperty("status").GetString()));
    }

    [Fact]
    public async Task The_retry_days_follow_the_environment_and_a_policy_that_outlives_the_grace_is_refused()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", "insufficient_funds");
        world.Environment["RENEWAL_RETRY_DAYS"] = "2,7";
        var refused = (await world.AutopaymentAsync(Morning)).Failed();
        Assert.Contains("RENEWAL_RETRY_DAYS", refused.Stderr, StringComparison.Ordinal);
        Assert.Empty(await world.AttemptsAsync(subscription));

        world.Environment["RENEWAL_GRACE_DAYS"] = "7";
        (await world.AutopaymentAsync(Morning)).Done();

        Assert.Equal(Utc(2026, 11, 21, 23), (DateTime)(await world.RowAsync("subscriptions", subscription)).next_attempt_at);
    }

    [Theory]
    [InlineData("lost_card")]
    [InlineData("stolen_card")]
    [InlineData("expired_card")]
    [InlineData("fraudulent")]
    public async Task A_hard_decline_blocks_the_method_and_only_another_usable_one_makes_it_due(string behaviour)
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", behaviour);

        Assert.Equal(1, (await world.AutopaymentAsync(Morning)).Done().Counter("declined"));
        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("past_due", 0), ((string)row.status, (int)row.retry_count));
        Assert.Equal("pm_ada", await world.ScalarAsync<string>("SELECT provider_payment_method_id FROM blocked_payment_methods"));
        Assert.Equal(1, await world.MailsAsync("payment_method_required"));

        await world.Stripe.BehaveAsync("pm_ada", "success");
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(1))).Done().Counter("no_payment_method"));
        Assert.Single(await world.AttemptsAsync(subscription));
        Assert.Equal(1, await world.MailsAsync("payment_method_required"));

        await world.AddMethodAsync("ada", "pm_other");
        await world.SetDefaultAsync("ada", "pm_other");
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(2))).Done().Counter("charged"));
        Assert.Equal("pm_other", Form((await world.CreationsAsync())[^1].Params)["payment_method"]);
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal(1, await world.ChargesAsync());
    }

    private static Task LastPaidByAsync(JobWorld world, string method) => world.ExecuteAsync(
        """
        WITH paid AS (INSERT INTO payments (user_id, subscription_id, amount_minor, status, provider_payment_method_id, period_start)
                      SELECT user_id, id, 1000, 'succeeded', @method, '2026-10-20' FROM subscriptions RETURNING id)
        UPDATE subscriptions SET payment_id = paid.id FROM paid
        """,
        new { method });

    [Fact]
    public async Task The_method_of_the_last_payment_goes_before_the_default()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.AddMethodAsync("ada", "pm_last");
        await LastPaidByAsync(world, "pm_last");

        (await world.AutopaymentAsync(Morning)).Done();

        Assert.Equal("pm_last", Form(Assert.Single(await world.CreationsAsync()).Params)["payment_method"]);
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
    }

    [Theory]
    [InlineData("UPDATE users SET default_payment_method_id = NULL")]
    [InlineData("UPDATE users SET provider_customer_id = NULL")]
    [InlineData("INSERT INTO blocked_payment_methods (provider_payment_method_id, reason) VALUES ('pm_ada', 'lost_card')")]
    public async Task Without_a_usable_method_it_falls_past_due_and_is_mailed_once_over_several_days(string change)
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.ExecuteAsync(change);

        for (var day = 0; day < 3; day++)
        {
            Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(day))).Done().Counter("no_payment_method"));
        }

        Assert.Equal("past_due", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal(1, await world.MailsAsync("payment_method_required"));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs"));
        Assert.Empty(await world.AttemptsAsync(subscription));
        Assert.Equal(0, await world.PostsAsync());
    }

    [Fact]
    public async Task A_detached_method_falls_back_to_the_default_in_the_same_run_and_spends_no_retry()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.Stripe.SeedAsync(new { payment_methods = new[] { new { id = "pm_old", customer = "cus_ada", detached = true } } });
        await LastPaidByAsync(world, "pm_old");

        Assert.Equal(1, (await world.AutopaymentAsync(Morning)).Done().Counter("charged"));

        Assert.Equal(["pm_old", "pm_ada"], (await world.CreationsAsync()).Select(r => Form(r.Params)["payment_method"]));
        Assert.Equal(["succeeded", "failed", "succeeded"], (await world.AttemptsAsync(subscription)).Select(a => (string)a.status));
        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("active", 0), ((string)row.status, (int)row.retry_count));
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Fact]
    public async Task A_detached_method_without_another_is_no_usable_method()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada");
        await world.Stripe.Control.PostAsync("payment_methods/pm_ada", System.Net.Http.Json.JsonContent.Create(new { detached = true }));

        Assert.Equal(1, (await world.AutopaymentAsync(Morning)).Done().Counter("no_payment_method"));

        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("past_due", 0), ((string)row.status, (int)row.retry_count));
        Assert.Equal(1, await world.MailsAsync("payment_method_required"));
        (await world.AutopaymentAsync(Morning.AddDays(1))).Done();
        Assert.Single(await world.CreationsAsync());
        Assert.Equal(1, await world.MailsAsync("payment_method_required"));
    }

    [Fact]
    public async Task A_customer_deleted_at_Stripe_has_no_usable_method()
    {
        await using var world = await fixture.WorldAsync();
        var gone = await GoneAsync(world, deleted: true);
        var other = await world.DueAsync("ben");

        var run = (await world.AutopaymentAsync(Morning)).Done();

        Assert.Equal((1, 1, 0), (run.Counter("charged"), run.Counter("no_payment_method"), run.Counter("failed")));
        Assert.Equal("active", await world.StatusAsync("subscriptions", other));
        var row = await world.RowAsync("subscriptions", gone);
        Assert.Equal(("past_due", 0), ((string)row.status, (int)row.retry_count));
        Assert.Equal(("failed", "customer_deleted"), await LastAttemptAsync(world, gone));
        Assert.Equal(1, await world.MailsAsync("payment_method_required"));
        // It stays so, without another question to Stripe, until the user has another customer and method.
        var asked = await world.PostsAsync();
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(1))).Done().Counter("no_payment_method"));
        Assert.Equal((asked, 1), (await world.PostsAsync(), await world.MailsAsync("payment_method_required")));
        await world.Stripe.SeedAsync(new { customers = new[] { new { id = "cus_new", payment_methods = new[] { new { id = "pm_new" } } } } });
        await world.ExecuteAsync("UPDATE users SET provider_customer_id = 'cus_new', default_payment_method_id = 'pm_new' WHERE name = 'ada'");
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(2))).Done().Counter("charged"));
    }

    [Fact]
    public async Task A_customer_that_Stripe_never_knew_fails_alone_and_blocks_nothing()
    {
        await using var world = await fixture.WorldAsync();
        var gone = await GoneAsync(world, deleted: false);
        var other = await world.DueAsync("ben");

        var run = (await world.AutopaymentAsync(Morning)).Failed();

        Assert.Equal((1, 1), (run.Counter("charged"), run.Counter("failed")));
        Assert.Equal("active", await world.StatusAsync("subscriptions", other));
        // A wrong key would not know any customer: no method is blocked and no retry is spent on such an answer.
        var row = await world.RowAsync("subscriptions", gone);
        Assert.Equal(("active", 0), ((string)row.status, (int)row.retry_count));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM blocked_payment_methods"));
        Assert.Equal(("canceled", "resource_missing"), await LastAttemptAsync(world, gone));
    }

    private static async Task<long> GoneAsync(JobWorld world, bool deleted)
    {
        var subscription = await world.DueAsync("ada");
        if (deleted)
        {
            await world.Stripe.SeedAsync(new { customers = new[] { new { id = "cus_gone", deleted = true } } });
        }

        await world.ExecuteAsync("UPDATE users SET provider_customer_id = 'cus_gone' WHERE name = 'ada'");
        return subscription;
    }

    private static async Task<(string Status, string Code)> LastAttemptAsync(JobWorld world, long subscription)
    {
        var attempt = (await world.AttemptsAsync(subscription))[^1];
        return ((string)attempt.status, (string)attempt.failure_code);
    }
}
