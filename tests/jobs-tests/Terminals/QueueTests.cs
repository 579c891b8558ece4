using Jobs.Billing;
using Jobs.Database;
using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;
using static Jobs.Tests.Terminals.TerminalScene;

namespace Jobs.Tests.Terminals;

/// <summary>A payment gets its place in the queue for the card terminals, under the rules of cash; nothing is granted yet.</summary>
public sealed class QueueTests(PostgresFixture fixture)
{
    [Fact]
    public async Task A_queued_payment_is_pending_and_grants_nothing()
    {
        await using var scene = await OpenAsync(fixture);
        var queued = await scene.QueueAsync(Basic());

        Assert.Equal((1L, 0L, "pending", false, false), (queued.Position, queued.Ahead, queued.Status, queued.Fallback, queued.Repeated));
        var payment = await scene.PaymentAsync(queued.PaymentId!.Value);
        Assert.Equal(
            ("pending", "card_terminal", "sumup", "membership", "basic", MemberScene.Ada, MemberScene.Desk, "desk 7"),
            ((string)payment.status, (string)payment.method, (string)payment.provider, (string)payment.purpose, (string)payment.membership_type,
                (long)payment.user_id, (long)payment.recorded_by, (string)payment.reference));
        Assert.Equal(Morning, (DateTime)payment.created_at);
        var place = await scene.PlaceAsync(queued.PaymentId.Value);
        Assert.Equal((queued.QueueId, "waiting", MemberScene.Ada, 1L), ((long)place.id, (string)place.status, (long)place.user_id, (long)place.position));
        Assert.Equal(
            "payment.queued", await scene.World.ScalarAsync<string>("SELECT string_agg(action, ' ') FROM audit_logs WHERE actor = 'a shop'"));
        Assert.Equal(0, await scene.World.ScalarAsync<long>(
            "SELECT (SELECT count(*) FROM receipts) + (SELECT count(*) FROM notifications) + (SELECT count(*) FROM memberships)"));
    }

    [Fact]
    public async Task A_subscription_in_the_queue_cannot_be_charged_online_and_keeps_its_period()
    {
        await using var scene = await OpenAsync(fixture);
        var plan = await scene.World.PlanAsync();
        var subscription = await scene.World.SubscriptionAsync(MemberScene.Ada, plan, Utc(2026, 11, 25, 12));

        var queued = await scene.QueueAsync(Monthly());

        Assert.Equal((subscription, new DateOnly(2026, 11, 25)), (queued.SubscriptionId!.Value, queued.PeriodStart!.Value));
        await Assert.ThrowsAsync<PostgresException>(() => scene.World.ExecuteAsync(
            "INSERT INTO payments (user_id, subscription_id, amount_minor) VALUES (2, @subscription, 1000)", new { subscription }));
    }

    // Each of these alone keeps it out: the rules are those of cash.
    [Theory]
    [InlineData("DELETE FROM payment_terminals", "method_unavailable")]
    [InlineData("UPDATE users SET role = 'member' WHERE id = 1", "recorder_refused")]
    [InlineData("UPDATE membership_prices SET amount_minor = 101", "amount_mismatch")]
    [InlineData("UPDATE membership_prices SET currency = 'chf'", "amount_mismatch")]
    [InlineData("INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (2, 'basic', '2026-02-01', '2027-01-31')", "duplicate")]
    [InlineData("INSERT INTO payments (user_id, amount_minor, purpose, membership_type, status) VALUES (2, 100, 'membership', 'basic', 'processing')", "in_flight")]
    [InlineData("INSERT INTO payments (user_id, amount_minor, purpose, membership_type, status) VALUES (2, 100, 'membership', 'basic', 'pending')", null)]
    [InlineData("INSERT INTO payments (user_id, amount_minor, purpose, membership_type, status) VALUES (2, 100, 'membership', 'circus', 'processing')", null)]
    [InlineData("INSERT INTO payments (user_id, amount_minor, purpose, membership_type, status) VALUES (1, 100, 'membership', 'basic', 'processing')", null)]
    [InlineData("INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (2, 'basic', '2025-12-01', '2026-11-30')", null)]
    public async Task A_membership_is_queued_unless_it_could_not_be_had(string change, string? reason)
    {
        await using var scene = await OpenAsync(fixture);
        await scene.World.ExecuteAsync(change);
        await IsRefusedAsync(scene, Basic(), reason);
    }

