using System.Text.Json;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Members;

public sealed class RecordPaymentTests(PostgresFixture fixture)
{
    private const string Job = "record-payment";
    private static readonly (string, string?) Basic = ("--membership-type", "basic");
    private static readonly (string, string?) Circus = ("--membership-type", "circus");

    [Fact]
    public async Task A_membership_is_paid_granted_receipted_and_mailed_in_one_go_and_only_once()
    {
        await using var world = await fixture.DeskAsync();

        var run = (await world.RecordAsync("membership", "1.00", Basic)).Done();

        Assert.Equal(1, run.Counter("recorded"));
        var item = run.Item();
        Assert.Equal("desk 7 recorded 2026-000001 2026-11-20 2027-11-19", Texts(item, "id", "outcome", "receipt_number", "start_date", "end_date"));
        var payment = await world.RowAsync("payments", item.GetProperty("payment_id").GetInt64());
        Assert.Equal(
            ("succeeded", "membership", "cash", 100L, "eur", MemberScene.Desk, "desk 7"),
            ((string)payment.status, (string)payment.purpose, (string)payment.method, (long)payment.amount_minor, (string)payment.currency, (long)payment.recorded_by, (string)payment.reference));
        Assert.Null((string?)payment.provider);
        Assert.Null((DateTime?)payment.provider_ended_at);
        var membership = await world.RowAsync("memberships", item.GetProperty("membership_id").GetInt64());
        Assert.Equal(((long)payment.id, (long)payment.membership_id, MemberScene.Desk), ((long)membership.payment_id, (long)membership.id, (long)membership.recorded_by));
        var mail = await world.OneAsync("SELECT kind, to_address, payload::text AS payload FROM notifications");
        Assert.Equal(("payment_receipt", "ada@example.test"), ((string)mail.kind, (string)mail.to_address));
        Assert.Equal(
            "2026-000001 100 eur membership basic 2026-11-20 2027-11-19",
            Texts(JobWorld.ParseOne((string)mail.payload), "receipt_number", "amount_minor", "currency", "purpose", "membership_type", "start_date", "end_date"));
        Assert.Equal(
            "membership.granted, payment.succeeded",
            await world.ScalarAsync<string>(
                "SELECT string_agg(action, ', ' ORDER BY action) FROM audit_logs WHERE actor = @Job AND run_id = @run AND data ->> 'recorded_by' = '1'",
                new { Job, run = run.Json.GetProperty("run_id").GetGuid() }));

        var after = await world.StateAsync();
        var again = (await world.RecordAsync("membership", "1", Basic)).Done();
        Assert.Equal((0, 1), (again.Counter("recorded"), again.Counter("repeated")));
        Assert.Equal(
            Texts(item, "id", "payment_id", "receipt_number", "membership_id", "start_date", "end_date"),
            Texts(again.Item(), "id", "payment_id", "receipt_number", "membership_id", "start_date", "end_date"));
        Assert.Equal(after, await world.StateAsync());
    }

    [Theory]
    [InlineData("9.00", false, null)]
    [InlineData("6.00", true, null)]
    [InlineData("9.00", true, "a circus membership at the reduced price costs 6.00 eur, not 9.00 eur")]
    [InlineData("10.00", false, "a circus membership costs 9.00 eur, not 10.00 eur")]
    [InlineData("8.99", false, "a circus membership costs 9.00 eur, not 8.99 eur")]
    public async Task Circus_is_an_upgrade_at_the_configured_price(string amount, bool reduced, string? refused)
    {
        await using var world = await fixture.DeskAsync();
        await world.HoldsAsync("basic", MemberScene.Today);
        Task<JobResult> Pay() => world.RecordAsync("membership", amount, Circus, ("--reduced-price", reduced ? "" : null));

        if (refused is not null)
        {
            Assert.Equal(refused, await world.RefusedAsync(Pay));
            return;
        }

        (await Pay()).Done();
        Assert.Equal(reduced, await world.ScalarAsync<bool>("SELECT m.reduced_price AND p.reduced_price FROM memberships AS m JOIN payments AS p ON p.id = m.payment_id WHERE m.type = 'circus'"));
    }

