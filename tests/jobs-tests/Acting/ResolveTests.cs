using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;

namespace Jobs.Tests.Acting;

public sealed class ResolveTests(PostgresFixture fixture)
{
    [Fact]
    public async Task Nothing_open_is_said_and_what_is_open_is_listed_with_the_way_to_settle_it()
    {
        await using var world = await fixture.WorldAsync();
        using (var text = world.Start("jobctl", "resolve"))
            Assert.Equal("Nothing waits for anybody to decide.\n", (await text.EndAsync()).Stdout);
        var user = await world.UserAsync("ada");
        var parked = await world.ParkedAsync("pi_1");
        var mail = await world.MailAsync("unknown");
        await world.MailAsync("sent");
        var order = (await world.OrderAsync(user, "refund_due", reserved: false)).Order;
        await world.ExecuteAsync("INSERT INTO job_item_failures (job, item, failures, last_error, parked_at) VALUES ('autopayment', '7', 5, 'no such plan', now()), ('autopayment', '8', 1, '', NULL)");

        var open = (await world.ActAsync("resolve", "list")).Json.GetProperty("open").EnumerateArray().Select(m => m.GetProperty("settle").GetString()).ToList();

        Assert.Equal(
            [
                $"jobctl resolve unmatched {parked} --as refunded|ignored|recorded --reason TEXT", $"jobctl resolve order {order} --as refunded --reason TEXT",
                $"jobctl resolve mail {mail} --as sent|resend|dropped --reason TEXT", "jobctl resolve item autopayment 7 --as retry|drop --reason TEXT",
            ],
            open);
    }

    [Theory]
    [InlineData("--reason is missing", "resolve", "mail", "1", "--as", "sent")]
    [InlineData("--as is missing; it is one of sent, resend, dropped", "resolve", "mail", "1", "--reason", "x")]
    [InlineData("--as must be one of paid, not-paid for terminal, not 'payed'", "resolve", "terminal", "1", "--as", "payed", "--reason", "x")]
    [InlineData("'mial' is none of the kinds; did you mean mail?", "resolve", "mial", "1")]
    [InlineData("say which: jobctl resolve mail ID", "resolve", "mail", "--as", "sent", "--reason", "x")]
    [InlineData("'one' is no id", "resolve", "mail", "one", "--as", "sent", "--reason", "x")]
    [InlineData("'--resaon' is not an option of jobctl resolve; did you mean --reason?", "resolve", "mail", "1", "--as", "sent", "--resaon", "x")]
    [InlineData("there is no mail 99", "resolve", "mail", "99", "--as", "sent", "--reason", "x")]
    [InlineData("there is no unmatched payment 99", "resolve", "unmatched", "99", "--as", "refunded", "--reason", "x")]
    [InlineData("payment 99 is not in the queue", "resolve", "terminal", "99", "--as", "paid", "--reason", "x")]
    [InlineData("there is no order 99", "resolve", "order", "99", "--as", "refunded", "--reason", "x")]
    [InlineData("no failure of 7 of autopayment is on record", "resolve", "item", "autopayment", "7", "--as", "retry", "--reason", "x")]
    [InlineData("nothing may follow --", "resolve", "mail", "--", "1")]
    public async Task A_mistake_is_one_sentence(string sentence, params string[] args)
    {
        await using var world = await fixture.WorldAsync();
        Assert.Contains(sentence, (await world.ActAsync(args)).Refusal(), StringComparison.Ordinal);
        Assert.Empty(await world.DeedsAsync());
    }

    [Fact]
    public async Task Money_that_Stripe_gave_back_is_settled_as_refunded_once()
    {
        await using var world = await fixture.WorldAsync();
        await world.UserAsync("ada");
        await world.IntentAsync("pi_1");
        var id = await world.ParkedAsync("pi_1");

        Assert.Contains("0.00 eur refunded: refund the rest there first", (await world.ResolveAsync($"unmatched {id}", "refunded")).Refusal(), StringComparison.Ordinal);
        await world.Stripe.ActAsync("pi_1", "refund");
        var before = await world.StateAsync();
        Assert.Equal("settled", (await world.ResolveAsync($"unmatched {id}", "refunded", "--dry-run")).Outcome());
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal("settled", (await world.ResolveAsync($"unmatched {id}", "refunded")).Outcome());
        var after = await world.StateAsync();
        Assert.Equal("unchanged", (await world.ResolveAsync($"unmatched {id}", "refunded")).Outcome());
        Assert.Contains("was settled as refunded", (await world.ResolveAsync($"unmatched {id}", "ignored")).Refusal(), StringComparison.Ordinal);

        Assert.Equal(after, await world.StateAsync());
        Assert.Equal([$"unmatched_payment.refunded unmatched_payment {id}"], await world.DeedsAsync());
        Assert.Equal("seen in the bank's list", await world.ScalarAsync<string>("SELECT data ->> 'reason' FROM audit_logs WHERE actor = 'ada'"));
    }

