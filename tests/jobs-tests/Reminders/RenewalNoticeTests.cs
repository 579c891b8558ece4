using System.Text.Json;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Npgsql;
using Xunit;
using static Jobs.Tests.Reminders.ReminderScene;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Reminders;

/// <summary>Where a notice is required: nobody is charged without it, nobody is cut off for the lack of it.</summary>
public sealed class RenewalNoticeTests(PostgresFixture fixture)
{
    private static readonly DateTime Expiring = Morning.AddMinutes(45);

    [Theory]
    [InlineData("7d", 7 * 24, 0, true)]
    [InlineData("7", 7 * 24, 0, true)]
    [InlineData("7", 7 * 24, -1, false)]
    [InlineData("36h", 36, 0, true)]
    [InlineData("36h", 36, -1, false)]
    public async Task A_renewal_is_charged_exactly_so_long_after_its_notice_was_sent(string required, int hours, int microseconds, bool charged)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.DueAsync("ada");
        await NoticeAsync(world, id, Morning.AddHours(-hours).AddMicroseconds(-microseconds));

        var dry = (await world.AutopaymentAsync(Morning, "--notice-required", required, "--dry-run")).Done();
        world.Environment["JOBS_NOTICE_REQUIRED"] = required;
        var run = (await world.AutopaymentAsync(Morning)).Done();

