using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>Payments pending for more than seven days.</summary>
public sealed class ExpirePaymentsTests(PostgresFixture fixture)
{
    private static readonly DateTime Now = Morning;
    private static readonly DateTime Old = Now.AddDays(-8);

    private static Task<JobResult> ExpireAsync(JobWorld world, params string[] args) =>
        world.RunAsync("expire-payments", ["--as-of", AsOf(Now), .. args]);

    [Fact]
    public async Task Seven_days_to_the_microsecond_is_kept_and_one_more_expires()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var kept = await world.PaymentAsync(user, "pi_kept", Now.AddDays(-7));
        var expired = await world.PaymentAsync(user, "pi_expired", Now.AddDays(-7).AddMicroseconds(-1));
        await world.IntentAsync("pi_kept", "requires_payment_method");
        await world.IntentAsync("pi_expired", "requires_payment_method");

        Assert.Equal(1, (await ExpireAsync(world)).Done().Counter("expired"));

        Assert.Equal(("pending", "expired"), (await world.StatusAsync("payments", kept), await world.StatusAsync("payments", expired)));
        Assert.Equal(("requires_payment_method", "canceled"), (await world.IntentStatusAsync("pi_kept"), await world.IntentStatusAsync("pi_expired")));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE subject_type = 'payment' AND subject_id = @expired AND run_id IS NOT NULL", new { expired }));
        var after = await world.StateAsync();
        (await ExpireAsync(world)).Done();
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task Each_condition_alone_keeps_a_payment()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        foreach (var (column, value) in new[]
        {
            ("status", "'processing'"), ("status", "'requires_action'"), ("status", "'succeeded'"), ("status", "'failed'"), ("status", "'canceled'"),
            ("status", "'refunded'"), ("method", "'cash'"), ("method", "'check'"), ("method", "'transfer'"), ("provider", "'sumup'"),
        })
        {
            await world.PaymentAsync(user, null, Old, column, value);
        }

        foreach (var status in new[] { "waiting", "processing", "unknown" })
        {
            // One of a person is at a reader at a time.
            var queued = await world.PaymentAsync(await world.UserAsync(status), null, Old, "method", "'card_terminal'");
            await world.ExecuteAsync("INSERT INTO payment_queue (payment_id, status) VALUES (@queued, @status)", new { queued, status });
        }

        var left = await world.PaymentAsync(user, null, Old, "method", "'card_terminal'");
        await world.ExecuteAsync("INSERT INTO payment_queue (payment_id, status) VALUES (@left, 'canceled')", new { left });