    [Fact]
    public async Task A_person_s_word_is_taken_where_Stripe_cannot_be_asked_only_when_it_is_given_as_such()
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.ParkedAsync("pi_gone");
        world.Environment["STRIPE_SECRET_KEY"] = null;

        Assert.Contains("Stripe cannot be asked", (await world.ResolveAsync($"unmatched {id}", "ignored")).Refusal(), StringComparison.Ordinal);
        Assert.Equal("settled", (await world.ResolveAsync($"unmatched {id}", "ignored", "--without-asking")).Outcome());
        Assert.Equal("ignored", await world.ScalarAsync<string>("SELECT resolution FROM unmatched_payments"));
    }

    [Fact]
    public async Task Money_is_recorded_for_a_user_with_a_receipt_and_never_twice()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.IntentAsync("pi_1", customer: null, method: "pm_card_visa");
        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Counter("parked_payments"));
        var id = await world.ScalarAsync<long>("SELECT id FROM unmatched_payments");

        Assert.Contains("give --user ID", (await world.ResolveAsync($"unmatched {id}", "recorded")).Refusal(), StringComparison.Ordinal);
        Assert.Contains("there is no user 99", (await world.ResolveAsync($"unmatched {id}", "recorded", "--user", "99")).Refusal(), StringComparison.Ordinal);
        var results = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => world.ResolveAsync($"unmatched {id}", "recorded", "--user", BillingScene.Text(user))));

        Assert.Equal(1, results.Count(r => r.Outcome() == "settled"));
        var payment = await world.OneAsync("SELECT * FROM payments");
        Assert.Equal((user, "succeeded", "other", "pi_1", 1000L), ((long)payment.user_id, (string)payment.status, (string)payment.purpose, (string)payment.provider_payment_id, (long)payment.amount_minor));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
        Assert.Equal(1, await world.MailsAsync("payment_receipt"));
        Assert.Equal("recorded", await world.ScalarAsync<string>("SELECT resolution FROM unmatched_payments"));
    }

    [Fact]
    public async Task What_could_not_be_granted_is_once_its_plan_is_there()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.IntentAsync("pi_1", metadata: new { user_id = BillingScene.Text(user), plan = "monthly" });
        Assert.Equal(1, (await world.MatchSuccessfulAsync()).Counter("parked_payments"));
        var id = await world.ScalarAsync<long>("SELECT id FROM unmatched_payments");

        Assert.Contains("it still fits nothing (plan_unknown)", (await world.ResolveAsync($"unmatched {id}", "recorded")).Refusal(), StringComparison.Ordinal);
        await world.PlanAsync();
        Assert.Equal("settled", (await world.ResolveAsync($"unmatched {id}", "recorded")).Outcome());
        Assert.Equal("unchanged", (await world.ResolveAsync($"unmatched {id}", "recorded")).Outcome());

        Assert.Equal("active", await world.ScalarAsync<string>("SELECT status FROM subscriptions"));
        Assert.Equal(["payment.succeeded payment 1", "subscription.created subscription 1", $"unmatched_payment.recorded unmatched_payment {id}"], (await world.DeedsAsync()).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("sent", "sent")]
    [InlineData("resend", "pending")]
    [InlineData("dropped", "unknown")]
    public async Task A_mail_of_which_nobody_knows_is_settled_once(string outcome, string status)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.MailAsync("unknown");

        Assert.Equal("settled", (await world.ResolveAsync($"mail {id}", outcome)).Outcome());
        Assert.Equal("unchanged", (await world.ResolveAsync($"mail {id}", outcome)).Outcome());
        Assert.Contains("nothing was changed", (await world.ResolveAsync($"mail {id}", outcome == "sent" ? "dropped" : "sent")).Refusal(), StringComparison.Ordinal);

        Assert.Equal(status, await world.StatusAsync("notifications", id));
        Assert.Equal([$"notification.{outcome} notification {id}"], await world.DeedsAsync());
        Assert.Empty((await world.ActAsync("resolve")).Json.GetProperty("open").EnumerateArray());
    }

    [Theory]
    [InlineData("pending")]
    [InlineData("sending")]
    [InlineData("sent")]
    public async Task A_mail_that_is_on_its_way_or_there_is_not_settled(string status)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.MailAsync(status);
        Assert.Contains($"mail {id} is {status}", (await world.ResolveAsync($"mail {id}", "resend")).Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_two_who_decide_differently_at_once_one_wins_and_the_other_is_told()
    {
        await using var world = await fixture.WorldAsync();
        for (var time = 0; time < 3; time++)
        {
            var id = await world.MailAsync("failed");
            var results = await Task.WhenAll(world.ResolveAsync($"mail {id}", "sent"), world.ResolveAsync($"mail {id}", "dropped"));
            var winner = Assert.Single(results, r => r.ExitCode == 0);
            Assert.Equal("settled", winner.Outcome());
            Assert.Contains("nothing was changed", results.Single(r => r.ExitCode == 1).Refusal(), StringComparison.Ordinal);
        }

        Assert.Equal(3, (await world.DeedsAsync()).Length);
    }

    [Fact]
    public async Task A_parked_item_is_tried_again_or_left_alone()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync("INSERT INTO job_item_failures (job, item, failures, last_error, parked_at) VALUES ('autopayment', '7', 5, 'no such plan', now())");

        Assert.Equal("settled", (await world.ResolveAsync("item autopayment 7", "drop")).Outcome());
        Assert.Equal("unchanged", (await world.ResolveAsync("item autopayment 7", "drop")).Outcome());
        Assert.Empty((await world.ActAsync("resolve")).Json.GetProperty("open").EnumerateArray());
        Assert.Equal("settled", (await world.ResolveAsync("item autopayment 7", "retry")).Outcome());
        Assert.Equal("unchanged", (await world.ResolveAsync("item autopayment 7", "retry")).Outcome());

        Assert.Equal("0 f f", await world.ScalarAsync<string>("SELECT failures || ' ' || left((parked_at IS NOT NULL)::text, 1) || ' ' || left((dropped_at IS NOT NULL)::text, 1) FROM job_item_failures"));
        Assert.Equal(["job_item.drop job_item_failure", "job_item.retry job_item_failure"], await world.DeedsAsync());
    }

    [Fact]
    public async Task An_order_whose_refund_is_due_is_settled_when_Stripe_has_refunded_it()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, _) = await world.OrderAsync(user, "canceled", reserved: false);
        await world.IntentAsync("pi_1", metadata: new { user_id = BillingScene.Text(user), purpose = "order", order_id = BillingScene.Text(order) });
        (await world.MatchSuccessfulAsync()).Done();
        Assert.Equal("refund_due", await world.StatusAsync("orders", order));

        Assert.Contains("Stripe has not refunded pi_1 in full", (await world.ResolveAsync($"order {order}", "refunded")).Refusal(), StringComparison.Ordinal);
        await world.Stripe.ActAsync("pi_1", "refund");
        Assert.Equal("settled", (await world.ResolveAsync($"order {order}", "refunded")).Outcome());
        Assert.Equal("unchanged", (await world.ResolveAsync($"order {order}", "refunded")).Outcome());

        Assert.Equal(("canceled", "refunded"), (await world.StatusAsync("orders", order), await world.StatusAsync("payments", 1)));
        Assert.Equal(["payment.refunded payment 1", $"order.canceled order {order}", $"order.refund_settled order {order}"], await world.DeedsAsync());
    }

    [Fact]
    public async Task An_order_paid_in_cash_is_refunded_by_a_person_s_word()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var (order, _) = await world.OrderAsync(user, "refund_due", reserved: false);
        await world.ExecuteAsync("INSERT INTO payments (user_id, order_id, purpose, amount_minor, status, method, succeeded_at) VALUES (@user, @order, 'order', 1000, 'succeeded', 'cash', now())", new { user, order });

        var results = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => world.ResolveAsync($"order {order}", "refunded")));

        Assert.All(results, r => r.Outcome());
        Assert.Equal(("canceled", "refunded"), (await world.StatusAsync("orders", order), await world.StatusAsync("payments", 1)));
        Assert.Equal(1000, await world.ScalarAsync<long>("SELECT sum(amount_minor)::bigint FROM payment_refunds"));
        Assert.Equal(3, (await world.DeedsAsync()).Length);
    }
}
