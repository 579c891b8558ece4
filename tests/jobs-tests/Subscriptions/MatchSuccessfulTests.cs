using System.Globalization;
using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Succeeded at Stripe, unknown here.</summary>
public sealed class MatchSuccessfulTests(PostgresFixture fixture)
{
    private static async Task<DateTime?> CursorAsync(JobWorld world) =>
        await world.ScalarAsync<string?>("SELECT max(value) FROM job_cursors WHERE job = 'match-successful-payments'") is { } value
            ? DateTime.Parse(value, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal)
            : null;

    private static Task SetCursorAsync(JobWorld world, DateTime at) => world.ExecuteAsync(
        "INSERT INTO job_cursors (job, name, value) VALUES ('match-successful-payments', 'until', @value)", new { value = AsOf(at) });

    private async Task<(JobWorld World, long User)> WorldAsync()
    {
        var world = await fixture.WorldAsync();
        await world.PlanAsync();
        return (world, await world.UserAsync("ada"));
    }

    private static object ForPlan(long user) => new { user_id = Text(user), purpose = "subscription", plan = "monthly" };

    [Fact]
    public async Task An_unknown_success_becomes_payment_subscription_receipt_and_mail_once()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.IntentAsync("pi_1", metadata: ForPlan(user));

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        var payment = await world.OneAsync("SELECT * FROM payments");
        Assert.Equal(("succeeded", "pi_1", 1000, user), ((string)payment.status, (string)payment.provider_payment_id, (long)payment.amount_minor, (long)payment.user_id));
        var subscription = await world.OneAsync("SELECT * FROM subscriptions");
        Assert.Equal(("active", (long)payment.id), ((string)subscription.status, (long)subscription.payment_id));
        Assert.True((bool)subscription.auto_renew);
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM receipts WHERE payment_id = @id", new { payment.id }));
        Assert.Equal(1, await world.MailsAsync("payment_receipt"));
        var after = await world.StateAsync();

