using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Members;

public sealed class GrantMembershipTests(PostgresFixture fixture)
{
    private const string Job = "grant-membership";

    [Fact]
    public async Task A_membership_is_granted_and_mailed_in_one_go_and_only_once()
    {
        await using var world = await fixture.DeskAsync();

        var run = (await world.GrantAsync("basic", ("--reduced-price", ""))).Done();

        Assert.Equal(1, run.Counter("granted"));
        var item = run.Item();
        Assert.Equal(("desk 7", "granted", 1L, "2026-11-20", "2027-11-19"), (
            item.GetProperty("id").GetString(), item.GetProperty("outcome").GetString(), item.GetProperty("membership_id").GetInt64(),
            item.GetProperty("start_date").GetString(), item.GetProperty("end_date").GetString()));
        var membership = await world.RowAsync("memberships", 1);
        Assert.Equal((MemberScene.Ada, "basic", true, MemberScene.Desk, "desk 7"), ((long)membership.user_id, (string)membership.type, (bool)membership.reduced_price, (long)membership.recorded_by, (string)membership.reference));
        Assert.Null((long?)membership.payment_id);
        var mail = await world.OneAsync("SELECT kind, to_address, dedupe_key, payload::text AS payload FROM notifications");
        Assert.Equal(
            ("membership_granted", "ada@example.test", "membership_granted:1", """{"type": "basic", "end_date": "2027-11-19", "start_date": "2026-11-20", "membership_id": 1, "reduced_price": true}"""),
            ((string)mail.kind, (string)mail.to_address, (string)mail.dedupe_key, (string)mail.payload));
        var audit = await world.OneAsync("SELECT * FROM audit_logs");
        Assert.Equal((Job, "membership.granted", "membership", 1L, run.Json.GetProperty("run_id").GetGuid()), ((string)audit.actor, (string)audit.action, (string)audit.subject_type, (long)audit.subject_id, (Guid)audit.run_id));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));

        var after = await world.StateAsync();
        var again = (await world.GrantAsync("basic", ("--reduced-price", ""))).Done();
        Assert.Equal((0, 1), (again.Counter("granted"), again.Counter("repeated")));
        Assert.Equal(item.GetProperty("end_date").GetString(), again.Item().GetProperty("end_date").GetString());
        Assert.Equal(after, await world.StateAsync());
    }

    [Fact]
    public async Task A_dry_run_says_what_would_be_granted_or_the_refusal_and_writes_nothing()
    {
        await using var world = await fixture.DeskAsync();
        await world.HoldsAsync("basic", MemberScene.Today);
        var (before, rows) = (await world.StateAsync(), await world.RunRowsAsync());

        var dry = (await world.GrantAsync("basic", ("--dry-run", ""))).Done();

        Assert.Equal((before, rows), (await world.StateAsync(), await world.RunRowsAsync()));
        Assert.Equal(("2026-11-21", 1L), (dry.Item().GetProperty("start_date").GetString(), dry.Counter("granted")));
        Assert.Equal("2026-11-21", (await world.GrantAsync("basic")).Done().Item().GetProperty("start_date").GetString());
        Assert.Equal(
            "user 2 has a basic membership until 2027-11-20, renewable from 2027-10-20",
            await world.RefusedAsync(() => world.GrantAsync("basic", ("--dry-run", ""), ("--reference", "desk 8"))));
    }

    [Fact]
    public async Task A_payment_that_paid_for_nothing_yet_is_tied_to_the_membership()
    {
        await using var world = await fixture.DeskAsync();
        (await world.RecordAsync("other", "1.00")).Done();

        var run = (await world.GrantAsync("basic", ("--payment", "1"))).Done();

        Assert.Equal((1L, 1L), ((long)(await world.RowAsync("payments", 1)).membership_id, (long)(await world.RowAsync("memberships", 1)).payment_id));
        Assert.Equal(
            "membership.granted, payment.tied",
            await world.ScalarAsync<string>("SELECT string_agg(action, ', ' ORDER BY action) FROM audit_logs WHERE run_id = @run", new { run = run.Json.GetProperty("run_id").GetGuid() }));
        Assert.Equal(1, (await world.GrantAsync("basic", ("--payment", "1"))).Done().Counter("repeated"));
        await world.ExecuteAsync("UPDATE memberships SET canceled_at = now()");
        Assert.Equal("payment 1 has paid for another membership", await world.RefusedAsync(() => world.GrantAsync("basic", ("--payment", "1"), ("--reference", "desk 8"))));
        await Crash.Truth.CheckAsync(world);
    }

    [Theory]
    [InlineData("id = 9", "payment 1 is unknown")]
    [InlineData("user_id = 1", "payment 1 is not one of user 2")]
    [InlineData("status = 'pending'", "payment 1 is pending, not succeeded")]
    [InlineData("status = 'failed'", "payment 1 is failed, not succeeded")]
    [InlineData("status = 'refunded', amount_refunded_minor = 1000", "payment 1 is refunded, not succeeded")]
    [InlineData("amount_refunded_minor = 1000", "payment 1 was given back")]
    [InlineData("status = 'disputed'", "payment 1 is disputed, not succeeded")]
    [InlineData("purpose = 'order'", "payment 1 has paid for an order")]
    [InlineData("purpose = 'subscription'", "payment 1 has paid for a subscription")]
    public async Task A_payment_that_cannot_pay_for_it_is_refused(string change, string sentence)
    {
        await using var world = await fixture.DeskAsync();
        await world.PaymentAsync(MemberScene.Ada, columns: "status", values: "'succeeded'");
        await world.ExecuteAsync("UPDATE payments SET " + change);
        Assert.Equal(sentence, await world.RefusedAsync(() => world.GrantAsync("basic", ("--payment", "1"))));
    }

    [Fact]
    public async Task A_refund_of_the_tied_payment_ends_the_membership()
    {
        await using var world = await fixture.DeskAsync();
        await world.IntentAsync("pi_1", amount: 100, metadata: new { user_id = Text(MemberScene.Ada), payment_id = Text(await world.PaymentAsync(MemberScene.Ada, "pi_1", columns: "purpose", values: "'other'")) });
        await world.ExecuteAsync("UPDATE payments SET amount_minor = 100");
        (await world.MatchSuccessfulAsync()).Done();
        (await world.GrantAsync("basic", ("--payment", "1"), ("--as-of", null))).Done();

        await world.Stripe.ActAsync("pi_1", "refund");
        (await world.RunAsync("subscription-sync")).Done();

        Assert.True(await world.ScalarAsync<bool>("SELECT canceled_at IS NOT NULL FROM memberships"));
    }

    [Theory]
    [InlineData("--type", "circus", "which has type basic, not circus")]
    [InlineData("--reduced-price", "", "which has reduced price no, not yes")]
    [InlineData("--user", "1", "which has user 2, not 1")]
    [InlineData("--recorded-by", "3", "which has recorder 1, not 3")]
    [InlineData("--payment", "5", "which has payment none, not 5")]
    public async Task A_reference_that_was_used_for_something_else_is_refused_with_what_differs(string option, string value, string sentence)
    {
        await using var world = await fixture.DeskAsync();
        await world.PersonAsync("boss", role: "admin");
        (await world.GrantAsync("basic")).Done();
        Assert.Equal($"the reference 'desk 7' stands for membership 1, {sentence}", await world.RefusedAsync(() => world.GrantAsync("basic", (option, value))));
    }

    [Theory]
    [InlineData("--user", "99", "there is no user 99")]
    [InlineData("--user", "ada", "--user must be an id: a whole number above 0, not 'ada'")]
    [InlineData("--type", "gold", "--type must be basic or circus, not 'gold'")]
    [InlineData("--type", null, "--type is missing; give it, or set JOBS_TYPE")]
    [InlineData("--recorded-by", "2", "user 2 is a member, and only staff and administrators record")]
    [InlineData("--recorded-by", "99", "there is no user 99 who could record this")]
    [InlineData("--reference", "", "Required argument missing for option: '--reference'; see grant-membership --help")]
    [InlineData("--reference", "a\tb", "the reference must be 1 to 200 characters without line breaks")]
    public async Task A_mistake_is_one_sentence(string option, string? value, string sentence)
    {
        await using var world = await fixture.DeskAsync();
        Assert.Equal(sentence, await world.RefusedAsync(() => world.GrantAsync("basic", (option, value))));
    }

    [Fact]
    public async Task Two_at_once_under_one_reference_have_the_same_result()
    {
        await using var world = await fixture.DeskAsync();

        var runs = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => world.GrantAsync("basic")));

        Assert.Equal(1, runs.Sum(r => r.Done().Counter("granted")));
        Assert.Single(runs.Select(r => r.Item().GetProperty("membership_id").GetInt64()).Distinct());
        Assert.Equal((1, 1), (await world.ScalarAsync<int>("SELECT count(*)::int FROM memberships"), await world.ScalarAsync<int>("SELECT count(*)::int FROM notifications")));
    }

    [Fact]
    public async Task Two_at_once_with_one_payment_one_has_it_and_the_other_says_why()
    {
        await using var world = await fixture.DeskAsync();
        await world.HoldsAsync("basic", MemberScene.Today);
        (await world.RecordAsync("other", "1.00")).Done();

        var runs = await Task.WhenAll(new[] { "basic", "circus" }.Select(type => world.GrantAsync(type, ("--payment", "1"), ("--reference", type))));

        Assert.Single(runs, r => r.ExitCode == 0);
        Assert.Equal("payment 1 has paid for another membership", runs.Single(r => r.ExitCode != 0).Json.GetProperty("error").GetString());
    }
}