    [Fact]
    public async Task Prices_are_those_of_the_table_in_any_currency()
    {
        await using var world = await fixture.DeskAsync();
        await world.ExecuteAsync("INSERT INTO membership_prices (type, amount_minor, currency) VALUES ('basic', 150, 'jpy')");

        Assert.Equal("a basic membership costs 150 jpy, not 100 jpy", await world.RefusedAsync(() => world.RecordAsync("membership", "100", Basic, ("--currency", "jpy"))));
        Assert.Equal("a basic membership costs 1.00 eur, not 1.00 usd", await world.RefusedAsync(() => world.RecordAsync("membership", "1.00", Basic, ("--currency", "usd"))));
        (await world.RecordAsync("membership", "150", Basic, ("--currency", "jpy"))).Done();
        await world.ExecuteAsync("DELETE FROM membership_prices WHERE type = 'circus' AND upgrade");
        Assert.Equal("a circus membership costs 10.00 eur, not 9.00 eur", await world.RefusedAsync(() => world.RecordAsync("membership", "9.00", Circus, ("--reference", "desk 8"))));
        await world.ExecuteAsync("DELETE FROM membership_prices WHERE type = 'circus'");
        Assert.Equal("there is no price for a circus membership; add it to membership_prices", await world.RefusedAsync(() => world.RecordAsync("membership", "9.00", Circus, ("--reference", "desk 8"))));
    }

    [Fact]
    public async Task Membership_rules_are_told_in_one_sentence()
    {
        await using var world = await fixture.DeskAsync();
        Assert.Equal("user 2 has no active basic membership, which a circus membership needs", await world.RefusedAsync(() => world.RecordAsync("membership", "9.00", Circus)));
        await world.HoldsAsync("basic", MemberScene.Today.AddMonths(1).AddDays(1));
        Assert.Equal("user 2 has a basic membership until 2026-12-21, renewable from 2026-11-21", await world.RefusedAsync(() => world.RecordAsync("membership", "1.00", Basic)));
    }

    [Theory]
    [InlineData("cash")]
    [InlineData("check")]
    [InlineData("transfer")]
    public async Task Money_for_something_else_is_only_recorded(string method)
    {
        await using var world = await fixture.DeskAsync();

        var item = (await world.RecordAsync("other", "12.50", ("--method", method))).Done().Item();

        Assert.Equal($"1250 eur {method} other 2026-000001", Texts(item, "amount_minor", "currency", "method", "purpose", "receipt_number"));
        Assert.Equal("payment", await world.ScalarAsync<string>("SELECT string_agg(subject_type, ', ') FROM audit_logs"));
        Assert.Equal(1, await world.MailsAsync("payment_receipt"));
    }

    [Fact]
    public async Task Nobody_without_an_address_is_written_to()
    {
        await using var world = await fixture.DeskAsync();
        await world.ExecuteAsync("UPDATE users SET email = ''");
        (await world.RecordAsync("other", "12.50")).Done();
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM notifications"));
    }

    [Fact]
    public async Task An_order_is_paid_and_its_stock_leaves_the_shelf()
    {
        await using var world = await fixture.DeskAsync();
        var (order, product) = await world.OrderAsync(MemberScene.Ada);

        Assert.Equal(order, (await world.RecordAsync("order", "10.00", ("--order", Text(order)))).Done().Item().GetProperty("order_id").GetInt64());

        Assert.Equal("paid", await world.StatusAsync("orders", order));
        Assert.Equal((3, 0), await world.StockAsync(product));
        Assert.Equal("order, payment, product", await world.ScalarAsync<string>("SELECT string_agg(subject_type, ', ' ORDER BY subject_type) FROM audit_logs"));
        var after = await world.StateAsync();
        Assert.Equal($"order {order} is paid already", await world.RefusedAsync(() => world.RecordAsync("order", "10.00", ("--order", Text(order)), ("--reference", "desk 8"))));
        Assert.Equal(1, (await world.RecordAsync("order", "10.00", ("--order", Text(order)))).Done().Counter("repeated"));
        Assert.Equal(after, await world.StateAsync());
    }