    [Theory]
    [InlineData("UPDATE orders SET status = 'canceled'", "not_payable")]
    [InlineData("UPDATE orders SET status = 'expiring'", "not_payable")]
    [InlineData("UPDATE orders SET status = 'paid'", "duplicate")]
    [InlineData("UPDATE orders SET total_minor = 999", "amount_mismatch")]
    [InlineData("UPDATE orders SET currency = 'chf'", "currency_mismatch")]
    [InlineData("UPDATE orders SET user_id = 1", "customer_mismatch")]
    [InlineData("INSERT INTO payments (user_id, amount_minor, order_id, status) SELECT 2, 1000, id, 'requires_action' FROM orders", "in_flight")]
    [InlineData("INSERT INTO payments (user_id, amount_minor, order_id, status) SELECT 2, 1000, id, 'succeeded' FROM orders", "duplicate")]
    [InlineData("INSERT INTO payments (user_id, amount_minor, order_id, status) SELECT 2, 1000, id, 'pending' FROM orders", null)]
    public async Task An_order_is_queued_while_it_is_payable(string change, string? reason)
    {
        await using var scene = await OpenAsync(fixture);
        var (order, _) = await scene.World.OrderAsync(MemberScene.Ada);
        await scene.World.ExecuteAsync(change);
        await IsRefusedAsync(scene, Order(order), reason);
    }

    [Theory]
    [InlineData("UPDATE plans SET active = false", "plan_inactive")]
    [InlineData("UPDATE plans SET code = 'yearly'", "plan_unknown")]
    [InlineData("UPDATE plans SET amount_minor = 999", "amount_mismatch")]
    [InlineData("INSERT INTO subscriptions (user_id, plan_id, status, provider_subscription_id) VALUES (2, 1, 'active', 'sub_1')", "billed_by_stripe")]
    [InlineData("INSERT INTO payments (user_id, amount_minor, plan_id, status) VALUES (2, 1000, 1, 'pending')", "in_flight")]
    [InlineData("INSERT INTO payments (user_id, amount_minor, plan_id, status) VALUES (1, 1000, 1, 'pending')", null)]
    public async Task A_plan_is_queued_while_it_is_sold(string change, string? reason)
    {
        await using var scene = await OpenAsync(fixture);
        await scene.World.PlanAsync();
        await scene.World.ExecuteAsync(change);
        await IsRefusedAsync(scene, Monthly(), reason);
    }

    private static async Task IsRefusedAsync(TerminalScene scene, ManualPayment payment, string? reason)
    {
        var before = await scene.World.StateAsync();
        Assert.Equal(reason, await ReasonAsync(() => scene.QueueAsync(payment)));
        if (reason is not null)
        {
            Assert.Equal(before, await scene.World.StateAsync());
        }
    }

    [Theory]
    [InlineData("waiting", "in_flight")]
    [InlineData("processing", "in_flight")]
    [InlineData("unknown", "in_flight")]
    [InlineData("failed", null)]
    [InlineData("canceled", null)]
    public async Task The_same_is_in_the_queue_once(string status, string? reason)
    {
        await using var scene = await OpenAsync(fixture);
        await scene.World.PlanAsync();
        var (order, _) = await scene.World.OrderAsync(MemberScene.Ada);
        var (other, _) = await scene.World.OrderAsync(MemberScene.Ada);
        ManualPayment[] first = [Basic("a"), Order(order, "b"), Monthly("c")];
        foreach (var payment in first)
        {
            var id = await scene.QueuedAsync(payment);
            if (reason is null)
            {
                await scene.World.ExecuteAsync(
                    "UPDATE payments SET status = @status WHERE id = @id; UPDATE payment_queue SET status = @status WHERE payment_id = @id", new { id, status });
            }
        }

        // One of a person is processed at a time; the others wait.
        foreach (var payment in first)
        {
            await scene.World.ExecuteAsync("UPDATE payment_queue SET status = 'waiting' WHERE status IN ('processing', 'unknown')");
            await scene.World.ExecuteAsync(
                "UPDATE payment_queue SET status = @status WHERE status = 'waiting' AND payment_id = (SELECT id FROM payments WHERE reference = @Reference)",
                new { status, payment.Reference });
            Assert.Equal(reason, await ReasonAsync(() => scene.QueueAsync(payment with { Reference = payment.Reference + " again" })));
        }

        Assert.Null(await ReasonAsync(() => scene.QueueAsync(Order(other, "another order"))));
        Assert.Null(await ReasonAsync(() => scene.QueueAsync(Card("other", 100, "x"))));
        Assert.Null(await ReasonAsync(() => scene.QueueAsync(Card("other", 100, "y"))));
    }

