using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>The issuer wants the customer: a mailed link, no blind retry, and no second charge when the link is paid.</summary>
public sealed class AuthenticationTests(PostgresFixture fixture)
{
    [Theory]
    [InlineData("authentication_required")]
    [InlineData("requires_action")]
    public async Task The_attempt_fails_with_a_mailed_link_and_is_not_repeated_blindly(string behaviour)
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", behaviour);

        Assert.Equal(1, (await world.AutopaymentAsync(Morning)).Done().Counter("declined"));

        var attempt = Assert.Single(await world.AttemptsAsync(subscription));
        Assert.Equal(("failed", "authentication_required"), ((string)attempt.status, (string)attempt.failure_code));
        Assert.NotNull((string?)attempt.provider_payment_id);
        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("past_due", 0), ((string)row.status, (int)row.retry_count));
        var mail = await world.OneAsync("SELECT kind, payload ->> 'action_url' AS url, to_address FROM notifications");
        Assert.Equal(("payment_action_required", $"https://example.test/pay/{attempt.id}", "ada@example.test"), ((string)mail.kind, (string)mail.url, (string)mail.to_address));

        await world.Stripe.BehaveAsync("pm_ada", "success");
        for (var day = 1; day <= 3; day++)
        {
            (await world.AutopaymentAsync(Morning.AddDays(day))).Done();
        }

        Assert.Single(await world.CreationsAsync());
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM notifications"));
        Assert.Equal(0, await world.ChargesAsync());
    }

    [Fact]
    public async Task The_mailed_link_stays_payable_while_nothing_else_is_tried()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada", "authentication_required");
        (await world.AutopaymentAsync(Morning)).Done();

        (await world.AutopaymentAsync(Morning.AddDays(1))).Done();

        var intent = Assert.Single(await world.Stripe.DumpAsync());
        Assert.Equal("requires_payment_method", intent.GetProperty("status").GetString());
    }

    [Theory]
    [InlineData("autopayment")]
    [InlineData("match-successful-payments")]
    public async Task A_paid_link_renews_once_and_nothing_is_charged_again(string job)
    {
        await using var world = await fixture.WorldAsync();
        var now = DateTime.UtcNow;
        var subscription = await world.DueAsync("ada", "authentication_required,success", now.AddHours(-1));
        (await world.AutopaymentAsync(now.AddSeconds(-1))).Done();
        await world.Stripe.ActAsync((string)Assert.Single(await world.AttemptsAsync(subscription)).provider_payment_id, "pay", new { });

        (await world.RunAsync(job)).Done();
        (await world.RunAsync("autopayment")).Done();

        Assert.Equal("succeeded", (string)Assert.Single(await world.AttemptsAsync(subscription)).status);
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal(1, await world.ChargesAsync());
        Assert.Equal(1, await world.MailsAsync("payment_receipt"));
    }

    [Fact]
    public async Task Another_default_method_is_charged_and_the_link_is_dead_by_then()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", "authentication_required");
        (await world.AutopaymentAsync(Morning)).Done();
        await world.AddMethodAsync("ada", "pm_other");
        await world.SetDefaultAsync("ada", "pm_other");

        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(1))).Done().Counter("charged"));

        Assert.Equal(["canceled", "succeeded"], (await world.Stripe.DumpAsync()).Select(i => i.GetProperty("status").GetString()));
        Assert.Equal("active", await world.StatusAsync("subscriptions", subscription));
        Assert.Equal(1, await world.ChargesAsync());
    }

    [Fact]
    public async Task Without_an_action_url_the_mail_is_still_written()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["PAYMENT_ACTION_URL"] = null;
        await world.DueAsync("ada", "authentication_required");

        (await world.AutopaymentAsync(Morning)).Done();

        Assert.Equal(1, await world.MailsAsync("payment_action_required"));
    }
}
