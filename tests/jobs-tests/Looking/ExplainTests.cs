using System.Globalization;
using System.Text.Json;
using Jobs.Billing;
using Jobs.Tests.Orders;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Looking;

/// <summary>`jobctl explain`: what happened, and what happens next - which the jobs then prove by doing it then, and not a run earlier.</summary>
public sealed class ExplainTests(PostgresFixture fixture)
{
    private static readonly BusinessZone Paris = new("Europe/Paris");

    [Fact]
    public async Task A_renewal_is_foretold_to_the_run_that_charges_it()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow.AddHours(60));
        var charge = await NextAsync(world, "subscription", subscription, "autopayment");

        Assert.Equal("10.00\u00A0EUR charged on pm_ada", charge.Text("what"));
        var at = charge.GetProperty("at").GetDateTime();
        Assert.Equal("06:00", Paris.OnTheWall(at).ToString("HH:mm", CultureInfo.InvariantCulture));
        Assert.Equal(0, (await world.AutopaymentAsync(at.AddHours(-20))).Done().Counter("charged"));
        Assert.Equal(1, (await world.AutopaymentAsync(at)).Done().Counter("charged"));
    }

    [Fact]
    public async Task A_declined_renewal_tells_what_happened_and_when_it_is_tried_again()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", "insufficient_funds,success", DateTime.UtcNow.AddMinutes(-5));
        var run = (await world.AutopaymentAsync(DateTime.UtcNow)).Done();
        var explained = await world.LookAsJsonAsync(0, "explain", "subscription", Text(subscription));

        Assert.Equal(("past_due", "insufficient_funds"), (explained.GetProperty("state").Text("status"), explained.GetProperty("state").Text("last_decline_code")));
        var timeline = explained.GetProperty("timeline").EnumerateArray().ToList();
        var times = timeline.Select(h => h.GetProperty("at").GetDateTime()).ToList();
        Assert.Equal(times.Order(), times);
        Assert.Contains(timeline, h => h.Text("text")!.StartsWith("attempt 1 for the period from", StringComparison.Ordinal) && h.Text("run_id") == run.Json.Text("run_id"));
        Assert.Contains(timeline, h => h.Text("text") == "declined: insufficient_funds, may be tried again" && h.Text("actor") == "autopayment");
        Assert.Contains(timeline, h => h.Text("kind") == "mail" && h.Text("text") == "payment failed written");
        Assert.Equal([run.Json.Text("run_id")], explained.Strings("runs", "run_id"));

        var again = Next(explained, "subscription", "autopayment");
        Assert.Equal("10.00\u00A0EUR charged on pm_ada, try 2 of 4", again.Text("what"));
        Assert.Equal(1, (await world.AutopaymentAsync(again.GetProperty("at").GetDateTime())).Done().Counter("charged"));
        // The same by any name; once it is paid, the next renewal is a period away.
        var payment = (await world.AttemptsAsync(subscription))[^1];
        foreach (var name in new[] { [(string)payment.provider_payment_id], ["payment", Text((long)payment.id)], new[] { await world.ScalarAsync<string>("SELECT number FROM receipts") } })
        {
            var paid = await world.LookAsJsonAsync(0, ["explain", .. name]);
            Assert.Equal(("payment", (long)payment.id, "succeeded"), (paid.Text("subject_type"), paid.GetProperty("subject_id").GetInt64(), paid.GetProperty("state").Text("status")));
            Assert.Contains(paid.GetProperty("timeline").EnumerateArray(), h => h.Text("kind") == "receipt");
            Assert.Contains(paid.GetProperty("timeline").EnumerateArray(), h => h.Text("text")!.StartsWith("extended from", StringComparison.Ordinal));
            Assert.InRange(Next(paid, "subscription", "autopayment").GetProperty("at").GetDateTime(), DateTime.UtcNow.AddDays(26), DateTime.UtcNow.AddDays(33));
        }
    }

    [Fact]
    public async Task What_keeps_a_renewal_from_being_charged_is_said()
    {
        await using var world = await fixture.WorldAsync();
        var ended = DateTime.UtcNow.AddMinutes(-5);
        var lost = await world.DueAsync("lost", "lost_card", ended);
        var asked = await world.DueAsync("asked", "authentication_required", ended);
        (await world.AutopaymentAsync(DateTime.UtcNow)).Done();
        var spent = await world.DueAsync("spent", endedAt: ended);
        var open = await world.DueAsync("open", endedAt: ended);
        var paused = await world.DueAsync("paused", endedAt: ended);
        var billed = await world.DueAsync("billed", endedAt: ended);
        var ending = await world.DueAsync("ending", endedAt: DateTime.UtcNow.AddHours(30));
        await world.ExecuteAsync(
            """
            UPDATE subscriptions SET next_attempt_at = 'infinity', retry_count = 4, last_decline_code = 'do_not_honor', status = 'past_due' WHERE id = @spent;
            UPDATE subscriptions SET status = 'paused' WHERE id = @paused;
            UPDATE subscriptions SET provider_subscription_id = 'sub_billed' WHERE id = @billed;
            UPDATE subscriptions SET cancel_at_period_end = true WHERE id = @ending;
            INSERT INTO payments (id, user_id, subscription_id, purpose, amount_minor, status, provider, provider_customer_id, provider_request, idempotency_key, sent_at, created_at)
            SELECT 9001, user_id, id, 'subscription', 1000, 'pending', 'stripe', 'cus_open', 'x', 'k', now() - interval '2 hours', now() - interval '2 hours' FROM subscriptions WHERE id = @open
            """,
            new { spent, paused, billed, ending, open });

        Assert.Contains("cannot be charged: no usable payment method (pm_lost is blocked: lost_card)", Said(await NextsAsync(world, lost)), StringComparison.Ordinal);
        Assert.Contains("when the customer confirms by the mailed link", Said(await NextsAsync(world, asked)), StringComparison.Ordinal);
        Assert.Contains("the 4 tries are spent, the last one declined (do_not_honor)", Said(await NextsAsync(world, spent)), StringComparison.Ordinal);
        Assert.Contains("nothing charges or ends it", Said(await NextsAsync(world, paused)), StringComparison.Ordinal);
        Assert.Contains("Stripe Billing charges and ends it (sub_billed)", Said(await NextsAsync(world, billed)), StringComparison.Ordinal);
        var inFlight = Said(await NextsAsync(world, open));
        Assert.Contains("is not charged again before the result of payment 9001 is known", inFlight, StringComparison.Ordinal);
        Assert.Contains("the answer to the charge was lost: autopayment sends it again under its own key until", inFlight, StringComparison.Ordinal);

        // As asked, it ends with its period, at the first run after that.
        var end = (await NextsAsync(world, ending)).Single(a => a.Text("job") == "subscription-sync");
        Assert.Equal("ends with its period, as was asked: canceled", end.Text("what"));
        var at = end.GetProperty("at").GetDateTime();
        (await world.RunAsync("subscription-sync", "--as-of", AsOf(at.AddDays(-1)))).Done();
        Assert.Equal("active", await world.StatusAsync("subscriptions", ending));
        (await world.RunAsync("subscription-sync", "--as-of", AsOf(at))).Done();
        Assert.Equal("canceled", await world.StatusAsync("subscriptions", ending));

        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason, actor) VALUES ('autopayment', @Hostile, 'Zoé')", new { LedgerScene.Hostile });
        var held = (await NextsAsync(world, spent = await world.DueAsync("late", endedAt: ended))).Single(a => a.Text("job") == "autopayment");
        Assert.Contains("held: autopayment is paused by Zoé, until somebody ends it", held.Text("what"), StringComparison.Ordinal);
        Assert.Equal((JsonValueKind.Null, "jobctl resume autopayment"), (held.GetProperty("at").ValueKind, held.Text("todo")));
        LedgerScene.Harmless((await world.LookAsync("explain", "subscription", Text(spent))).Stdout);
    }

    [Fact]
    public async Task The_end_of_the_grace_is_foretold_to_the_run_that_expires_it_and_holding_is_said()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.DueAsync("ada", endedAt: DateTime.UtcNow.AddHours(-30));
        await world.ExecuteAsync("UPDATE subscriptions SET auto_renew = false WHERE id = @subscription", new { subscription });
        var expiry = await NextAsync(world, "subscription", subscription, "expire-subscriptions");
        var at = expiry.GetProperty("at").GetDateTime();
        Assert.Equal(0, (await world.RunAsync("expire-subscriptions", "--as-of", AsOf(at.AddDays(-1)))).Done().Counter("expired"));
        Assert.Equal(1, (await world.RunAsync("expire-subscriptions", "--as-of", AsOf(at))).Done().Counter("expired"));
        Assert.Contains("is over", Said(await NextsAsync(world, subscription)), StringComparison.Ordinal);

        var held = await world.DueAsync("bob", endedAt: DateTime.UtcNow.AddDays(-4));
        await world.ExecuteAsync("INSERT INTO job_pauses (job) VALUES ('autopayment')");
        Assert.Contains("its time is over, but it is held: autopayment is paused", Said(await NextsAsync(world, held)), StringComparison.Ordinal);
        Assert.Equal((0, 1), await ExpiredAsync(world));
        await world.ExecuteAsync("DELETE FROM job_pauses");
        Assert.DoesNotContain("is held", Said(await NextsAsync(world, held)), StringComparison.Ordinal);
        Assert.Equal((1, 0), await ExpiredAsync(world));
    }

    [Fact]
    public async Task An_order_tells_its_stock_and_the_run_that_expires_it()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, _) = await world.StaleOrderAsync(user, expiresAt: DateTime.UtcNow.AddHours(1));
        var explained = await world.LookAsJsonAsync(0, "explain", "order", Text(order));
        Assert.Contains(explained.GetProperty("timeline").EnumerateArray(), h => h.Text("kind") == "stock" && h.Text("text")!.EndsWith("reserved", StringComparison.Ordinal));
        var at = Next(explained, "order", "expire-stale-orders").GetProperty("at").GetDateTime();
        (await world.RunAsync("expire-stale-orders", "--as-of", AsOf(at.AddMinutes(-5)))).Done();
        Assert.Equal("pending_payment", await world.StatusAsync("orders", order));
        (await world.RunAsync("expire-stale-orders", "--as-of", AsOf(at))).Done();
        Assert.Equal("expired", await world.StatusAsync("orders", order));

        explained = await world.LookAsJsonAsync(0, "explain", "order", Text(order));
        Assert.Equal(0, explained.GetProperty("next").GetArrayLength());
        Assert.All(
            ["expired: 2 pieces back in stock, 0 PaymentIntents canceled", $"2 pieces back in stock, order {order}"],
            said => Assert.Contains(said, explained.Strings("timeline", "text")));
    }

    [Fact]
    public async Task A_payment_says_when_Stripe_is_asked_when_it_is_given_up_and_what_only_people_know()
    {
        await using var world = await fixture.WorldAsync();
        await world.UserAsync("ada");
        await world.ExecuteAsync(
            """
            INSERT INTO payments (id, user_id, purpose, amount_minor, status, method, provider, provider_payment_id, created_at, next_check_at) VALUES
                (1, 1, 'order', 100, 'pending', 'card', 'stripe', 'pi_young', now(), now() + interval '10 hours'),
                (2, 1, 'order', 100, 'processing', 'card', 'stripe', 'pi_old', now() - interval '2 days', now() + interval '10 hours'),
                (3, 1, 'order', 100, 'pending', 'transfer', NULL, NULL, now(), NULL),
                (4, 1, 'order', 100, 'pending', 'card_terminal', 'sumup', NULL, now(), NULL),
                (5, 1, 'order', 100, 'failed', 'card', 'stripe', 'pi_parked', now(), NULL);
            INSERT INTO payment_queue (id, payment_id, status, reason) VALUES (77, 4, 'unknown', 'no answer');
            INSERT INTO unmatched_payments (id, provider_payment_id, payment_id, reason, data) VALUES (88, 'pi_parked', 5, 'duplicate', '{}'), (89, 'pi_nobody', NULL, 'user_unknown', '{}');
            INSERT INTO job_item_failures (job, item, failures, last_error, parked_at) VALUES ('match-pending-payments', '2', 5, @Hostile, now())
            """,
            new { LedgerScene.Hostile });
        var now = DateTime.UtcNow;
        var young = await PaymentAsync(world, 1);
        Assert.InRange(Next(young, "payment", "match-pending-payments").GetProperty("at").GetDateTime(), now.AddMinutes(-1), now.AddMinutes(4));
        Assert.InRange(Next(young, "payment", "expire-payments").GetProperty("at").GetDateTime(), now.AddDays(7).AddMinutes(-1), now.AddDays(8).AddHours(2));
        var old = await PaymentAsync(world, 2);
        Assert.InRange(Next(old, "payment", "match-pending-payments").GetProperty("at").GetDateTime(), now.AddHours(10).AddMinutes(-1), now.AddHours(10).AddMinutes(4));
        // Processing is not stale.
        Assert.DoesNotContain(old.GetProperty("next").EnumerateArray(), a => a.Text("job") == "expire-payments");
        Assert.Contains(old.GetProperty("next").EnumerateArray(), a => a.Text("todo") == "jobctl resolve item match-pending-payments 2 --as retry --reason TEXT");
        Assert.Contains("waits for somebody to say whether the transfer came", Said([.. (await PaymentAsync(world, 3)).GetProperty("next").EnumerateArray()]), StringComparison.Ordinal);
        var unknown = (await PaymentAsync(world, 4)).GetProperty("next").EnumerateArray().ToList();
        Assert.Contains(unknown, a => a.Text("todo") == "jobctl resolve terminal 77 --as paid|not-paid --reason TEXT");
        Assert.DoesNotContain(unknown, a => a.Text("job") == "expire-payments");
        Assert.Contains((await PaymentAsync(world, 5)).GetProperty("next").EnumerateArray(), a => a.Text("todo")?.StartsWith("jobctl resolve unmatched 88 ", StringComparison.Ordinal) == true);
        var nobody = await world.LookAsJsonAsync(0, "explain", "pi_nobody");
        Assert.Equal(("unmatched", "user_unknown"), (nobody.Text("subject_type"), nobody.GetProperty("state").Text("reason")));
        Assert.StartsWith("jobctl resolve unmatched 89 ", nobody.GetProperty("next")[0].Text("todo"), StringComparison.Ordinal);
        LedgerScene.Harmless((await world.LookAsync("explain", "payment", "2")).Stdout);
    }

    [Fact]
    public async Task A_mail_says_when_it_leaves_and_that_can_wait_not_by_night()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.ExecuteAsync(
            """
            INSERT INTO notifications (id, kind, user_id, to_address, status, next_attempt_at, attempts, last_error) VALUES
                (1, 'payment_receipt', @user, 'ada@example.test', 'pending', now() + interval '10 minutes', 1, @Hostile), (2, 'renewal_reminder', @user, 'ada@example.test', 'pending', NULL, 0, NULL),
                (3, 'payment_receipt', @user, 'ada@example.test', 'unknown', NULL, 1, 'x'), (4, 'payment_receipt', @user, 'ada@example.test', 'failed', NULL, 4, 'no such mailbox')
            """,
            new { user, LedgerScene.Hostile });
        var next = (await world.LookAsJsonAsync(0, "explain", "user", "ADA@example.test")).GetProperty("next").EnumerateArray().ToList();
        Assert.Equal(4, next.Count);
        var receipt = next.Single(a => a.Text("subject") == "mail 1");
        Assert.InRange(receipt.GetProperty("at").GetDateTime(), DateTime.UtcNow.AddMinutes(9), DateTime.UtcNow.AddMinutes(12));
        Assert.Contains("try 2 of 4", receipt.Text("what"), StringComparison.Ordinal);
        Assert.InRange(Paris.OnTheWall(next.Single(a => a.Text("subject") == "mail 2").GetProperty("at").GetDateTime()).Hour, 8, 20);
        Assert.Equal("jobctl resolve mail 3 --as sent|resend|dropped --reason TEXT", next.Single(a => a.Text("subject") == "mail 3").Text("todo"));
        Assert.Equal("jobctl resolve mail 4 --as resend|dropped --reason TEXT", next.Single(a => a.Text("subject") == "mail 4").Text("todo"));
    }

    [Fact]
    public async Task A_person_is_told_whole_whatever_their_name_and_also_from_the_archive()
    {
        await using var world = await fixture.WorldAsync();
        await world.DueAsync("ada", endedAt: DateTime.UtcNow.AddMinutes(-1));
        (await world.AutopaymentAsync(DateTime.UtcNow)).Done();
        await world.ExecuteAsync(
            """
            UPDATE users SET name = @Hostile WHERE id = 1;
            INSERT INTO memberships (id, user_id, type, start_date, end_date) VALUES (1, 1, 'basic', current_date - 10, current_date + 300);
            INSERT INTO payment_refunds (payment_id, provider_refund_id, amount_minor) SELECT id, 're_1', 250 FROM payments;
            INSERT INTO audit_log_archive (id, actor, action, subject_type, subject_id, data, created_at) VALUES (-1, 'shop', 'user.renamed', 'user', 1, '{"to": "Ada"}', now() - interval '2 years')
            """,
            new { LedgerScene.Hostile });
        var explained = await world.LookAsJsonAsync(0, "explain", "user", "1");
        Assert.Equal(LedgerScene.Hostile, explained.GetProperty("state").Text("name"));
        Assert.Equal("renamed: to Ada", explained.GetProperty("timeline")[0].Text("text"));
        string[] kinds = ["audit", "created", "receipt", "refund", "mail"];
        Assert.Empty(kinds.Except(explained.Strings("timeline", "kind"), StringComparer.Ordinal));
        Assert.Contains("membership 1", explained.Strings("next", "subject"));
        Assert.True((await world.LookAsJsonAsync(0, "explain", "user", "1", "--limit", "2")).GetProperty("truncated").GetBoolean());
        foreach (var columns in new[] { "132", "60" })
        {
            world.Environment["COLUMNS"] = columns;
            var text = await world.LookAsync("explain", "cus_ada");
            Assert.True(text is { ExitCode: 0, Stderr: "" }, text.ToString());
            LedgerScene.Harmless(text.Stdout);
        }

        Assert.Equal("membership", (await world.LookAsJsonAsync(0, "explain", "membership", "1")).Text("subject_type"));
    }

    [Fact]
    public async Task What_names_nothing_or_several_is_one_sentence()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync("INSERT INTO users (id, email) VALUES (1, 'a@example.test'), (2, 'A@example.test')");
        (string Sentence, string[] Args)[] mistakes =
        [
            ("say what to explain: payment|subscription|order|user|membership and its id", []),
            ("say what to explain: payment|subscription|order|user|membership and its id", ["payment"]),
            ("say what to explain: payment|subscription|order|user|membership and its id", ["4711"]),
            ("there is no payment 4711", ["payment", "4711"]),
            ("there is no subscription sub_none", ["sub_none"]),
            ("there is no user nobody@example.test", ["nobody@example.test"]),
            ("there is no payment  [2J", ["payment", " \e[2J"]),
            ("there are several: user 1, user 2; say which by its id", ["user", "a@example.test"]),
            ("'paymet' is none of payment, subscription, order, user, membership; did you mean payment?", ["paymet", "1"]),
        ];
        foreach (var (sentence, args) in mistakes)
        {
            var said = Mistake.OneSentence("jobctl", await world.LookAsync(["explain", .. args]), world.Environment);
            LedgerScene.Harmless(said);
            Assert.StartsWith(sentence.Replace("  [2J", " [2J", StringComparison.Ordinal), said.Replace("  ", " ", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    }

    private static async Task<(long Expired, long Held)> ExpiredAsync(JobWorld world)
    {
        var run = (await world.RunAsync("expire-subscriptions")).Done();
        return (run.Counter("expired"), run.Counter("held"));
    }

    private static Task<JsonElement> PaymentAsync(JobWorld world, long id) => world.LookAsJsonAsync(0, "explain", "payment", Text(id));

    private static async Task<JsonElement[]> NextsAsync(JobWorld world, long subscription) =>
        [.. (await world.LookAsJsonAsync(0, "explain", "subscription", Text(subscription))).GetProperty("next").EnumerateArray()];

    private static async Task<JsonElement> NextAsync(JobWorld world, string kind, long id, string job) =>
        Next(await world.LookAsJsonAsync(0, "explain", kind, Text(id)), kind, job);

    private static JsonElement Next(JsonElement explained, string kind, string job) => explained.GetProperty("next").EnumerateArray()
        .Single(a => a.Text("job") == job && a.Text("subject")!.StartsWith(kind, StringComparison.Ordinal) && a.GetProperty("at").ValueKind != JsonValueKind.Null);

    private static string Said(JsonElement[] next) => string.Join('\n', next.Select(a => a.Text("what")));
}
