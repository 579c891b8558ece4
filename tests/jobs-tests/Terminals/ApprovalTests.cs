using Jobs.Terminals;
using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;
using static Jobs.Tests.Terminals.TerminalScene;

namespace Jobs.Tests.Terminals;

/// <summary>What the answer of a card terminal does to its payment: granted once, failed, canceled, or parked for people to decide.</summary>
public sealed class ApprovalTests(PostgresFixture fixture)
{
    [Fact]
    public async Task An_approved_membership_is_granted_with_its_receipt_and_mail()
    {
        await using var scene = await OpenAsync(fixture);
        var payment = await scene.QueuedAsync(Basic());

        Assert.Equal(ApprovalOutcome.Fulfilled, await scene.ApproveAsync(payment, Charged(100)));
        Assert.Equal(ApprovalOutcome.AlreadyFulfilled, await scene.ApproveAsync(payment, Charged(100)));

        var row = await scene.PaymentAsync(payment);
        Assert.Equal(("succeeded", "card_terminal", "sumup", "tx_1"), ((string)row.status, (string)row.method, (string)row.provider, (string)row.provider_payment_id));
        var membership = await scene.World.OneAsync("SELECT * FROM memberships");
        Assert.Equal(
            (payment, "basic", MemberScene.Desk), ((long)membership.payment_id, (string)membership.type, (long)membership.recorded_by));
        Assert.Equal("2026-000001", await scene.World.ScalarAsync<string>("SELECT number FROM receipts"));
        Assert.Equal(1, await scene.World.MailsAsync("payment_receipt"));
        await Crash.Truth.CheckAsync(scene.World);
    }

    [Fact]
    public async Task An_approved_order_leaves_the_shelf()
    {
        await using var scene = await OpenAsync(fixture);
        var (order, product) = await scene.World.OrderAsync(MemberScene.Ada);
        var payment = await scene.QueuedAsync(Order(order));

        Assert.Equal(ApprovalOutcome.Fulfilled, await scene.ApproveAsync(payment, Charged()));

        Assert.Equal("paid", await scene.World.StatusAsync("orders", order));
        Assert.Equal(3, (long)(await scene.World.RowAsync("products", product)).stock_on_hand);
        await Crash.Truth.CheckAsync(scene.World);
    }

    [Theory]
    [InlineData(true, "2026-12-25 12:00:00")]
    [InlineData(false, "2026-12-20 05:00:00")]
    public async Task An_approved_subscription_gets_its_period(bool subscribed, string end)
    {
        await using var scene = await OpenAsync(fixture);
        var plan = await scene.World.PlanAsync();
        if (subscribed)
        {
            await scene.World.SubscriptionAsync(MemberScene.Ada, plan, Utc(2026, 11, 25, 12));
        }

        var payment = await scene.QueuedAsync(Monthly());
        Assert.Equal(ApprovalOutcome.Fulfilled, await scene.ApproveAsync(payment, Charged()));

        var subscription = await scene.World.OneAsync("SELECT status, payment_id, to_char(ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS ended FROM subscriptions");
        Assert.Equal(("active", payment, end), ((string)subscription.status, (long)subscription.payment_id, (string)subscription.ended));
        await Crash.Truth.CheckAsync(scene.World);
    }

    [Fact]
    public async Task An_approved_payment_for_anything_else_is_booked()
    {
        await using var scene = await OpenAsync(fixture);
        var payment = await scene.QueuedAsync(Card("other", 250));
        Assert.Equal(ApprovalOutcome.Fulfilled, await scene.ApproveAsync(payment, Charged(250)));
        Assert.Equal("succeeded", await scene.World.StatusAsync("payments", payment));
        await Crash.Truth.CheckAsync(scene.World);
    }

    [Fact]
    public async Task What_the_caller_writes_after_it_commits_or_goes_with_it()
    {
        await using var scene = await OpenAsync(fixture);
        await scene.World.PlanAsync();
        await scene.World.SubscriptionAsync(MemberScene.Ada, 1, Utc(2026, 11, 25, 12));
        var (order, _) = await scene.World.OrderAsync(MemberScene.Ada);
        foreach (var payment in new[] { await scene.QueuedAsync(Card("other", 1000, "a")), await scene.QueuedAsync(Monthly("b")), await scene.QueuedAsync(Order(order, "c")) })
        {
            var before = await scene.World.StateAsync();
            await Assert.ThrowsAsync<InvalidOperationException>(() => scene.DoAsync<int>(async tx =>
            {
                await scene.Terminals.ApproveAsync(tx, MemberScene.At(Morning), payment, Charged(transaction: "tx_" + Text(payment)));
                await tx.ExecuteAsync("UPDATE payment_queue SET status = 'done' WHERE payment_id = @payment", new { payment });
                throw new InvalidOperationException("killed");
            }));
            Assert.Equal(before, await scene.World.StateAsync());
        }
    }