    [Fact]
    public async Task Recording_is_for_what_is_in_hand_and_queueing_for_the_terminal()
    {
        await using var scene = await OpenAsync(fixture);
        var recording = await Assert.ThrowsAsync<RefusedException>(() => scene.Payments.RecordAsync(Card("other", 100), MemberScene.At(Morning)));
        var queueing = await Assert.ThrowsAsync<RefusedException>(() => scene.QueueAsync(MemberScene.Cash("other", 100)));
        Assert.Contains("PaymentService.QueueAsync", recording.Message, StringComparison.Ordinal);
        Assert.Contains("PaymentService.RecordAsync", queueing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ten_at_once_have_rising_places_in_the_order_of_their_commits()
    {
        await using var scene = await OpenAsync(fixture);
        await scene.World.PeopleAsync(10);

        var queued = await Task.WhenAll(Enumerable.Range(0, 10).Select(n =>
            Task.Run(() => scene.QueueAsync(Card("other", 100, Text(n)) with { UserId = 3 + n }))));

        Assert.Equal(Enumerable.Range(1, 10).Select(n => (long)n), queued.Select(q => q.Position).Order());
        Assert.All(queued, q => Assert.Equal(q.Position - 1, q.Ahead));
        Assert.Equal(10, await scene.World.ScalarAsync<long>("SELECT count(DISTINCT position) FROM payment_queue"));
    }

    [Fact]
    public async Task Who_comes_while_a_place_is_being_taken_is_behind_it()
    {
        await using var scene = await OpenAsync(fixture);
        await using var other = new NpgsqlConnection(scene.World.Server.ConnectionFor(scene.World.Database).ConnectionString + ";Pooling=false");
        await other.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = other.CreateCommand();
        command.CommandText =
            $"""
            BEGIN;
            WITH asked AS (INSERT INTO payments (user_id, amount_minor, method) VALUES ({Text(MemberScene.Desk)}, 100, 'card_terminal') RETURNING id)
            INSERT INTO payment_queue (payment_id) SELECT id FROM asked
            """;
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var queueing = scene.QueueAsync(Basic());
        await scene.World.UntilBlockedAsync();
        command.CommandText = "COMMIT";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        Assert.Equal((2L, 1L), ((await queueing).Position, (await queueing).Ahead));
    }

    [Fact]
    public async Task The_same_reference_ten_times_at_once_is_one_place()
    {
        await using var scene = await OpenAsync(fixture);
        var queued = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() => scene.QueueAsync(Basic()))));