    [Theory]
    [InlineData("status = 'expiring'", "order 1 is expiring, so nothing is to be paid for it")]
    [InlineData("status = 'expired'", "order 1 is expired, so nothing is to be paid for it")]
    [InlineData("status = 'canceled'", "order 1 is canceled, so nothing is to be paid for it")]
    [InlineData("status = 'refund_due'", "order 1 is refund_due, so nothing is to be paid for it")]
    [InlineData("status = 'paid'", "order 1 is paid already")]
    [InlineData("total_minor = 1001", "10.01 eur is to be paid, not 10.00 eur")]
    [InlineData("currency = 'usd'", "10.00 usd is to be paid, not 10.00 eur")]
    [InlineData("user_id = 1", "order 1 is another user's")]
    [InlineData("id = 99", "there is no order 1")]
    public async Task An_order_that_cannot_be_paid_is_refused(string change, string sentence)
    {
        await using var world = await fixture.DeskAsync();
        await world.OrderAsync(MemberScene.Ada);
        await world.ExecuteAsync("DELETE FROM stock_reservations; DELETE FROM order_items; UPDATE orders SET " + change);
        Assert.Equal(sentence, await world.RefusedAsync(() => world.RecordAsync("order", "10.00", ("--order", "1"))));
    }

    [Fact]
    public async Task The_users_own_subscription_is_extended_from_its_end_and_not_charged_any_more()
    {
        await using var world = await fixture.DeskAsync();
        var end = Morning.AddHours(-1);
        var subscription = await world.SubscriptionAsync(MemberScene.Ada, await world.PlanAsync(), end, "past_due");

        var item = (await world.RecordAsync("subscription", "10.00", ("--plan", "monthly"))).Done().Item();

        Assert.Equal($"{subscription} 2026-11-20", Texts(item, "subscription_id", "period_start"));
        var row = await world.RowAsync("subscriptions", subscription);
        Assert.Equal(("active", end.AddMonths(1), item.GetProperty("payment_id").GetInt64()), ((string)row.status, (DateTime)row.ended_at, (long)row.payment_id));
        Assert.Equal(0, (await world.AutopaymentAsync(Morning)).Done().Counter("charged"));
        Assert.Equal(0, await world.ChargesAsync());
    }

    [Fact]
    public async Task Without_a_subscription_of_the_plan_one_is_created()
    {
        await using var world = await fixture.DeskAsync();
        await world.SubscriptionAsync(MemberScene.Ada, await world.PlanAsync(), Morning.AddDays(-40), "expired");
        await world.SubscriptionAsync(MemberScene.Desk, await world.PlanAsync(), Morning.AddDays(10));

        var id = (await world.RecordAsync("subscription", "10.00", ("--plan", "monthly"))).Done().Item().GetProperty("subscription_id").GetInt64();

        Assert.Equal(3, id);
        var row = await world.RowAsync("subscriptions", id);
        Assert.Equal(("active", Morning, Morning.AddMonths(1)), ((string)row.status, (DateTime)row.started_at, (DateTime)row.ended_at));
    }

