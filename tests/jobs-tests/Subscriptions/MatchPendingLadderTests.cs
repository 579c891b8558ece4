using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>How often an unresolved payment is asked about, and when its absence is a proof.</summary>
public sealed class MatchPendingLadderTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData(59, true)]
    [InlineData(61, false)]
    public async Task The_first_hour_is_asked_about_in_every_run(int minutes, bool asked)
    {
        await using var world = await fixture.WorldAsync();
        await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", Morning.AddMinutes(-minutes), "next_check_at", "'2026-11-20T05:00:01Z'");
        await world.IntentAsync("pi_1", "processing");

        var run = (await world.MatchPendingAsync("--as-of", AsOf(Morning))).Done();

        Assert.Equal(asked ? 1 : 0, run.Counter("still_open"));
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(23, 1)]
    [InlineData(25, 24)]
    [InlineData(240, 24)]
    public async Task An_older_one_is_asked_about_hourly_for_a_day_and_daily_after_that(int ageHours, int nextInHours)
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), "pi_1", Morning.AddHours(-ageHours));
        await world.IntentAsync("pi_1", "processing");

        (await world.MatchPendingAsync("--as-of", AsOf(Morning))).Done();

        var next = Morning.AddHours(nextInHours);
        Assert.Equal(next, (DateTime)(await world.RowAsync("payments", payment)).next_check_at);
        Assert.Equal(0, (await world.MatchPendingAsync("--as-of", AsOf(next.AddSeconds(-1)))).Done().Counter("still_open"));
        Assert.Equal(1, (await world.MatchPendingAsync("--as-of", AsOf(next))).Done().Counter("still_open"));
    }

    [Fact]
    public async Task Only_card_payments_that_are_open_at_stripe_are_asked_about()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        foreach (var (column, value) in new[]
        {
            ("method", "'cash'"), ("method", "'card_terminal'"), ("provider", "'sumup'"), ("status", "'failed'"), ("status", "'expired'"),
            ("status", "'canceled'"), ("status", "'succeeded'"), ("next_check_at", "now() + interval '1 hour'"),
        })
        {
            await world.PaymentAsync(user, null, DateTime.UtcNow.AddHours(-2), column, value);
        }

        (await world.MatchPendingAsync()).Done();

        Assert.Equal(0, (await world.Stripe.RequestsAsync()).Total);
    }

    [Theory]
    [InlineData(25.1, "failed")]
    [InlineData(24.9, "pending")]
    public async Task That_nothing_happened_is_concluded_25_hours_after_the_send_and_makes_it_due_again(double hours, string status)
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow.AddHours(-hours));
        var attempt = await world.LostAttemptAsync(subscription, TimeSpan.FromHours(hours));

        (await world.MatchPendingAsync()).Done();

        var row = await world.RowAsync("payments", attempt);
        Assert.Equal((status, status == "failed" ? "no_provider_payment" : null), ((string)row.status, (string?)row.failure_code));
        var next = (await world.RunAsync("autopayment")).Done();
        Assert.Equal(status == "failed" ? 1 : 0, next.Counter("charged"));
        Assert.Equal(0, (int)(await world.RowAsync("subscriptions", subscription)).retry_count);
    }

    [Fact]
    public async Task After_25_hours_a_success_that_the_listing_shows_is_booked_instead()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow.AddHours(-30));
        var attempt = await world.LostAttemptAsync(subscription, TimeSpan.FromHours(30));
        await world.IntentAsync(
            "pi_1", metadata: new { payment_id = Text(attempt), attempt_key = $"key-{subscription}" }, created: DateTime.UtcNow.AddHours(-29));

        (await world.MatchPendingAsync()).Done();
        (await world.RunAsync("autopayment")).Done();

        Assert.Equal("succeeded", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal(0, await world.PostsAsync());
    }

    [Fact]
    public async Task A_listing_that_fails_proves_nothing()
    {
        await using var world = await fixture.WorldAsync();
        var attempt = await world.LostAttemptAsync(await world.DueAsync("ada"), TimeSpan.FromHours(30));
        await world.Stripe.FaultAsync("status_before:500", new { method = "GET" }, shouldRetry: false);

        (await world.MatchPendingAsync()).Failed();

        Assert.Equal("pending", await world.StatusAsync("payments", attempt));
    }

    [Fact]
    public async Task An_application_s_payment_without_a_payment_intent_is_not_concluded_upon()
    {
        await using var world = await fixture.WorldAsync();
        var payment = await world.PaymentAsync(await world.UserAsync("ada"), null, DateTime.UtcNow.AddDays(-3));

        (await world.MatchPendingAsync()).Done();
        Assert.Equal("pending", await world.StatusAsync("payments", payment));
    }
}
