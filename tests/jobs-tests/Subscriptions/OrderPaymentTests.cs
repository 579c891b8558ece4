using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Subscriptions;

/// <summary>What a success grants when it pays an order or a membership.</summary>
public sealed class OrderPaymentTests(PostgresFixture fixture)
{
    private static object ForOrder(long user, long order) => new { user_id = Text(user), purpose = "order", order_id = Text(order) };

    [Theory]
    [InlineData("pending_payment")]
    [InlineData("expiring")]
    public async Task A_paid_order_closes_its_reservations_and_takes_the_stock(string status)
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, product) = await world.OrderAsync(user, status);
        await world.IntentAsync("pi_1", metadata: ForOrder(user, order));

        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Done().Counter("matched"));

        Assert.Equal("paid", await world.StatusAsync("orders", order));
        Assert.Equal((3, 0), await world.StockAsync(product));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM stock_reservations WHERE released_at IS NULL"));
        Assert.Equal("order, payment, product", await world.ScalarAsync<string>("SELECT string_agg(subject_type, ', ' ORDER BY subject_type) FROM audit_logs"));
        var after = await world.StateAsync();
        (await world.MatchSuccessfulAsync()).Done();
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task A_payment_intent_named_only_by_the_order_pays_it()
    {
        await using var world = await fixture.WorldAsync();
        var (order, _) = await world.OrderAsync(await world.UserAsync("ada"));
        await world.ExecuteAsync("UPDATE orders SET payment_intent_id = 'pi_1'");
        await world.IntentAsync("pi_1", customer: null, method: "pm_card_visa");

        (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal("paid", await world.StatusAsync("orders", order));
    }

    [Theory]
    [InlineData(2, "paid", 0)]
    [InlineData(1, "refund_due", 1)]
    public async Task An_expired_order_is_reinstated_if_the_stock_is_there_else_the_refund_is_due(long onHand, string status, long left)
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, product) = await world.OrderAsync(user, "expired", reserved: false, onHand);
        await world.IntentAsync("pi_1", metadata: ForOrder(user, order));

        (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal(status, await world.StatusAsync("orders", order));
        Assert.Equal((left, 0), await world.StockAsync(product));
        Assert.Equal("succeeded", (string)(await world.OneAsync("SELECT status FROM payments")).status);
        Assert.Equal(status == "refund_due" ? 1 : 0, await world.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE to_address = 'staff@example.test'"));
    }

    [Fact]
    public async Task Stock_that_others_reserved_does_not_reinstate_an_expired_order()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, product) = await world.OrderAsync(user, "expired", reserved: false, onHand: 3);
        await world.ExecuteAsync("UPDATE products SET stock_reserved = 2 WHERE id = @product", new { product });
        await world.IntentAsync("pi_1", metadata: ForOrder(user, order));

        (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal("refund_due", await world.StatusAsync("orders", order));
        Assert.Equal((3, 2), await world.StockAsync(product));
    }

    [Fact]
    public async Task Money_for_a_canceled_order_is_booked_and_to_be_refunded()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, product) = await world.OrderAsync(user, "canceled", reserved: false);
        await world.IntentAsync("pi_1", metadata: ForOrder(user, order));

        (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal("refund_due", await world.StatusAsync("orders", order));
        Assert.Equal((5, 0), await world.StockAsync(product));
        Assert.Equal(1, await world.MailsAsync("staff_refund_due"));
    }

    [Fact]
    public async Task A_second_success_for_an_order_is_parked_as_a_duplicate()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, product) = await world.OrderAsync(user);
        await world.IntentAsync("pi_1", metadata: ForOrder(user, order));
        await world.IntentAsync("pi_2", metadata: ForOrder(user, order));

        var run = (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal((1, 1), (run.Counter("matched"), run.Counter("parked_payments")));
        Assert.Equal("duplicate", (string)(await world.OneAsync("SELECT reason FROM unmatched_payments")).reason);
        Assert.Equal((3, 0), await world.StockAsync(product));
        Assert.Equal(1, await world.MailsAsync("staff_unmatched_payments"));
    }

    [Theory]
    [InlineData(999, "cus_ada", "amount_mismatch")]
    [InlineData(1000, "cus_ben", "customer_mismatch")]
    public async Task Money_that_does_not_fit_the_order_is_parked(long amount, string customer, string reason)
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.UserAsync("ben");
        var (order, product) = await world.OrderAsync(user);
        await world.IntentAsync("pi_1", amount: amount, customer: customer, method: customer.Replace("cus", "pm", StringComparison.Ordinal), metadata: ForOrder(user, order));

        (await world.MatchSuccessfulAsync()).Done();

        Assert.Equal(reason, await world.UnmatchedReasonAsync("pi_1"));
        Assert.Equal("pending_payment", await world.StatusAsync("orders", order));
        Assert.Equal((5, 2), await world.StockAsync(product));
    }

    private static readonly DateOnly Today = DateOnly.FromDateTime(TimeZoneInfo.ConvertTimeBySystemTimeZoneId(DateTime.UtcNow, "Europe/Paris"));

    private static Task HoldsAsync(JobWorld world, long user, string type, DateOnly end) => world.ExecuteAsync(
        "INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (@user, @type, @end::date - 364, @end)", new { user, type, end });

    private static async Task<string> GrantAsync(JobWorld world, long user, string type, long amount, bool reduced = false)
    {
        await world.IntentAsync("pi_1", amount: amount, metadata: new { user_id = Text(user), purpose = "membership", membership_type = type, reduced_price = reduced ? "true" : "false" });
        (await world.MatchSuccessfulAsync()).Done();
        return await world.ScalarAsync<string?>("SELECT reason FROM unmatched_payments") is { } reason
            ? reason
            : await world.ScalarAsync<string>("SELECT start_date || ' ' || end_date FROM memberships ORDER BY id DESC LIMIT 1");
    }

    private static string Year(DateOnly start) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{start:yyyy-MM-dd} {start.AddYears(1).AddDays(-1):yyyy-MM-dd}");

    [Theory]
    [InlineData("basic", 100, false, null)]
    [InlineData("basic", 200, false, "amount_mismatch")]
    [InlineData("circus", 900, false, "membership_refused")] // an upgrade of nothing
    public async Task A_membership_lasts_a_year_and_circus_needs_a_basic_one(string type, long amount, bool reduced, string? refused)
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");

        Assert.Equal(refused ?? Year(Today), await GrantAsync(world, user, type, amount, reduced));
        Assert.Equal(refused is null ? 1 : 0, await world.ScalarAsync<long>("SELECT count(*) FROM memberships AS m JOIN payments AS p ON p.id = m.payment_id AND p.membership_id = m.id WHERE p.status = 'succeeded'"));
    }

    [Theory]
    [InlineData(900, false)]
    [InlineData(600, true)]
    public async Task A_basic_member_is_upgraded_to_circus(long amount, bool reduced)
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        // Active on the last day itself.
        await HoldsAsync(world, user, "basic", Today);

        Assert.Equal(Year(Today), await GrantAsync(world, user, "circus", amount, reduced));
    }

    [Fact]
    public async Task In_its_last_month_the_new_term_follows_the_old_and_before_that_it_is_a_duplicate()
    {
        await using var early = await fixture.WorldAsync();
        var user = await early.UserAsync("ada");
        await HoldsAsync(early, user, "basic", Today.AddDays(40));
        Assert.Equal("duplicate", await GrantAsync(early, user, "basic", 100));

        await using var late = await fixture.WorldAsync();
        user = await late.UserAsync("ada");
        await HoldsAsync(late, user, "basic", Today.AddDays(20));
        Assert.Equal(Year(Today.AddDays(21)), await GrantAsync(late, user, "basic", 100));
    }
}