        Assert.Equal(0, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task An_old_payment_intent_that_succeeded_today_is_learned_of_through_events()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.IntentAsync("pi_1", metadata: ForPlan(user), created: DateTime.UtcNow.AddDays(-3), succeededAt: DateTime.UtcNow.AddMinutes(-2));

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));
    }

    [Fact]
    public async Task One_whose_events_are_missing_is_found_by_its_creation()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.Stripe.SeedAsync(new
        {
            payment_intents = new[] { new { id = "pi_1", amount = 1000, customer = "cus_ada", payment_method = "pm_ada", status = "succeeded", metadata = ForPlan(user), events = false } },
        });

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));
    }

    [Fact]
    public async Task The_first_run_looks_one_hour_back()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.IntentAsync("pi_old", metadata: ForPlan(user), created: DateTime.UtcNow.AddMinutes(-62));
        await world.IntentAsync("pi_new", metadata: ForPlan(user), created: DateTime.UtcNow.AddMinutes(-58));

        (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal("pi_new", await world.ScalarAsync<string>("SELECT string_agg(provider_payment_id, ',') FROM payments"));
    }

    [Fact]
    public async Task An_outage_of_a_day_loses_nothing()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await SetCursorAsync(world, DateTime.UtcNow.AddHours(-24));
        await world.IntentAsync("pi_listed", metadata: ForPlan(user), created: DateTime.UtcNow.AddHours(-23.5));
        await world.IntentAsync("pi_event", metadata: ForPlan(user), created: DateTime.UtcNow.AddDays(-9), succeededAt: DateTime.UtcNow.AddHours(-20));

        Assert.Equal(2, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions"));
        Assert.InRange((await CursorAsync(world))!.Value, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow);
    }

    [Theory]
    [InlineData("succeeded")]
    [InlineData("refunded")]
    [InlineData("disputed")]
    public async Task What_is_booked_already_is_left_alone(string status)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.PaymentAsync(user, "pi_1", columns: "status", values: $"'{status}'");
        await world.IntentAsync("pi_1", metadata: ForPlan(user));
        var before = await world.StateAsync();

        Assert.Equal(0, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        Assert.Equal(before, await world.StateAsync());
    }

    [Fact]
    public async Task What_has_not_succeeded_is_none_of_its_business()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        foreach (var status in new[] { "requires_payment_method", "requires_confirmation", "requires_action", "processing", "requires_capture", "canceled" })
        {
            await world.IntentAsync("pi_" + status, status, metadata: ForPlan(user));
        }

        Assert.Equal(0, (await world.MatchSuccessfulAsync()).Done().Counter("seen"));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM payments"));
    }

    [Fact]
    public async Task The_cursor_stays_where_it_was_while_an_item_fails_and_nothing_is_lost()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var cursor = DateTime.UtcNow.AddHours(-5);
        await SetCursorAsync(world, cursor);
        await world.IntentAsync("pi_bad", metadata: ForPlan(user), created: DateTime.UtcNow.AddHours(-4));
        await world.IntentAsync("pi_good", metadata: ForPlan(user), created: DateTime.UtcNow.AddHours(-4));
        await world.Stripe.FaultAsync("status_before:500", new { path = "/v1/payment_intents/pi_bad" }, shouldRetry: false);

        var run = (await world.MatchSuccessfulAsync()).Failed();
        Assert.Equal((1, true), (run.Counter("matched"), run.Counter("failed") > 0));
        Assert.Equal(cursor, (await CursorAsync(world))!.Value, TimeSpan.FromMilliseconds(1));

        await world.Stripe.ClearFaultsAsync();
        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));
        Assert.InRange((await CursorAsync(world))!.Value, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow);
    }

    [Theory]
    [InlineData("/v1/payment_intents")]
    [InlineData("/v1/events")]
    public async Task The_cursor_stays_when_a_list_cannot_be_read(string path)
    {
        var (world, _) = await WorldAsync();
        await using var _ = world;
        await world.Stripe.FaultAsync("status_before:500", new { method = "GET", path }, shouldRetry: false);

        (await world.MatchSuccessfulAsync()).Failed();

        Assert.Null(await CursorAsync(world));
    }

    [Theory]
    [InlineData("--dry-run", null)]
    [InlineData("--limit", "1")]
    public async Task A_run_that_handles_not_everything_moves_no_cursor(string option, string? value)
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.IntentAsync("pi_1", metadata: ForPlan(user));
        var before = await world.StateAsync();

        (await world.MatchSuccessfulAsync(value is null ? [option] : [option, value])).Done();

        Assert.Null(await CursorAsync(world));
        if (option == "--dry-run")
        {
            Assert.Equal(before, await world.StateAsync());
            Assert.Equal(0, await world.RunRowsAsync());
        }
    }

    [Theory]
    [InlineData("--only", "1")]
    [InlineData("--shard", "0/2")]
    public async Task A_slice_of_the_one_cursor_is_refused(string option, string value)
    {
        var (world, _) = await WorldAsync();
        await using var _1 = world;

        var run = await world.RunAsync("match-successful-payments", option, value);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("do not apply", run.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_runs_at_once_with_match_pending_book_a_success_once()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        for (var i = 0; i < 6; i++)
        {
            var payment = await world.PaymentAsync(user, $"pi_{i}", columns: "purpose, plan_id", values: "'subscription', (SELECT id FROM plans)");
            await world.IntentAsync($"pi_{i}", metadata: new { payment_id = Text(payment), user_id = Text(user) });
        }

        var runs = await Task.WhenAll(world.MatchPendingAsync(), world.MatchSuccessfulAsync());

        Assert.All(runs, r => r.Done());
        Assert.Equal(6, runs.Sum(r => r.Counter("matched")));
        Assert.Equal(6, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
        // One subscription, extended five times.
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions"));
        Assert.Equal(6, await world.ScalarAsync<long>("SELECT count(DISTINCT period_start) FROM payments"));
    }

    [Fact]
    public async Task A_success_that_was_refunded_in_full_is_recorded_as_refunded_and_grants_nothing()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.IntentAsync("pi_1", metadata: ForPlan(user));
        await world.Stripe.ActAsync("pi_1", "refund");

        var dry = (await world.MatchSuccessfulAsync("--dry-run")).Done();
        var run = (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal((1, 0, 1), (run.Counter("refunded"), run.Counter("matched"), dry.Counter("refunded")));
        var payment = await world.OneAsync("SELECT * FROM payments");
        Assert.Equal(("refunded", 1000), ((string)payment.status, (long)payment.amount_refunded_minor));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions"));
        Assert.Equal((1, 0), (await world.ScalarAsync<long>("SELECT count(*) FROM receipts"), await world.MailsAsync("payment_receipt")));
        Assert.Equal("payment.refunded", await world.ScalarAsync<string>("SELECT string_agg(action, ',') FROM audit_logs"));
        var after = await world.StateAsync();
        (await world.MatchSuccessfulAsync()).Done();
        Assert.Equal(after, await world.StateAsync());

        // The refund's own row follows with the next sync.
        (await world.RunAsync("subscription-sync")).Done();
        Assert.Equal(1000, await world.ScalarAsync<long>("SELECT sum(amount_minor)::bigint FROM payment_refunds"));
        Assert.Equal("refunded", (string)(await world.OneAsync("SELECT status FROM payments")).status);
    }

    [Fact]
    public async Task One_that_was_refunded_in_part_is_granted()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        await world.IntentAsync("pi_1", metadata: ForPlan(user));
        await world.Stripe.ActAsync("pi_1", "refund", new { amount = 999 });

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        Assert.Equal("active", (string)(await world.OneAsync("SELECT status FROM subscriptions")).status);
    }

    [Fact]
    public async Task A_renewal_that_was_refunded_before_anybody_here_knew_of_it_ends_the_subscription_and_keeps_the_period()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var end = DateTime.UtcNow.AddHours(-3);
        var subscription = await world.SubscriptionAsync(user, await world.PlanAsync(), end, "past_due");
        var payment = await world.LostAttemptAsync(subscription, TimeSpan.FromHours(2));
        await world.IntentAsync("pi_1", metadata: new { payment_id = Text(payment), user_id = Text(user), subscription_id = Text(subscription), purpose = "subscription" }, created: DateTime.UtcNow.AddHours(-2));
        await world.Stripe.ActAsync("pi_1", "refund");

        Assert.Equal(1, (await world.MatchPendingAsync()).Done().Counter("refunded"));

        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("canceled", false), ((string)row.status, (bool)row.auto_renew));
        Assert.Equal(end, (DateTime)row.ended_at, TimeSpan.FromMilliseconds(1));
        Assert.Equal("refunded", await world.StatusAsync("payments", payment));
    }

    [Fact]
    public async Task An_order_whose_payment_was_refunded_keeps_its_stock_and_waits()
    {
        var (world, user) = await WorldAsync();
        await using var _ = world;
        var (order, product) = await world.OrderAsync(user);
        await world.IntentAsync("pi_1", metadata: new { user_id = Text(user), purpose = "order", order_id = Text(order) });
        await world.Stripe.ActAsync("pi_1", "refund");

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("refunded"));

        Assert.Equal("pending_payment", await world.StatusAsync("orders", order));
        Assert.Equal((5, 2), await world.StockAsync(product));
    }
}