        Assert.Equal(1, (await ExpireAsync(world)).Done().Counter("expired"));
        Assert.Equal(left, await world.ScalarAsync<long>("SELECT id FROM payments WHERE status = 'expired'"));
    }

    [Theory]
    [InlineData("requires_payment_method")]
    [InlineData("requires_confirmation")]
    [InlineData("requires_action")]
    [InlineData("canceled")]
    public async Task Nothing_can_be_paid_on_its_payment_intent_any_more(string atStripe)
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", Old);
        await world.IntentAsync("pi_1", atStripe);

        Assert.Equal(1, (await ExpireAsync(world)).Done().Counter("expired"));

        Assert.Equal("canceled", await world.IntentStatusAsync("pi_1"));
        Assert.Equal("expired", await world.StatusAsync("payments", payment));
    }

    [Fact]
    public async Task A_payment_intent_that_only_its_metadata_ties_to_the_row_is_canceled_too()
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), null, Old);
        await world.IntentAsync("pi_1", "requires_payment_method", metadata: new { payment_id = Text(payment) }, created: Old.AddMinutes(1));

        (await ExpireAsync(world)).Done();

        Assert.Equal("canceled", await world.IntentStatusAsync("pi_1"));
        Assert.Equal("expired", await world.StatusAsync("payments", payment));
    }

    [Fact]
    public async Task What_succeeded_is_fulfilled_and_what_is_processing_is_left()
    {
        await using var world = await fixture.WorldAsync();
        var plan = await world.PlanAsync();
        var user = await world.UserAsync("ada");
        var paid = await world.PaymentAsync(user, "pi_paid", Old, "purpose, plan_id", $"'subscription', {plan}");
        var busy = await world.PaymentAsync(user, "pi_busy", Old);
        var held = await world.PaymentAsync(user, "pi_held", Old);
        await world.IntentAsync("pi_paid");
        await world.IntentAsync("pi_busy", "processing");
        await world.IntentAsync("pi_held", "requires_capture");

        var run = (await ExpireAsync(world)).Done();

        Assert.Equal((1, 0, 2), (run.Counter("fulfilled"), run.Counter("expired"), run.Counter("left")));
        Assert.Equal(("succeeded", "processing", "pending"), (await world.StatusAsync("payments", paid), await world.StatusAsync("payments", busy), await world.StatusAsync("payments", held)));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM subscriptions WHERE status = 'active'"));
        Assert.Equal(0, await world.PostsAsync());
    }

    [Fact]
    public async Task Paid_between_the_look_and_the_cancel_it_is_fulfilled()
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", Old, "purpose, plan_id", $"'subscription', {await world.PlanAsync()}");
        await world.IntentAsync("pi_1", "requires_confirmation");
        await world.Stripe.FaultAsync("hang_before", new { method = "POST" });
        using var process = world.Start("expire-payments", "--as-of", AsOf(Now));
        await world.Stripe.HeldAsync();
        await world.Stripe.ActAsync("pi_1", "pay", new { });
        await world.Stripe.ReleaseAsync();

        (await process.EndAsync()).Done();

        Assert.Equal("succeeded", await world.StatusAsync("payments", payment));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task A_failing_provider_leaves_the_row_as_it_was_and_the_run_fails(string method)
    {
        await using var world = await fixture.WorldAsync();
        await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", Old);
        await world.IntentAsync("pi_1", "requires_payment_method");
        var before = await world.StateAsync();
        await world.Stripe.FaultAsync("status_before:500", new { method }, shouldRetry: false);

        Assert.Equal(1, (await ExpireAsync(world)).Failed().Counter("failed"));

        Assert.Equal(before, await world.StateAsync());
    }

    [Fact]
    public async Task Without_a_payment_intent_or_with_one_the_provider_does_not_know_it_just_expires()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.PaymentAsync(user, null, Old);
        await world.PaymentAsync(user, "pi_gone", Old);

        Assert.Equal(2, (await ExpireAsync(world)).Done().Counter("expired"));
        Assert.Equal(
            "no_provider_payment, provider_not_found",
            await world.ScalarAsync<string>("SELECT string_agg(failure_code, ', ' ORDER BY failure_code) FROM payments WHERE status = 'expired'"));
    }

    [Fact]
    public async Task A_dry_run_foretells_what_the_run_does_and_changes_nothing()
    {
        await using var world = await fixture.WorldAsync();
        var plan = await world.PlanAsync();
        var user = await world.UserAsync("ada");
        await world.PaymentAsync(user, "pi_paid", Old, "purpose, plan_id", $"'subscription', {plan}");
        await world.PaymentAsync(user, "pi_busy", Old);
        await world.PaymentAsync(user, "pi_open", Old);
        await world.IntentAsync("pi_paid");
        await world.IntentAsync("pi_busy", "processing");
        await world.IntentAsync("pi_open", "requires_payment_method");
        var before = await world.StateAsync();

        var dry = (await ExpireAsync(world, "--dry-run")).Done();

        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.RunRowsAsync());
        Assert.Equal(0, await world.PostsAsync());
        var run = (await ExpireAsync(world)).Done();
        Assert.Equal((1, 1, 1), (dry.Counter("fulfilled"), dry.Counter("left"), dry.Counter("expired")));
        Assert.Equal((1, 1, 1), (run.Counter("fulfilled"), run.Counter("left"), run.Counter("expired")));
    }
}