        Assert.Equal(charged ? (1L, 0L) : (0L, 1L), (run.Counter("charged"), run.Counter("awaiting_notice")));
        Assert.Equal((run.Counter("charged"), run.Counter("awaiting_notice")), (dry.Counter("charged"), dry.Counter("awaiting_notice")));
        Assert.Equal(charged ? 1 : 0, await world.ChargesAsync());
        Assert.Equal("active", await world.StatusAsync("subscriptions", id));
    }

    [Theory]
    [InlineData("status = 'pending'")]
    [InlineData("status = 'sending'")]
    [InlineData("status = 'failed'")]
    [InlineData("status = 'unknown'")]
    [InlineData("sent_at = NULL")]
    [InlineData("kind = 'payment_receipt'")]
    [InlineData("subject_type = 'membership'")]
    [InlineData("subject_id = subject_id + 1")]
    [InlineData("payload = jsonb_set(payload, '{ends_on}', '\"2026-11-19\"')")]
    [InlineData("payload = '{}'")]
    public async Task Another_mail_is_no_notice(string change)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.DueAsync("ada");
        await NoticeAsync(world, id, Morning.AddDays(-20));
        await world.ExecuteAsync($"UPDATE notifications SET {change}");

        var run = (await world.AutopaymentAsync(Morning, "--notice-required", "7d")).Done();

        Assert.Equal((0, 1), (run.Counter("charged"), run.Counter("awaiting_notice")));
        Assert.Empty(await world.CreationsAsync());
        Assert.Equal(1, (await world.AutopaymentAsync(Morning)).Done().Counter("charged"));
    }

    [Fact]
    public async Task Those_that_wait_neither_count_against_the_limit_nor_are_they_in_the_plan()
    {
        await using var world = await fixture.WorldAsync();
        for (var n = 0; n < 5; n++)
        {
            await world.DueAsync($"user{n}", endedAt: Morning.AddHours(-9));
        }

        var noticed = await world.DueAsync("ada");
        await NoticeAsync(world, noticed, Morning.AddDays(-8));

        var run = (await world.AutopaymentAsync(Morning, "--notice-required", "7d", "--max-charges", "1", "--limit", "1", "--batch-size", "2")).Done();

        Assert.Equal((1, 5), (run.Counter("charged"), run.Counter("awaiting_notice")));
        Assert.Single(await world.AttemptsAsync(noticed));
    }

    [Fact]
    public async Task The_notice_is_looked_for_again_under_the_lock()
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.DueAsync("ada");
        await NoticeAsync(world, id, Morning.AddDays(-8));
        var source = world.Server.ConnectionFor(world.Database);
        source.Pooling = false;
        await using var other = new NpgsqlConnection(source.ConnectionString);
        await other.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = other.CreateCommand();
        command.CommandText = "BEGIN; SELECT FROM users FOR UPDATE";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var run = world.AutopaymentAsync(Morning, "--notice-required", "7d");
        await world.UntilBlockedAsync();
        command.CommandText = "DELETE FROM notifications; COMMIT";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        Assert.Equal((0, 1), ((await run).Done().Counter("charged"), (await run).Counter("no_longer_due")));
        Assert.Empty(await world.CreationsAsync());
    }

    [Theory]
    [InlineData(null, null, true)] // no notice at all: ours to write
    [InlineData("pending", null, true)]
    [InlineData("unknown", null, true)]
    [InlineData("failed", null, false)] // no address that takes it
    [InlineData("sent", -6 * 24, true)] // not chargeable yet
    [InlineData("sent", -7 * 24, true)] // chargeable since autopayment's last run
    [InlineData("sent", -8 * 24, false)] // autopayment might have charged
    public async Task Whom_autopayment_might_not_charge_yet_is_not_cut_off(string? status, int? sentHours, bool held)
    {
        await using var world = await fixture.WorldAsync();
        var id = await LapsedAsync(world);
        if (status is not null)
        {
            await NoticeAsync(world, id, Expiring.AddHours(sentHours ?? 0));
            await world.ExecuteAsync("UPDATE notifications SET status = @status", new { status });
        }

        var dry = (await ExpireAsync(world, "--dry-run")).Done();
        var run = (await ExpireAsync(world)).Done();

        Assert.Equal(held ? (0L, 1L) : (1L, 0L), (run.Counter("expired"), run.Counter("held")));
        Assert.Equal(run.Counter("held"), dry.Counter("held"));
        Assert.Equal(held, run.Stderr.Contains("their renewal notice is still to come", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("UPDATE subscriptions SET auto_renew = false")]
    [InlineData("UPDATE subscriptions SET cancel_at_period_end = true")]
    [InlineData("UPDATE plans SET recurring = false")]
    [InlineData("UPDATE users SET email = ' '")]
    [InlineData("INSERT INTO payments (user_id, subscription_id, purpose, amount_minor, status, period_start) SELECT user_id, id, 'subscription', 1, 'failed', '2026-11-15' FROM subscriptions")]
    public async Task Who_waits_for_no_notice_expires(string change)
    {
        await using var world = await fixture.WorldAsync();
        await LapsedAsync(world);
        await world.ExecuteAsync(change);
        Assert.Equal(1, (await ExpireAsync(world)).Done().Counter("expired"));
    }

    [Fact]
    public async Task Without_the_option_nobody_is_held_for_a_notice()
    {
        await using var world = await fixture.WorldAsync();
        await LapsedAsync(world);
        Assert.Equal(1, (await world.RunAsync("expire-subscriptions", "--as-of", AsOf(Expiring))).Done().Counter("expired"));
    }

    [Fact]
    public async Task After_an_outage_the_notice_comes_late_says_when_the_charge_will_be_and_the_charge_comes_then()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["JOBS_NOTICE_REQUIRED"] = "7d";
        var id = await world.DueAsync("ada", endedAt: Morning.AddDays(-5));

        Assert.Equal(1, (await world.AutopaymentAsync(Morning)).Done().Counter("awaiting_notice"));
        Assert.Equal(1, (await world.RunAsync("expire-subscriptions", "--as-of", AsOf(Expiring))).Done().Counter("held"));
        Assert.Equal(1, (await world.RemindAsync(Eight)).Done().Counter("reminded"));
        Assert.Equal(0, (await world.RemindAsync(Eight.AddDays(1))).Done().Counter("reminded"));
        Assert.Equal("late", await world.OffsetsAsync(id));
        var payload = JsonDocument.Parse(await world.ScalarAsync<string>("SELECT payload::text FROM notifications")).RootElement;
        Assert.Equal(("2026-11-15", 0, "2026-11-27"), (payload.GetProperty("ends_on").GetString(), payload.GetProperty("days_left").GetInt32(), payload.GetProperty("charge_on").GetString()));

        await world.SendAllAsync(Morning.AddHours(1));
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(7))).Done().Counter("awaiting_notice"));
        Assert.Equal(1, (await world.RunAsync("expire-subscriptions", "--as-of", AsOf(Expiring.AddDays(7)))).Done().Counter("held"));
        Assert.Equal(1, (await world.AutopaymentAsync(Morning.AddDays(7).AddHours(1))).Done().Counter("charged"));
        Assert.Equal(1, await world.ChargesAsync());
        Assert.Equal("active", await world.StatusAsync("subscriptions", id));
    }

    [Fact]
    public async Task Only_a_first_notice_goes_to_who_wants_no_reminders_and_the_next_when_it_failed()
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.EndingAsync(Eight.AddDays(30));
        await world.MembershipAsync(await world.PersonAsync("ben"), Today.AddDays(30));
        await world.ExecuteAsync("UPDATE users SET wants_reminders = false");
        foreach (var day in new[] { 0, 1, 10, 14, 15, 16, 25, 30, 31 })
        {
            (await world.RemindAsync(Eight.AddDays(day), "--notice-required", "7d")).Done();
            if (day == 10)
            {
                await world.ExecuteAsync("UPDATE notifications SET status = 'failed'");
            }
        }

        Assert.Equal("30 15", await world.OffsetsAsync(id));
        Assert.Equal(2, (await world.RemindersAsync()).Count);
    }

    [Fact]
    public async Task The_day_of_the_charge_is_the_end_of_the_period_unless_the_first_notice_was_late()
    {
        await using var world = await fixture.WorldAsync();
        var inTime = await world.EndingAsync(Eight.AddDays(15));
        var late = await world.EndingAsync(Eight.AddDays(5), name: "ben");
        await world.MembershipAsync(await world.PersonAsync("cem"), Today.AddDays(5));
        (await world.RemindAsync(Eight, "--notice-required", "7")).Done();
        await world.SendAllAsync(Eight);
        (await world.RemindAsync(Eight.AddDays(5), "--notice-required", "7")).Done();
        (await world.RemindAsync(Eight.AddDays(15), "--notice-required", "7")).Done();

        var charges = (await world.QueryAsync("SELECT subject_id, dedupe_key, payload ->> 'charge_on' AS day FROM notifications WHERE subject_type = 'subscription' ORDER BY id"))
            .ToLookup(r => (long)r.subject_id, r => (string)r.day);
        Assert.Equal(["2026-12-05", "2026-12-05"], charges[inTime]);
        Assert.Equal(["2026-11-27", "2026-11-27"], charges[late]);
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE subject_type = 'membership' AND payload ? 'charge_on'"));
    }

    [Theory]
    [InlineData("UPDATE subscriptions SET status = 'past_due'", 1)]
    [InlineData("UPDATE subscriptions SET status = 'past_due', next_attempt_at = 'infinity'", 0)] // will not be charged any more
    [InlineData("UPDATE subscriptions SET status = 'expired'", 0)]
    [InlineData("UPDATE subscriptions SET auto_renew = false", 0)]
    [InlineData("UPDATE users SET email = ''", 0)]
    [InlineData("UPDATE users SET wants_reminders = false", 1)]
    public async Task A_late_notice_goes_to_whoever_might_still_be_charged(string change, int notices)
    {
        await using var world = await fixture.WorldAsync();
        await world.EndingAsync(Eight.AddDays(-1));
        await world.ExecuteAsync(change);
        Assert.Equal(notices, (await world.RemindAsync(Eight, "--notice-required", "7d")).Done().Counter("reminded"));
        Assert.Equal(0, (await world.RemindAsync(Eight.AddDays(1), "--notice-required", "7d")).Done().Counter("reminded"));
    }

    /// <summary>Ended on 15 November; autopayment last succeeded this morning.</summary>
    private static async Task<long> LapsedAsync(JobWorld world)
    {
        var id = await world.EndingAsync(Morning.AddDays(-5));
        await world.ExecuteAsync("INSERT INTO job_runs (id, job, status, started_at) VALUES (gen_random_uuid(), 'autopayment', 'succeeded', @Morning)", new { Morning });
        return id;
    }

    private static Task<JobResult> ExpireAsync(JobWorld world, params string[] args) =>
        world.RunAsync("expire-subscriptions", ["--as-of", AsOf(Expiring), "--notice-required", "7d", .. args]);

    private static Task<int> NoticeAsync(JobWorld world, long subscription, DateTime sentAt) =>
        world.ExecuteAsync(
            """
            INSERT INTO notifications (kind, user_id, subject_type, subject_id, status, sent_at, payload)
            SELECT 'renewal_reminder', user_id, 'subscription', id, 'sent', @sentAt,
                   jsonb_build_object('ends_on', (ended_at AT TIME ZONE 'Europe/Paris')::date)
            FROM subscriptions WHERE id = @subscription
            """,
            new { subscription, sentAt });
}