    [Theory]
    [InlineData(1000, "eur", "tx_1", "UPDATE payments SET status = 'failed'", ApprovalOutcome.Fulfilled, null)]
    [InlineData(1000, "eur", "tx_1", "UPDATE payments SET status = 'expired'", ApprovalOutcome.Fulfilled, null)]
    [InlineData(1000, "eur", "tx_1", "UPDATE payments SET status = 'canceled'", ApprovalOutcome.Parked, "canceled")]
    [InlineData(999, "eur", "tx_1", null, ApprovalOutcome.Parked, "amount_mismatch")]
    [InlineData(1000, "chf", "tx_1", null, ApprovalOutcome.Parked, "currency_mismatch")]
    [InlineData(1000, "eur", "tx_1", "UPDATE orders SET status = 'paid'", ApprovalOutcome.Parked, "duplicate")]
    [InlineData(1000, "eur", "tx_1", "UPDATE orders SET user_id = 1", ApprovalOutcome.Parked, "customer_mismatch")]
    [InlineData(1000, "eur", "tx_1", "UPDATE orders SET total_minor = 900", ApprovalOutcome.Parked, "amount_mismatch")]
    [InlineData(1000, "eur", "tx_1", "UPDATE orders SET status = 'canceled'", ApprovalOutcome.RefundDue, null)]
    [InlineData(1000, "eur", "tx_1", "UPDATE orders SET status = 'expired'", ApprovalOutcome.Fulfilled, null)]
    [InlineData(1000, "eur", "tx_1", "UPDATE orders SET status = 'expired'; UPDATE products SET stock_on_hand = 1, stock_reserved = 0; UPDATE stock_reservations SET released_at = now()",
        ApprovalOutcome.RefundDue, null)]
    public async Task Money_is_booked_for_what_it_was_for_or_parked_and_told_once(
        long amount, string currency, string transaction, string? change, ApprovalOutcome outcome, string? reason)
    {
        await using var scene = await OpenAsync(fixture);
        var (order, _) = await scene.World.OrderAsync(MemberScene.Ada);
        var payment = await scene.QueuedAsync(Order(order));
        if (change is not null)
        {
            await scene.World.ExecuteAsync(change);
        }

        Assert.Equal(outcome, await scene.ApproveAsync(payment, Charged(amount, transaction, currency)));
        var state = await scene.World.StateAsync();
        Assert.Equal(
            outcome == ApprovalOutcome.Parked ? outcome : ApprovalOutcome.AlreadyFulfilled,
            await scene.ApproveAsync(payment, Charged(amount, transaction, currency)));
        Assert.Equal(state, await scene.World.StateAsync());

        Assert.Equal(
            reason is null ? [] : [$"{reason} {transaction} {payment} sumup"],
            (await scene.World.QueryAsync("SELECT concat_ws(' ', reason, provider_payment_id, payment_id, data ->> 'provider') AS row FROM unmatched_payments")).Select(r => (string)r.row));
        var row = await scene.PaymentAsync(payment);
        Assert.Equal(
            outcome != ApprovalOutcome.Parked ? ("succeeded", null) : (reason == "canceled" ? "canceled" : "failed", reason),
            ((string)row.status, (string?)row.failure_code));
        Assert.Equal("sumup", (string)row.provider);
    }

    [Fact]
    public async Task A_second_charge_for_the_same_payment_is_parked()
    {
        await using var scene = await OpenAsync(fixture);
        var payment = await scene.QueuedAsync(Basic());
        Assert.Equal(ApprovalOutcome.Fulfilled, await scene.ApproveAsync(payment, Charged(100)));
        Assert.Equal(ApprovalOutcome.Parked, await scene.ApproveAsync(payment, Charged(100, "tx_2")));
        Assert.Equal("duplicate", await scene.World.UnmatchedReasonAsync("tx_2"));
        Assert.Equal("tx_1", (string)(await scene.PaymentAsync(payment)).provider_payment_id);
    }

    [Fact]
    public async Task A_card_that_was_charged_after_cash_had_taken_its_place_is_parked()
    {
        await using var scene = await OpenAsync(fixture);
        var payment = await scene.QueuedAsync(Basic());
        await scene.Payments.RecordAsync(Basic("cash") with { Method = "cash" }, MemberScene.At(Morning));
        Assert.Equal(ApprovalOutcome.Parked, await scene.ApproveAsync(payment, Charged(100)));
        Assert.Equal("canceled", await scene.World.UnmatchedReasonAsync("tx_1"));
        Assert.Equal("canceled", await scene.World.StatusAsync("payments", payment));
    }

    [Fact]
    public async Task What_was_parked_is_booked_when_it_can_be_had_after_all()
    {
        await using var scene = await OpenAsync(fixture);
        var (order, _) = await scene.World.OrderAsync(MemberScene.Ada);
        var payment = await scene.QueuedAsync(Order(order));
        await scene.World.ExecuteAsync("UPDATE orders SET total_minor = 900");
        Assert.Equal(ApprovalOutcome.Parked, await scene.ApproveAsync(payment, Charged()));
        await scene.World.ExecuteAsync("UPDATE orders SET total_minor = 1000");
        Assert.Equal(ApprovalOutcome.Fulfilled, await scene.ApproveAsync(payment, Charged()));
        Assert.Equal("booked", await scene.World.ScalarAsync<string>("SELECT resolution FROM unmatched_payments"));
    }

