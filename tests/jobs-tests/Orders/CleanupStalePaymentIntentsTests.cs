using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Orders.OrderScene;

namespace Jobs.Tests.Orders;

/// <summary>PaymentIntents abandoned at Stripe.</summary>
public sealed class CleanupStalePaymentIntentsTests(PostgresFixture fixture)
{
    private static readonly DateTime Old = Now.AddDays(-8);
    private static readonly object Ours = new { user_id = "1" };

    private static Task OldIntentAsync(JobWorld world, string id, string status = "requires_payment_method", object? metadata = null, DateTime? created = null) =>
        world.IntentAsync(id, status, metadata: metadata ?? Ours, created: created ?? Old);

    [Fact]
    public async Task Seven_days_to_the_second_is_kept_and_one_more_is_canceled()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await OldIntentAsync(world, "pi_kept", created: Now.AddDays(-7));
        await OldIntentAsync(world, "pi_old", created: Now.AddDays(-7).AddSeconds(-1));
        var payment = await world.PaymentAsync(user, "pi_old", Now.AddDays(-7).AddSeconds(-1));

        var run = (await world.CleanupAsync()).Done();

        Assert.Equal((1, 1), (run.Counter("payment_intents_canceled"), run.Counter("payments_canceled")));
        Assert.Equal(("requires_payment_method", "canceled"), (await world.IntentStatusAsync("pi_kept"), await world.IntentStatusAsync("pi_old")));
        var row = await world.RowAsync("payments", payment);
        Assert.Equal(("canceled", "abandoned"), ((string)row.status, (string)row.failure_code));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE action = 'payment.canceled' AND run_id IS NOT NULL"));
        var after = await world.StateAsync();
        Assert.Equal(0, (await world.CleanupAsync()).Done().Counter("payment_intents_canceled"));
        Assert.Equal(after, await world.StateAsync());
        Assert.Equal(1, (await world.CleanupAsync("--older-than", "6d")).Done().Counter("payment_intents_canceled"));
    }

    [Fact]
    public async Task Each_condition_alone_keeps_a_payment_intent()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        foreach (var status in new[] { "succeeded", "processing", "canceled", "requires_capture" })
        {
            await OldIntentAsync(world, $"pi_{status}", status);
        }

        // Not ours: neither metadata nor a row.
        await world.IntentAsync("pi_stranger", "requires_payment_method", metadata: new { cart = "7" }, created: Old);
        // Orders in time, named by the order, by a payment and by the metadata; one without a time never ends.
        var (byOrder, _) = await world.StaleOrderAsync(user, "pi_by_order", Now);
        var (byPayment, _) = await world.StaleOrderAsync(user, null, Now);
        await world.OrderPaymentAsync(user, byPayment, "pi_by_payment", "failed");
        var (timeless, _) = await world.StaleOrderAsync(user, null, Now);
        await world.ExecuteAsync("UPDATE orders SET expires_at = NULL WHERE id = @timeless", new { timeless });
        await OldIntentAsync(world, "pi_by_order", metadata: new { cart = "1" });
        await OldIntentAsync(world, "pi_by_payment");
        await OldIntentAsync(world, "pi_by_metadata", metadata: ForOrder(user, timeless));
        // A younger payment under way, and one at a terminal.
        await world.PaymentAsync(user, "pi_young", Now.AddDays(-7));
        await OldIntentAsync(world, "pi_young");
        var queued = await world.PaymentAsync(user, null, Old, "status", "'failed'");
        await world.ExecuteAsync("INSERT INTO payment_queue (payment_id, status) VALUES (@queued, 'waiting')", new { queued });
        await OldIntentAsync(world, "pi_queued", metadata: new { payment_id = BillingScene.Text(queued) });
        // A customer is on Stripe's page.
        await OldIntentAsync(world, "pi_session");
        await world.SessionAsync("cs_1", "pi_session");
        var before = await world.StateAsync();
        var atStripe = (await world.Stripe.DumpAsync()).Select(i => i.ToString()).ToList();

        var run = (await world.CleanupAsync("--items")).Done();

        Assert.Equal((0, 7), (run.Counter("payment_intents_canceled"), run.Counter("left")));
        Assert.Equal(
            "checkout_session, order_in_time, order_in_time, order_in_time, payment_under_way, payment_under_way, requires_capture",
            string.Join(", ", run.Items().EnumerateArray().Select(i => i.GetProperty("reason").GetString()).Order(StringComparer.Ordinal)));
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(atStripe, (await world.Stripe.DumpAsync()).Select(i => i.ToString()));
        Assert.Equal(0, await world.PostsAsync());
    }

    [Fact]
    public async Task Ours_is_what_says_so_or_is_known_here()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (overdue, _) = await world.StaleOrderAsync(user, "pi_overdue");
        await world.PaymentAsync(user, "pi_row", Old, "status", "'failed'");
        var nameless = await world.PaymentAsync(user, null, Old);
        var moved = await world.PaymentAsync(user, "pi_other", Now.AddDays(-1));
        var none = new { cart = "7" };
        await OldIntentAsync(world, "pi_overdue", metadata: none);
        await OldIntentAsync(world, "pi_row", metadata: none);
        await OldIntentAsync(world, "pi_metadata", "requires_action");
        await OldIntentAsync(world, "pi_nameless", "requires_confirmation", new { payment_id = BillingScene.Text(nameless) });
        // Its payment goes on with another PaymentIntent.
        await OldIntentAsync(world, "pi_left_behind", metadata: new { payment_id = BillingScene.Text(moved) });

        var run = (await world.CleanupAsync()).Done();

        Assert.Equal((5, 1), (run.Counter("payment_intents_canceled"), run.Counter("payments_canceled")));
        Assert.Equal("failed", await world.ScalarAsync<string>("SELECT status FROM payments WHERE provider_payment_id = 'pi_row'"));
        Assert.Equal(("canceled", "pending"), (await world.StatusAsync("payments", nameless), await world.StatusAsync("payments", moved)));
        // Its own job expires it.
        Assert.Equal("pending_payment", await world.StatusAsync("orders", overdue));
    }

    [Fact]
    public async Task An_authorization_is_released_only_when_asked_for()
    {
        await using var world = await fixture.WorldAsync();
        await OldIntentAsync(world, "pi_held", "requires_capture");

        Assert.Equal(1, (await world.CleanupAsync()).Done().Counter("left"));
        Assert.Equal("requires_capture", await world.IntentStatusAsync("pi_held"));
        Assert.Equal(1, (await world.CleanupAsync("--include-requires-capture")).Done().Counter("payment_intents_canceled"));
        Assert.Equal("canceled", await world.IntentStatusAsync("pi_held"));
    }

    [Fact]
    public async Task Paid_at_the_last_moment_it_is_booked()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, product) = await world.StaleOrderAsync(user, "pi_1");
        await OldIntentAsync(world, "pi_1", metadata: ForOrder(user, order));
        await world.Stripe.FaultAsync("hang_before", new { method = "POST" });
        using var process = world.Start("cleanup-stale-payment-intents", "--as-of", BillingScene.AsOf(Now), "--output", "json");
        await world.Stripe.HeldAsync();
        await world.Stripe.ActAsync("pi_1", "pay", new { });
        await world.Stripe.ReleaseAsync();

        Assert.Equal(1, (await process.EndAsync()).Done().Counter("paid_in_race"));

        Assert.Equal("paid", await world.StatusAsync("orders", order));
        Assert.Equal((3, 0), await world.StockAsync(product));
    }

    [Fact]
    public async Task A_row_that_a_killed_run_left_behind_follows()
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", Old);
        await OldIntentAsync(world, "pi_1", "canceled");

        var run = (await world.CleanupAsync()).Done();

        Assert.Equal((0, 1), (run.Counter("payment_intents_canceled"), run.Counter("payments_canceled")));
        Assert.Equal("canceled", await world.StatusAsync("payments", payment));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task A_failing_provider_changes_nothing_here_and_the_run_fails(string method)
    {
        await using var world = await fixture.WorldAsync();
        await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", Old);
        await OldIntentAsync(world, "pi_1");
        var before = await world.StateAsync();
        await world.Stripe.FaultAsync("status_before:500", new { method, nth = 2 - (method == "POST" ? 1 : 0) }, shouldRetry: false);

        Assert.Equal(1, (await world.CleanupAsync()).Failed().Counter("failed"));

        Assert.Equal(before, await world.StateAsync());
    }

    [Fact]
    public async Task A_dry_run_foretells_what_the_run_does_and_changes_nothing()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.PaymentAsync(user, "pi_1", Old);
        await world.PaymentAsync(user, "pi_2", Old, "status", "'failed'");
        await world.PaymentAsync(user, "pi_3", Old);
        await OldIntentAsync(world, "pi_1");
        await OldIntentAsync(world, "pi_2");
        await OldIntentAsync(world, "pi_3", "canceled");
        await OldIntentAsync(world, "pi_session");
        await world.SessionAsync("cs_1", "pi_session");
        var before = await world.StateAsync();

        var dry = (await world.CleanupAsync("--dry-run")).Done();

        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.RunRowsAsync());
        Assert.Equal(0, await world.PostsAsync());
        var run = (await world.CleanupAsync()).Done();
        foreach (var counter in new[] { "payment_intents_canceled", "payments_canceled", "left", "seen" })
        {
            Assert.Equal(run.Counter(counter), dry.Counter(counter));
        }

        Assert.Equal((2, 2, 1), (run.Counter("payment_intents_canceled"), run.Counter("payments_canceled"), run.Counter("left")));
    }

    [Theory]
    [InlineData("--only", "7")]
    [InlineData("--shard", "0/2")]
    public async Task It_follows_one_list_and_says_so(string option, string value)
    {
        await using var world = await fixture.WorldAsync();

        Assert.Contains("--only and --shard do not apply", (await world.CleanupAsync(option, value)).Failed().Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_list_is_gone_through_page_by_page()
    {
        await using var world = await fixture.WorldAsync();
        await world.Stripe.SeedAsync(new
        {
            payment_intents = new object[]
            {
                new { id = "pi_done_{n}", amount = 1000, currency = "eur", status = "succeeded", created = Old.AddDays(-3).ToString("O"), created_step = 1, events = false, repeat = 2500 },
                new { id = "pi_open_{n}", amount = 1000, currency = "eur", status = "requires_payment_method", created = Old.ToString("O"), events = false, metadata = Ours, repeat = 250 },
            },
        });

        Assert.Equal(250, (await world.CleanupAsync("--timeout", "2m")).Done().Counter("payment_intents_canceled"));
        Assert.Equal(2500, (await world.Stripe.DumpAsync()).Count(i => i.GetProperty("status").GetString() == "succeeded"));
    }
}