        Assert.Single(queued, q => !q.Repeated);
        Assert.Single(queued.Select(q => (q.PaymentId, q.QueueId, q.Position)).Distinct());
        Assert.Equal(1, await scene.World.ScalarAsync<long>("SELECT count(*) FROM payment_queue"));
    }

    [Fact]
    public async Task The_same_reference_later_tells_what_has_become_of_it()
    {
        await using var scene = await OpenAsync(fixture);
        await scene.QueueAsync(Card("other", 100, "before") with { UserId = MemberScene.Desk });
        var first = await scene.QueueAsync(Basic());
        var waiting = await scene.QueueAsync(Basic());
        await scene.World.ExecuteAsync("UPDATE payment_queue SET status = 'done' WHERE position = 1");
        var next = await scene.QueueAsync(Basic());
        await scene.ApproveAsync(first.PaymentId!.Value, Charged(100));
        await scene.World.ExecuteAsync("UPDATE payment_queue SET status = 'done'");
        var done = await scene.QueueAsync(Basic());

        Assert.Equal((2L, 1L), (first.Position, first.Ahead));
        Assert.Equal((first.PaymentId, 2L, 1L, "pending", true), (waiting.PaymentId, waiting.Position, waiting.Ahead, waiting.Status, waiting.Repeated));
        Assert.Equal((2L, 0L), (next.Position, next.Ahead));
        Assert.Equal((first.PaymentId, 2L, null, "succeeded", "2026-000001"), (done.PaymentId, done.Position, done.Ahead, done.Status, done.ReceiptNumber));
        Assert.Equal(RefusalReason.ReferenceUsed, await ReasonAsync(() => scene.QueueAsync(Card("other", 100))));
    }

    [Fact]
    public async Task A_dry_run_foresees_the_place_and_writes_nothing()
    {
        await using var scene = await OpenAsync(fixture);
        await scene.QueueAsync(Basic());
        var before = await scene.World.StateAsync();
        await using var source = scene.World.Source();
        var payments = new PaymentService(new Db(source, readOnly: true, NullLogger<Db>.Instance), Paris);

        var foreseen = await payments.QueueAsync(Card("other", 100, "desk 8"), MemberScene.At(Morning));

        Assert.Equal((null, null, 2L, 1L), (foreseen.PaymentId, foreseen.QueueId, foreseen.Position, foreseen.Ahead));
        Assert.Equal(before, await scene.World.StateAsync());
    }

    [Theory]
    [InlineData("membership")]
    [InlineData("order")]
    [InlineData("subscription")]
    public async Task Cash_for_the_same_takes_the_waiting_card_out_of_the_queue(string purpose)
    {
        await using var scene = await OpenAsync(fixture);
        await scene.World.PlanAsync();
        var (order, _) = await scene.World.OrderAsync(MemberScene.Ada);
        var card = purpose switch { "membership" => Basic(), "order" => Order(order), _ => Monthly() };
        var waiting = await scene.QueuedAsync(card);

        var paid = await scene.Payments.RecordAsync(card with { Method = "cash", Reference = "cash" }, MemberScene.At(Morning));

        Assert.Equal((waiting, "2026-000001"), (paid.CanceledPaymentId!.Value, paid.ReceiptNumber));
        var payment = await scene.PaymentAsync(waiting);
        var place = await scene.PlaceAsync(waiting);
        Assert.Equal(("canceled", "paid_otherwise"), ((string)payment.status, (string)payment.failure_code));
        Assert.Equal(("canceled", "paid_otherwise", Morning), ((string)place.status, (string)place.reason, (DateTime)place.finished_at));
        Assert.Equal(1, await scene.World.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE action = 'payment.canceled' AND subject_id = @waiting", new { waiting }));
    }

    [Theory]
    [InlineData("processing")]
    [InlineData("unknown")]
    public async Task Cash_for_the_same_waits_for_the_result_of_a_card_that_a_reader_has(string status)
    {
        await using var scene = await OpenAsync(fixture);
        await scene.World.PlanAsync();
        var (order, _) = await scene.World.OrderAsync(MemberScene.Ada);
        foreach (var card in new[] { Basic("a"), Order(order, "b"), Monthly("c") })
        {
            await scene.World.ExecuteAsync("UPDATE payment_queue SET status = 'failed'; UPDATE payments SET status = 'failed'");
            await scene.QueuedAsync(card, status);
            var before = await scene.World.StateAsync();
            Assert.Equal(
                RefusalReason.InFlight,
                await ReasonAsync(() => scene.Payments.RecordAsync(card with { Method = "cash", Reference = "cash" }, MemberScene.At(Morning))));
            Assert.Equal(before, await scene.World.StateAsync());
        }

        Assert.Null(await ReasonAsync(() => scene.Payments.RecordAsync(MemberScene.Cash("other", 100, "x"), MemberScene.At(Morning))));
    }
}