    // A checkout that was only begun keeps nobody from paying an order or a membership at the desk.
    [Theory]
    [InlineData("pending", true, false)]
    [InlineData("processing", true, true)]
    [InlineData("requires_action", true, true)]
    [InlineData("failed", false, false)]
    [InlineData("canceled", false, false)]
    [InlineData("expired", false, false)]
    public async Task While_an_online_payment_is_under_way_the_same_is_not_paid_by_hand(string status, bool subscriptions, bool others)
    {
        await using var world = await fixture.DeskAsync();
        var subscription = await world.SubscriptionAsync(MemberScene.Ada, await world.PlanAsync(), Morning.AddHours(-1));
        var (order, _) = await world.OrderAsync(MemberScene.Ada);
        var yearly = await world.PlanAsync("yearly", 9000);
        await AttemptAsync("subscription_id", "subscription", subscription);
        await AttemptAsync("plan_id", "subscription", yearly);
        await AttemptAsync("order_id", "order", order);
        await AttemptAsync("membership_type", "membership", "'basic'");

        await PayAsync(1, subscriptions, "subscription", "10.00", ("--plan", "monthly"));
        await PayAsync(2, subscriptions, "subscription", "90.00", ("--plan", "yearly"));
        await PayAsync(3, others, "order", "10.00", ("--order", Text(order)));
        await PayAsync(4, others, "membership", "1.00", Basic);

        Task<long> AttemptAsync(string column, string purpose, object value) =>
            world.PaymentAsync(MemberScene.Ada, columns: $"{column}, purpose, status", values: $"{value}, '{purpose}', '{status}'");

        async Task PayAsync(long attempt, bool refused, string purpose, string amount, (string, string?) option)
        {
            Task<JobResult> Pay() => world.RecordAsync(purpose, amount, option, ("--reference", Text(attempt)));
            if (refused)
            {
                Assert.Equal($"payment {attempt} for the same is still under way; wait for its result, or cancel it first", await world.RefusedAsync(Pay));
            }
            else
            {
                (await Pay()).Done();
            }
        }
    }

    [Theory]
    [InlineData("UPDATE plans SET amount_minor = 1100", "11.00 eur is to be paid, not 10.00 eur")]
    [InlineData("UPDATE plans SET currency = 'usd'", "10.00 usd is to be paid, not 10.00 eur")]
    [InlineData("UPDATE plans SET code = 'other'", "there is no plan 'monthly'")]
    [InlineData("UPDATE plans SET active = false", "the plan 'monthly' is not sold any more, and user 2 has no subscription of it")]
    [InlineData(
        "INSERT INTO subscriptions (user_id, plan_id, status, provider_subscription_id) VALUES (2, 1, 'active', 'sub_1')",
        "Stripe Billing collects for subscription 1 itself; record the payment on its invoice there")]
    public async Task A_subscription_that_cannot_be_had_is_refused(string change, string sentence)
    {
        await using var world = await fixture.DeskAsync();
        await world.PlanAsync();
        await world.ExecuteAsync(change);
        Assert.Equal(sentence, await world.RefusedAsync(() => world.RecordAsync("subscription", "10.00", ("--plan", "monthly"))));
    }

    [Fact]
    public async Task Who_has_a_subscription_of_a_plan_no_longer_sold_goes_on_paying_it()
    {
        await using var world = await fixture.DeskAsync();
        await world.SubscriptionAsync(MemberScene.Ada, await world.PlanAsync(), Morning.AddDays(1));
        await world.ExecuteAsync("UPDATE plans SET active = false");
        (await world.RecordAsync("subscription", "10.00", ("--plan", "monthly"))).Done();
    }