    [Fact]
    public async Task Ten_who_learn_of_it_at_once_grant_it_once()
    {
        await using var scene = await OpenAsync(fixture);
        var payment = await scene.QueuedAsync(Basic());
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() => scene.ApproveAsync(payment, Charged(100)))));
        Assert.Equal(
            [ApprovalOutcome.Fulfilled, .. Enumerable.Repeat(ApprovalOutcome.AlreadyFulfilled, 9)], outcomes.Order());
        await Crash.Truth.CheckAsync(scene.World);
    }

    [Fact]
    public async Task A_payment_that_nobody_knows_or_that_is_not_a_terminals_is_a_mistake_of_the_caller()
    {
        await using var scene = await OpenAsync(fixture);
        await Assert.ThrowsAsync<InvalidOperationException>(() => scene.ApproveAsync(99, Charged()));
        await Assert.ThrowsAsync<ArgumentException>(() => scene.ApproveAsync(1, Charged() with { Provider = "stripe" }));
        await Assert.ThrowsAsync<ArgumentException>(() => scene.ApproveAsync(1, Charged() with { ProviderPaymentId = null }));
        await Assert.ThrowsAsync<ArgumentException>(() => scene.ApproveAsync(1, Charged() with { Method = "card" }));
    }

    [Theory]
    [InlineData("pending", true)]
    [InlineData("failed", false)]
    [InlineData("canceled", false)]
    [InlineData("succeeded", false)]
    public async Task A_declined_card_fails_its_payment_while_that_is_pending(string status, bool declined)
    {
        await using var scene = await OpenAsync(fixture);
        var payment = await scene.QueuedAsync(Basic());
        await scene.World.ExecuteAsync("UPDATE payments SET status = @status", new { status });

        Assert.Equal(declined, await scene.DoAsync(tx => TerminalFulfilment.DeclineAsync(tx, MemberScene.At(Morning), payment, "declined")));

        var row = await scene.PaymentAsync(payment);
        Assert.Equal(declined ? ("failed", "declined") : (status, null), ((string)row.status, (string?)row.failure_code));
        Assert.Equal(declined ? 1 : 0, await scene.World.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE action = 'payment.failed'"));
    }

    [Theory]
    [InlineData("waiting", true)]
    [InlineData("processing", false)]
    [InlineData("unknown", false)]
    [InlineData("done", false)]
    public async Task Only_what_still_waits_is_taken_out_of_the_queue(string status, bool canceled)
    {
        await using var scene = await OpenAsync(fixture);
        var payment = await scene.QueuedAsync(Basic(), status);

        Assert.Equal(canceled, await scene.DoAsync(tx => TerminalFulfilment.CancelAsync(tx, MemberScene.At(Morning), payment, "duplicate")));

        Assert.Equal(canceled ? "canceled" : "pending", await scene.World.StatusAsync("payments", payment));
        var place = await scene.PlaceAsync(payment);
        Assert.Equal(canceled ? ("canceled", "duplicate") : (status, ""), ((string)place.status, (string)place.reason));
    }

    // Before a reader is given it, what it pays for is asked for anew.
    [Theory]
    [InlineData("SELECT 1", null, null, null)]
    [InlineData("INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (2, 'basic', '2026-11-20', '2027-11-19')", "duplicate", null, null)]
    [InlineData("UPDATE orders SET status = 'paid'", null, "duplicate", null)]
    [InlineData("UPDATE orders SET status = 'expired'", null, "not_payable", null)]
    [InlineData("UPDATE orders SET total_minor = 900", null, "amount_mismatch", null)]
    [InlineData("UPDATE subscriptions SET status = 'canceled'", null, null, "subscription_canceled")]
    [InlineData("INSERT INTO payments (user_id, subscription_id, amount_minor, period_start, status) VALUES (2, 1, 1000, '2026-11-25', 'succeeded')", null, null, "duplicate")]
    [InlineData("UPDATE payments SET status = 'canceled'", "canceled", "canceled", "canceled")]
    [InlineData("UPDATE payments SET status = 'expired'", "expired", "expired", "expired")]
    public async Task What_waits_is_wanted_while_it_can_be_had(string change, string? membership, string? order, string? subscription)
    {
        await using var scene = await OpenAsync(fixture);
        var (ordered, _) = await scene.World.OrderAsync(MemberScene.Ada);
        await scene.World.SubscriptionAsync(MemberScene.Ada, await scene.World.PlanAsync(), Utc(2026, 11, 25, 12));
        long[] waiting = [await scene.QueuedAsync(Basic("a")), await scene.QueuedAsync(Order(ordered, "b")), await scene.QueuedAsync(Monthly("c"))];
        await scene.World.ExecuteAsync(change);
        var before = await scene.World.StateAsync();

        Assert.Equal(
            (membership, order, subscription),
            (await scene.StillWantedAsync(waiting[0]), await scene.StillWantedAsync(waiting[1]), await scene.StillWantedAsync(waiting[2])));
        Assert.Equal(before, await scene.World.StateAsync());
    }
}
