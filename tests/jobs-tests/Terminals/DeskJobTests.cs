using System.Text.Json;
using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Npgsql;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Terminals;

/// <summary>record-payment --method card_terminal and fallback-mode, as they ship.</summary>
public sealed class DeskJobTests(PostgresFixture fixture)
{
    private static readonly (string, string?)[] Card = [("--method", "card_terminal"), ("--membership-type", "basic")];

    private async Task<JobWorld> WorldAsync()
    {
        var world = await fixture.DeskAsync();
        await world.ExecuteAsync("INSERT INTO payment_terminals (name, provider_reader_id) VALUES ('bar', 'rdr_1')");
        return world;
    }

    [Fact]
    public async Task A_queued_payment_says_its_place_and_the_same_call_again_says_it_again()
    {
        await using var world = await WorldAsync();
        var first = (await world.RecordAsync("membership", "1.00", Card)).Done();
        var again = (await world.RecordAsync("membership", "1.00", Card)).Done();

        Assert.Equal((1, 0, 1), (first.Counter("queued"), again.Counter("queued"), again.Counter("repeated")));
        foreach (var item in new[] { first.Item(), again.Item() })
        {
            Assert.Equal(
                (1L, 1L, 1L, 0L, false, "pending", "card_terminal", 100L),
                (item.GetProperty("payment_id").GetInt64(), item.GetProperty("queue_id").GetInt64(), item.GetProperty("position").GetInt64(),
                    item.GetProperty("ahead").GetInt64(), item.GetProperty("fallback").GetBoolean(), item.GetProperty("status").GetString(),
                    item.GetProperty("method").GetString(), item.GetProperty("amount_minor").GetInt64()));
        }

        var cash = (await world.RecordAsync("membership", "1.00", ("--membership-type", "basic"), ("--reference", "cash"))).Done();
        Assert.Equal(1, cash.Item().GetProperty("canceled_payment_id").GetInt64());
        Assert.Equal("canceled", (await world.RecordAsync("membership", "1.00", Card)).Done().Item().GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_dry_run_writes_no_row()
    {
        await using var world = await WorldAsync();
        var before = await world.StateAsync();
        var run = (await world.RecordAsync("membership", "1.00", [.. Card, ("--dry-run", "")])).Done();
        Assert.Equal((1, JsonValueKind.Null, 1L), (run.Counter("queued"), run.Item().GetProperty("payment_id").ValueKind, run.Item().GetProperty("position").GetInt64()));
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal(0, await world.RunRowsAsync());
    }

    [Fact]
    public async Task The_same_is_refused_while_it_is_in_the_queue()
    {
        await using var world = await WorldAsync();
        (await world.RecordAsync("membership", "1.00", Card)).Done();
        Assert.Equal(
            "payment 1 for the same waits for a card terminal already",
            await world.RefusedAsync(() => world.RecordAsync("membership", "1.00", [.. Card, ("--reference", "again")])));
        await world.ExecuteAsync("UPDATE payment_queue SET status = 'unknown'");
        Assert.Equal(
            "payment 1 for the same is at a card terminal; wait for its result",
            await world.RefusedAsync(() => world.RecordAsync("membership", "1.00", ("--membership-type", "basic"), ("--reference", "cash"))));
    }

    private static Task<JobResult> FallbackAsync(JobWorld world, params string[] args) =>
        world.RunAsync("fallback-mode", ["--as-of", AsOf(Morning), .. args]);

    [Fact]
    public async Task The_mode_is_shown_activated_and_ended()
    {
        await using var world = await WorldAsync();
        Assert.Equal(("shown", false, ""), Of(await FallbackAsync(world)));
        var activate = new[] { "--activate", "--reason", "no network", "--until", "2h", "--actor", "Zoé" };

        Assert.Equal(("activated", true, "Zoé"), Of(await FallbackAsync(world, [.. activate, "--dry-run"])));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM settings"));
        Assert.Equal(("activated", true, "Zoé"), Of(await FallbackAsync(world, activate)));
        var before = await world.StateAsync();
        Assert.Equal(("unchanged", true, "Zoé"), Of(await FallbackAsync(world, "--activate", "--reason", "x", "--actor", "Max")));
        var shown = await FallbackAsync(world, "--show");
        Assert.Equal(("shown", true, "Zoé"), Of(shown));
        Assert.Equal(
            ("no network", "2026-11-20T05:00:00Z", "2026-11-20T07:00:00Z", false),
            (shown.Item().GetProperty("reason").GetString(), shown.Item().GetProperty("since").GetString(), shown.Item().GetProperty("until").GetString(),
                shown.Item().GetProperty("automatic").GetBoolean()));
        Assert.Equal(before, await world.StateAsync());
        Assert.True((await world.RecordAsync("membership", "1.00", Card)).Done().Item().GetProperty("fallback").GetBoolean());

        Assert.Equal(("deactivated", false, "Zoé"), Of(await FallbackAsync(world, "--deactivate", "--actor", "Max")));
        Assert.Equal(("unchanged", false, "Zoé"), Of(await FallbackAsync(world, "--deactivate", "--actor", "Max")));
        Assert.Equal((1, 1), (await world.MailsAsync("staff_fallback_on"), await world.MailsAsync("staff_fallback_off")));
        Assert.Equal("Zoé Max", await world.ScalarAsync<string>("SELECT string_agg(actor, ' ' ORDER BY id) FROM audit_logs WHERE subject_type = 'setting' AND run_id IS NOT NULL"));

        static (string?, bool, string?) Of(JobResult run) =>
            (run.Done().Item().GetProperty("outcome").GetString(), run.Item().GetProperty("active").GetBoolean(), run.Item().GetProperty("actor").GetString());
    }

    [Fact]
    public async Task Whoever_looks_after_its_time_writes_down_its_end_once()
    {
        await using var world = await WorldAsync();
        (await FallbackAsync(world, "--activate", "--reason", "x", "--actor", "Zoé", "--until", "2026-11-20T05:00:01Z")).Done();
        for (var n = 0; n < 2; n++)
        {
            var shown = (await world.RunAsync("fallback-mode", "--as-of", "2026-11-20T06:00:00Z")).Done().Item();
            Assert.Equal((false, "2026-11-20T05:00:01Z"), (shown.GetProperty("active").GetBoolean(), shown.GetProperty("ended_at").GetString()));
        }

        Assert.Equal(1, await world.MailsAsync("staff_fallback_off"));
    }

    [Theory]
    [InlineData("--activate --actor Zoé", "--activate needs --reason: staff are told why cards wait")]
    [InlineData("--activate --reason x", "--activate needs --actor: who you are")]
    [InlineData("--deactivate", "--deactivate needs --actor: who you are")]
    [InlineData("--activate --deactivate --actor Zoé --reason x", "--show, --activate and --deactivate exclude each other; give one of them")]
    [InlineData("--show --deactivate --actor Zoé", "--show, --activate and --deactivate exclude each other; give one of them")]
    [InlineData("--until 2h", "--until goes with --activate alone")]
    [InlineData("--activate --actor Zoé --reason x --until 2026-11-20T05:00:00Z", "--until is over already; give a later time")]
    [InlineData("--activate --actor Zoé --reason x --until soon",
        "--until must be a duration such as 2h, or an instant with its zone such as 2026-11-20T18:00:00Z, not 'soon'")]
    public async Task A_mistake_is_one_sentence(string args, string sentence)
    {
        await using var world = await WorldAsync();
        Assert.Equal(sentence, await world.RefusedAsync(() => FallbackAsync(world, args.Split(' '))));
    }

    [Fact]
    public async Task A_payment_that_lost_its_place_expires_without_a_question_to_Stripe()
    {
        await using var world = await WorldAsync();
        foreach (var (reference, status) in new[] { ("lost", "failed"), ("waits", "waiting"), ("gone", "") })
        {
            var payment = await world.PaymentAsync(MemberScene.Ada, null, Morning.AddDays(-8), "reference, method, provider", $"'{reference}', 'card_terminal', 'sumup'");
            if (status.Length > 0)
            {
                await world.ExecuteAsync("INSERT INTO payment_queue (payment_id, status) VALUES (@payment, @status)", new { payment, status });
            }
        }

        var before = (await world.Stripe.RequestsAsync()).Recent.Count;
        Assert.Equal(2, (await world.RunAsync("expire-payments", "--as-of", AsOf(Morning))).Done().Counter("expired"));
        (await world.RunAsync("match-pending-payments", "--as-of", AsOf(Morning))).Done();
        Assert.Equal(before, (await world.Stripe.RequestsAsync()).Recent.Count);
        Assert.Equal(
            "gone expired, lost expired, waits pending",
            await world.ScalarAsync<string>("SELECT string_agg(reference || ' ' || status, ', ' ORDER BY reference) FROM payments"));
    }

    [Fact]
    public async Task An_order_that_gets_a_place_while_its_time_runs_out_is_left()
    {
        await using var world = await WorldAsync();
        var (order, _) = await world.OrderAsync(MemberScene.Ada);
        await world.ExecuteAsync("UPDATE orders SET expires_at = @at", new { at = Morning.AddHours(-1) });
        await using var desk = new NpgsqlConnection(world.Server.ConnectionFor(world.Database).ConnectionString + ";Pooling=false");
        await desk.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = desk.CreateCommand();
        command.CommandText =
            $"""
            BEGIN;
            SELECT FROM orders WHERE id = {Text(order)} FOR NO KEY UPDATE;
            WITH asked AS (INSERT INTO payments (user_id, order_id, amount_minor, method, provider) VALUES (2, {Text(order)}, 1000, 'card_terminal', 'sumup') RETURNING id)
            INSERT INTO payment_queue (payment_id) SELECT id FROM asked
            """;
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var expiry = world.RunAsync("expire-stale-orders", "--as-of", AsOf(Morning));
        await world.UntilBlockedAsync();
        command.CommandText = "COMMIT";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        Assert.Equal((0, 1), ((await expiry).Done().Counter("orders_expired"), (await expiry).Counter("left")));
        Assert.Equal("pending_payment", await world.StatusAsync("orders", order));
    }
}