    [Theory]
    [InlineData("--amount", "12,50", "--amount must be an amount above 0 such as 12.50, not '12,50'")]
    [InlineData("--amount", "1e3", "--amount must be an amount above 0 such as 12.50, not '1e3'")]
    [InlineData("--amount", "-5", "--amount must be an amount above 0 such as 12.50, not '-5'")]
    [InlineData("--amount", "0", "--amount must be an amount above 0 such as 12.50, not '0'")]
    [InlineData("--amount", "99999999999999999999999999999999", "--amount must be an amount above 0 such as 12.50, not '99999999999999999999999999999999'")]
    [InlineData("--amount", "12.505", "12.505 eur has 3 decimals, and eur has 2")]
    [InlineData("--amount", null, "--amount is missing; give it, or set JOBS_AMOUNT")]
    [InlineData("--currency", "jpy", "12.50 jpy has decimals, and jpy has none")]
    [InlineData("--currency", "EUR", "'EUR' is not a currency known here (three small letters such as eur)")]
    [InlineData("--currency", null, "--currency is missing; give it, or set JOBS_CURRENCY")]
    [InlineData("--method", "card", "--method must be cash, check, transfer or card_terminal, not 'card'")]
    [InlineData("--method", "card_terminal", "no card terminal is known: insert each into payment_terminals, with its name and its provider_reader_id at SumUp")]
    [InlineData("--purpose", "gift", "--purpose must be membership, order, subscription or other, not 'gift'")]
    [InlineData("--purpose", "membership", "the purpose membership needs a membership type")]
    [InlineData("--purpose", "order", "the purpose order needs an order")]
    [InlineData("--purpose", "subscription", "the purpose subscription needs a plan")]
    [InlineData("--order", "3", "an order does not go with the purpose other")]
    [InlineData("--plan", "monthly", "a plan does not go with the purpose other")]
    [InlineData("--membership-type", "basic", "a membership type does not go with the purpose other")]
    [InlineData("--membership-type", "gold", "--membership-type must be basic or circus, not 'gold'")]
    [InlineData("--reduced-price", "", "only memberships have a reduced price")]
    [InlineData("--user", "99", "there is no user 99")]
    [InlineData("--user", null, "--user is missing; give it, or set JOBS_USER")]
    [InlineData("--recorded-by", "2", "user 2 is a member, and only staff and administrators record")]
    [InlineData("--recorded-by", "99", "there is no user 99 who could record this")]
    [InlineData("--recorded-by", null, "--recorded-by is missing; give it, or set JOBS_RECORDED_BY")]
    [InlineData("--reference", " ", "the reference must be 1 to 200 characters without line breaks")]
    [InlineData("--reference", "two\nlines", "the reference must be 1 to 200 characters without line breaks")]
    [InlineData("--reference", null, "--reference is missing; give it, or set JOBS_REFERENCE")]
    public async Task A_mistake_is_one_sentence(string option, string? value, string sentence)
    {
        await using var world = await fixture.DeskAsync();
        Assert.Equal(sentence, await world.RefusedAsync(() => world.RecordAsync("other", "12.50", (option, value))));
    }

    [Fact]
    public async Task An_administrator_records_as_well_and_a_refusal_has_a_word_for_programs()
    {
        await using var world = await fixture.DeskAsync();
        await world.ExecuteAsync("UPDATE users SET role = 'admin' WHERE id = 1");
        (await world.RecordAsync("other", "12.50")).Done();

        var refused = (await world.RecordAsync("other", "13.00")).Failed();

        Assert.Equal(("refused", "reference_used"), (refused.Item().GetProperty("outcome").GetString(), refused.Item().GetProperty("reason").GetString()));
        Assert.Equal(1, refused.Counter("refused"));
    }

    [Theory]
    [InlineData("--amount", "13.00", "which has amount 12.50 eur, not 13.00 eur")]
    [InlineData("--currency", "usd", "which has amount 12.50 eur, not 12.50 usd")]
    [InlineData("--method", "check", "which has method cash, not check")]
    [InlineData("--user", "1", "which has user 2, not 1")]
    [InlineData("--user", "99", "which has user 2, not 99")]
    [InlineData("--recorded-by", "3", "which has recorder 1, not 3")]
    [InlineData("--purpose", "membership", "which has purpose other, not membership and membership type none, not basic")]
    [InlineData("--purpose", "order", "which has purpose other, not order and order none, not 1")]
    [InlineData("--purpose", "subscription", "which has purpose other, not subscription and plan none, not monthly")]
    public async Task A_reference_that_was_used_for_something_else_is_refused_with_what_differs(string option, string value, string sentence)
    {
        await using var world = await fixture.DeskAsync();
        await world.PersonAsync("boss", role: "admin");
        (await world.RecordAsync("other", "12.50")).Done();

        (string, string?) with = value switch
        {
            "membership" => Basic,
            "order" => ("--order", "1"),
            "subscription" => ("--plan", "monthly"),
            _ => (option, value),
        };
        Assert.Equal(
            $"the reference 'desk 7' stands for payment 1, {sentence}",
            await world.RefusedAsync(() => world.RecordAsync("other", "12.50", (option, value), with)));
    }

    [Fact]
    public async Task Two_at_once_under_one_reference_have_the_same_result()
    {
        await using var world = await fixture.DeskAsync();

        var runs = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => world.RecordAsync("membership", "1.00", Basic)));

        Assert.Equal(1, runs.Sum(r => r.Done().Counter("recorded")));
        Assert.Single(runs.Select(r => Texts(r.Item(), "payment_id", "receipt_number", "membership_id", "end_date")).Distinct());
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM payments"));
        await Crash.Truth.CheckAsync(world);
    }

    [Fact]
    public async Task Two_at_once_for_one_person_one_wins_and_the_other_says_why()
    {
        await using var world = await fixture.DeskAsync();

        var runs = await Task.WhenAll(
            world.RecordAsync("membership", "1.00", Basic, ("--reference", "desk 1")), world.RecordAsync("membership", "1.00", Basic, ("--reference", "desk 2")),
            world.GrantAsync("basic", ("--reference", "desk 3")));

        Assert.Single(runs, r => r.ExitCode == 0);
        Assert.All(runs.Where(r => r.ExitCode != 0), r => Assert.Equal("user 2 has a basic membership until 2027-11-19, renewable from 2027-10-19", r.Json.GetProperty("error").GetString()));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM memberships"));
        await Crash.Truth.CheckAsync(world);
    }

    [Fact]
    public async Task Many_at_once_skip_no_receipt_number()
    {
        await using var world = await fixture.DeskAsync();

        var runs = await Task.WhenAll(Enumerable.Range(0, 6).Select(n => world.RecordAsync("other", n % 3 == 2 ? "12.505" : "12.50", ("--reference", $"desk {n}"))));

        Assert.Equal(4, runs.Count(r => r.ExitCode == 0));
        Assert.Equal(["2026-000001", "2026-000002", "2026-000003", "2026-000004"], runs.Where(r => r.ExitCode == 0).Select(r => r.Item().GetProperty("receipt_number").GetString()).Order());
        await Crash.Truth.CheckAsync(world);
    }

    [Theory]
    [InlineData("membership", "9.00", "--membership-type", "circus")]
    [InlineData("order", "10.00", "--order", "1")]
    [InlineData("subscription", "10.00", "--plan", "monthly")]
    [InlineData("other", "5.00", "--reference", "x")]
    [InlineData("membership", "1.00", "--membership-type", "basic")]
    [InlineData("order", "9.00", "--order", "1")]
    public async Task A_dry_run_says_what_would_be_recorded_or_the_refusal_and_writes_nothing(string purpose, string amount, string option, string value)
    {
        await using var world = await fixture.DeskAsync();
        await world.OrderAsync(MemberScene.Ada);
        await world.SubscriptionAsync(MemberScene.Ada, await world.PlanAsync(), Morning.AddDays(2));
        await world.HoldsAsync("basic", MemberScene.Today.AddMonths(6));
        var (before, rows) = (await world.StateAsync(), await world.RunRowsAsync());

        var dry = await world.RecordAsync(purpose, amount, (option, value), ("--dry-run", ""));
        Assert.Equal((before, rows), (await world.StateAsync(), await world.RunRowsAsync()));
        var real = await world.RecordAsync(purpose, amount, (option, value));

        Assert.Equal(real.ExitCode, dry.ExitCode);
        Assert.Equal(real.Json.TryGetProperty("error", out var error) ? error.GetString() : null, dry.Json.TryGetProperty("error", out var foreseen) ? foreseen.GetString() : null);
        string[] same = ["id", "outcome", "amount_minor", "start_date", "end_date", "order_id", "subscription_id", "period_start", "reason"];
        Assert.Equal(Texts(real.Item(), same), Texts(dry.Item(), same));
        if (real.ExitCode == 0)
        {
            Assert.Equal(JsonValueKind.Null, dry.Item().GetProperty("payment_id").ValueKind);
            Assert.Equal("repeated", (await world.RecordAsync(purpose, amount, (option, value), ("--dry-run", ""))).Done().Item().GetProperty("outcome").GetString());
        }
    }

    [Fact]
    public async Task Options_may_come_from_the_environment_and_text_tells_the_essentials()
    {
        await using var world = await fixture.DeskAsync();
        foreach (var (name, value) in new[]
        {
            ("USER", "2"), ("AMOUNT", "1.00"), ("CURRENCY", "eur"), ("METHOD", "cash"), ("PURPOSE", "membership"), ("MEMBERSHIP_TYPE", "basic"),
            ("REDUCED_PRICE", "true"), ("RECORDED_BY", "1"), ("REFERENCE", "\"quoted\" % {x}"), ("AS_OF", "2026-11-20T05:00:00Z"),
        })
        {
            world.Environment[$"JOBS_{name}"] = value;
        }

        using var process = world.Start(Job);
        var lines = (await process.EndAsync()).Done().Stdout.TrimEnd('\n').Split('\n');

        Assert.Equal(
            "\"quoted\" % {x}: recorded, payment id 1, receipt number 2026-000001, user id 2, amount minor 100, currency eur, method cash, purpose membership, membership id 1, start date 2026-11-20, end date 2027-11-19",
            lines[0]);
        Assert.Matches("^record-payment: succeeded in [0-9.]+ s: 1 recorded$", lines[1]);
        Assert.Equal(2, lines.Length);
    }

    [Fact]
    public async Task Hostile_names_break_neither_the_log_nor_the_result()
    {
        await using var world = await fixture.DeskAsync();
        var hostile = "Robert\"); DROP TABLE payments;--\r\n{\"level\":\"fatal\"}" + new string('x', 10_000);
        await world.ExecuteAsync("UPDATE users SET name = @hostile, email = @hostile; INSERT INTO plans (code, amount_minor) VALUES (@hostile, 1000)", new { hostile });

        (await world.RecordAsync("subscription", "10.00", ("--plan", hostile))).Done();
        var refused = await world.RefusedAsync(() => world.RecordAsync("subscription", "10.00", ("--plan", hostile + "y"), ("--reference", "desk 8")));

        Assert.StartsWith("there is no plan 'Robert\"); DROP TABLE payments;--  {\"level\":\"fatal\"}xxx", refused, StringComparison.Ordinal);
        Assert.Contains("1 to 200", await world.RefusedAsync(() => world.RecordAsync("other", "1.00", ("--reference", hostile))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_day_than_today_is_refused_in_production_and_a_pause_skips_nothing()
    {
        await using var world = await fixture.DeskAsync();
        world.Environment["APP_ENV"] = "production";
        await world.ExecuteAsync("INSERT INTO job_pauses (job, reason) VALUES ('record-payment', 'a restored backup')");

        Assert.StartsWith("--as-of is refused in production", await world.RefusedAsync(() => world.RecordAsync("other", "1.00")), StringComparison.Ordinal);
        (await world.RecordAsync("other", "1.00", ("--as-of", null))).Done();
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM leases"));
    }

    [Fact]
    public async Task A_run_that_ended_without_a_word_is_closed_a_day_later()
    {
        await using var world = await fixture.DeskAsync();
        await world.ExecuteAsync(
            """
            INSERT INTO job_runs (id, job, started_at) VALUES
                (gen_random_uuid(), 'record-payment', clock_timestamp() - interval '25 hours'),
                (gen_random_uuid(), 'record-payment', clock_timestamp() - interval '23 hours'),
                (gen_random_uuid(), 'grant-membership', clock_timestamp() - interval '25 hours')
            """);

        (await world.RecordAsync("other", "1.00")).Done();

        Assert.Equal(
            "failed, running, succeeded",
            await world.ScalarAsync<string>("SELECT string_agg(status, ', ' ORDER BY started_at) FROM job_runs WHERE job = 'record-payment'"));
        Assert.Equal("running", await world.ScalarAsync<string>("SELECT status FROM job_runs WHERE job = 'grant-membership'"));
    }

    /// <summary>The members' values, or nothing for those it lacks.</summary>
    private static string Texts(JsonElement json, params string[] names) =>
        string.Join(' ', names.Select(name => json.TryGetProperty(name, out var value) ? value.ToString() : ""));
}
