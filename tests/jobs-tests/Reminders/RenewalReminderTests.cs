using System.Text.Json;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Xunit;
using static Jobs.Tests.Reminders.ReminderScene;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Reminders;

/// <summary>Who is reminded, of what and when. The run is at 08:00 in Paris on 20 November 2026.</summary>
public sealed class RenewalReminderTests(PostgresFixture fixture)
{
    [Fact]
    public async Task The_offset_is_the_smallest_that_the_end_is_not_nearer_than()
    {
        (int Ahead, string Offset)[] days =
            [(-2, ""), (-1, ""), (0, "0"), (1, "5"), (4, "5"), (5, "5"), (6, "15"), (15, "15"), (16, "30"), (30, "30"), (31, ""), (32, "")];
        await using var world = await fixture.WorldAsync();
        var subscriptions = new List<long>();
        var memberships = new List<long>();
        foreach (var (ahead, _) in days)
        {
            subscriptions.Add(await world.EndingAsync(Eight.AddDays(ahead), name: $"user{ahead}"));
            memberships.Add(await world.MembershipAsync(await world.PersonAsync($"member{ahead}"), Today.AddDays(ahead)));
        }

        var run = (await world.RemindAsync(Eight)).Done();

        Assert.Equal(16, run.Counter("reminded"));
        foreach (var ((ahead, offset), n) in days.Select((d, n) => (d, n)))
        {
            Assert.Equal((ahead, offset), (ahead, await world.OffsetsAsync(subscriptions[n])));
            Assert.Equal((ahead, offset), (ahead, await world.OffsetsAsync(memberships[n], "membership")));
        }
    }

    [Fact]
    public async Task Run_day_after_day_a_term_is_reminded_of_once_per_offset()
    {
        await using var world = await fixture.WorldAsync();
        var subscription = await world.EndingAsync(Eight.AddDays(31));
        var membership = await world.MembershipAsync(await world.PersonAsync("ben"), Today.AddDays(31));
        foreach (var day in new[] { 0, 1, 2, 15, 16, 17, 25, 26, 27, 30, 31, 32 })
        {
            (await world.RemindAsync(Eight.AddDays(day))).Done();
        }

        Assert.Equal(0, (await world.RemindAsync(Eight.AddDays(31).AddHours(1))).Done().Counter("reminded"));
        Assert.Equal("30 15 5 0", await world.OffsetsAsync(subscription));
        Assert.Equal("30 15 5 0", await world.OffsetsAsync(membership, "membership"));
    }

    [Theory]
    [InlineData("15 14", "15")] // nothing new the day after
    [InlineData("14", "15")] // a missed day is caught up by the next
    [InlineData("31 3", "5")] // after an outage only the nearest goes out
    [InlineData("30 4 0 -1", "30 5 0")]
    public async Task What_was_missed_is_caught_up_by_the_nearest_alone(string daysAhead, string offsets)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.EndingAsync(Eight.AddDays(40));
        foreach (var ahead in daysAhead.Split(' ').Select(int.Parse))
        {
            (await world.RemindAsync(Eight.AddDays(40 - ahead))).Done();
        }

        Assert.Equal(offsets, await world.OffsetsAsync(id));
    }

    [Fact]
    public async Task Other_offsets_remind_anew_and_the_same_in_another_order_do_not()
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.EndingAsync(Eight.AddDays(10));
        foreach (var days in new[] { "30,15,5,0", " 0, 5,15,15,30", "12", "10,3" })
        {
            (await world.RemindAsync(Eight, "--days", days)).Done();
        }

        world.Environment["JOBS_REMINDER_DAYS"] = "11";
        (await world.RemindAsync(Eight)).Done();
        Assert.Equal("15 12 10 11", await world.OffsetsAsync(id));
    }

    [Fact]
    public async Task A_renewed_term_is_another_term()
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.EndingAsync(Eight.AddDays(5));
        (await world.RemindAsync(Eight)).Done();
        await world.ExecuteAsync("UPDATE subscriptions SET ended_at = ended_at + interval '1 day'");
        (await world.RemindAsync(Eight.AddDays(1))).Done();
        Assert.Equal([$"subscription:{id}:2026-11-25:5", $"subscription:{id}:2026-11-26:5"], await world.RemindersAsync());
    }

    [Theory]
    [InlineData("day", 1, 0, "0")]
    [InlineData("day", 1, 1, "")] // the 5 of its eve is longer than the plan
    [InlineData("day", 5, 5, "")]
    [InlineData("day", 6, 5, "5")]
    [InlineData("week", 1, 7, "")]
    [InlineData("week", 1, 5, "5")]
    [InlineData("week", 2, 14, "")]
    [InlineData("day", 15, 14, "")]
    [InlineData("day", 16, 14, "15")]
    [InlineData("day", 30, 30, "")]
    [InlineData("day", 31, 30, "30")]
    [InlineData("month", 1, 30, "30")]
    [InlineData("year", 1, 30, "30")]
    public async Task An_offset_is_shorter_than_the_term_itself(string unit, int count, int ahead, string offset)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.EndingAsync(Eight.AddDays(ahead), unit, count);
        (await world.RemindAsync(Eight)).Done();
        Assert.Equal(offset, await world.OffsetsAsync(id));
        if (unit == "day")
        {
            // A membership from its first day to its last.
            var member = await world.MembershipAsync(await world.PersonAsync("ben"), Today.AddDays(ahead), days: count);
            (await world.RemindAsync(Eight)).Done();
            Assert.Equal(offset, await world.OffsetsAsync(member, "membership"));
        }
    }

    public static TheoryData<string> NearMisses =>
    [
        "UPDATE subscriptions SET status = 'pending'",
        "UPDATE subscriptions SET status = 'past_due'",
        "UPDATE subscriptions SET status = 'expired'",
        "UPDATE subscriptions SET status = 'canceled'",
        "UPDATE subscriptions SET status = 'paused'",
        "UPDATE subscriptions SET auto_renew = false",
        "UPDATE subscriptions SET cancel_at_period_end = true",
        "UPDATE subscriptions SET provider_subscription_id = 'sub_1'",
        "UPDATE subscriptions SET ended_at = NULL",
        "UPDATE subscriptions SET ended_at = 'infinity'",
        "UPDATE plans SET recurring = false",
        "UPDATE users SET email = '' WHERE name = 'ada'",
        "UPDATE users SET email = '  ' WHERE name = 'ada'",
        "UPDATE users SET wants_reminders = false WHERE name = 'ada'",
        "UPDATE users SET email = ' ' WHERE name = 'ben'",
        "UPDATE users SET wants_reminders = false WHERE name = 'ben'",
        "UPDATE memberships SET canceled_at = now()",
        "INSERT INTO memberships (user_id, type, start_date, end_date) SELECT user_id, type, end_date + 1, end_date + 365 FROM memberships",
    ];

    [Theory]
    [MemberData(nameof(NearMisses))]
    public async Task Each_condition_alone_keeps_a_reminder_back(string change)
    {
        await using var world = await fixture.WorldAsync();
        await world.EndingAsync(Eight.AddDays(5));
        await world.MembershipAsync(await world.PersonAsync("ben"), Today.AddDays(5));
        await world.ExecuteAsync(change);

        Assert.Equal(1, (await world.RemindAsync(Eight)).Done().Counter("reminded"));
        var about = change.Contains("'ben'", StringComparison.Ordinal) || change.Contains("memberships", StringComparison.Ordinal) ? "subscription" : "membership";
        Assert.StartsWith(about, Assert.Single(await world.RemindersAsync()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("INSERT INTO memberships (user_id, type, start_date, end_date, canceled_at) SELECT user_id, type, end_date + 1, end_date + 365, now() FROM memberships")] // the next one was canceled
    [InlineData("INSERT INTO memberships (user_id, type, start_date, end_date) SELECT user_id, 'circus', end_date + 1, end_date + 365 FROM memberships")] // another type
    [InlineData("INSERT INTO memberships (user_id, type, start_date, end_date) SELECT u.id, type, end_date + 1, end_date + 365 FROM memberships, users AS u WHERE name = 'cem'")] // another person
    [InlineData("INSERT INTO memberships (user_id, type, start_date, end_date) SELECT user_id, type, start_date - 365, start_date - 1 FROM memberships")] // an earlier one
    public async Task What_does_not_follow_the_membership_does_not_keep_its_reminder_back(string other)
    {
        await using var world = await fixture.WorldAsync();
        var id = await world.MembershipAsync(await world.PersonAsync(), Today.AddDays(5));
        await world.PersonAsync("cem");
        await world.ExecuteAsync(other);
        (await world.RemindAsync(Eight)).Done();
        Assert.Equal("5", await world.OffsetsAsync(id, "membership"));
    }

    [Fact]
    public async Task The_mail_says_what_when_how_much_and_where_to_cancel()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["ACCOUNT_URL"] = "https://example.test/account";
        var id = await world.EndingAsync(Eight.AddDays(14));
        await world.ExecuteAsync("UPDATE users SET locale = 'ru'; UPDATE plans SET name = 'Tout compris'");

        var run = (await world.RemindAsync(Eight)).Done();

        var mail = await world.OneAsync("SELECT *, payload::text AS text FROM notifications");
        Assert.Equal(("renewal_reminder", "ada@example.test", "ru", "pending", "subscription", id), ((string)mail.kind, (string)mail.to_address, (string)mail.locale, (string)mail.status, (string)mail.subject_type, (long)mail.subject_id));
        Assert.Equal(Eight, (DateTime)mail.created_at);
        Assert.Equal(
            new SortedDictionary<string, string>(StringComparer.Ordinal)
            {
                ["subject_type"] = "subscription",
                ["subject_id"] = Text(id),
                ["plan_code"] = "1-month",
                ["plan_name"] = "Tout compris",
                ["ends_on"] = "2026-12-04",
                ["days_left"] = "14",
                ["amount_minor"] = "1000",
                ["currency"] = "eur",
                ["auto_renew"] = "True",
                ["account_url"] = "https://example.test/account",
            },
            Members((string)mail.text));
        Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs"));
        Assert.Equal(1, run.Counter("reminded"));
    }

    [Theory]
    [InlineData("basic", false, false, 100)]
    [InlineData("basic", true, false, 100)]
    [InlineData("circus", false, false, 1000)]
    [InlineData("circus", true, false, 700)]
    [InlineData("circus", false, true, 900)] // what a basic member pays
    [InlineData("circus", true, true, 600)]
    public async Task A_membership_is_renewed_at_the_price_of_its_type_and_reduction(string type, bool reduced, bool basicToday, long amount)
    {
        await using var world = await fixture.WorldAsync();
        var person = await world.PersonAsync();
        await world.MembershipAsync(person, Today.AddDays(5), type, reduced);
        if (type == "circus")
        {
            // A basic membership that ended yesterday makes no upgrade of it.
            await world.MembershipAsync(person, basicToday ? Today : Today.AddDays(-1));
        }

        (await world.RemindAsync(Eight)).Done();

        var payload = Members(await world.ScalarAsync<string>("SELECT payload::text FROM notifications WHERE payload ->> 'type' = @type AND payload ->> 'days_left' = '5'", new { type }));
        Assert.Equal((amount.ToString(System.Globalization.CultureInfo.InvariantCulture), "eur", "False", "2026-11-25", reduced.ToString()), (payload["amount_minor"], payload["currency"], payload["auto_renew"], payload["ends_on"], payload["reduced_price"]));
        Assert.DoesNotContain("account_url", payload.Keys);
    }

    [Theory]
    // The clock goes back in the night to 25 October: days are the calendar's, not 24 hours.
    [InlineData("Europe/Paris", "2026-10-20T06:00:00Z", "2026-10-25T22:59:59.999999Z", "2026-10-25:5")]
    [InlineData("Europe/Paris", "2026-10-20T06:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26:15")]
    // And forward in the night to 29 March.
    [InlineData("Europe/Paris", "2026-03-24T07:00:00Z", "2026-03-29T21:59:59.999999Z", "2026-03-29:5")]
    [InlineData("Europe/Paris", "2026-03-24T07:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30:15")]
    // A term that ends at local midnight ends on the day that begins.
    [InlineData("Europe/Paris", "2026-11-20T07:00:00Z", "2026-11-19T23:00:00Z", "2026-11-20:0")]
    [InlineData("Europe/Paris", "2026-11-20T07:00:00Z", "2026-11-19T22:59:59.999999Z", "")]
    [InlineData("Europe/Paris", "2026-11-19T23:00:00Z", "2026-11-20T22:59:59.999999Z", "2026-11-20:0")]
    [InlineData("Europe/Paris", "2026-11-19T22:59:59.999999Z", "2026-11-20T22:59:59.999999Z", "2026-11-20:5")]
    [InlineData("Pacific/Kiritimati", "2026-11-20T10:00:00Z", "2026-11-21T09:59:59.999999Z", "2026-11-21:0")]
    [InlineData("Pacific/Kiritimati", "2026-11-20T09:59:59Z", "2026-11-20T10:00:00Z", "2026-11-21:5")]
    [InlineData("Etc/GMT+12", "2026-11-20T12:00:00Z", "2026-11-20T11:59:59.999999Z", "")]
    [InlineData("Etc/GMT+12", "2026-11-20T11:59:59Z", "2026-11-20T12:00:00Z", "2026-11-20:5")]
    public async Task Days_are_the_business_zones(string zone, string now, string endedAt, string reminder)
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["JOBS_TIME_ZONE"] = zone;
        var id = await world.EndingAsync(Instant(endedAt));
        (await world.RemindAsync(Instant(now))).Done();
        Assert.Equal(reminder.Length == 0 ? [] : [$"subscription:{id}:{reminder}"], await world.RemindersAsync());
    }

    [Fact]
    public async Task Batches_limit_shards_and_one_user_restrict_the_run_and_a_second_run_changes_nothing()
    {
        await using var world = await fixture.WorldAsync();
        await ManyAsync(world, 20);

        Assert.Equal(2, (await world.RemindAsync(Eight, "--only", "7")).Done().Counter("reminded"));
        Assert.Equal(2, await world.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE user_id = 7"));
        Assert.Equal(5, (await world.RemindAsync(Eight, "--limit", "5", "--batch-size", "3")).Done().Counter("reminded"));
        var shards = new List<long>();
        for (var i = 0; i < 3; i++)
        {
            shards.Add((await world.RemindAsync(Eight, "--shard", $"{i}/3", "--batch-size", "2")).Done().Counter("reminded"));
        }

        Assert.Equal(33, shards.Sum());
        Assert.All(shards, n => Assert.InRange(n, 9, 13));
        Assert.Equal(40, await world.ScalarAsync<long>("SELECT count(DISTINCT (subject_type, subject_id)) FROM notifications"));
        var before = await world.StateAsync();
        Assert.Equal(0, (await world.RemindAsync(Eight, "--batch-size", "7")).Done().Counter("reminded"));
        Assert.Equal(before, await world.StateAsync());
    }

    [Theory]
    [InlineData]
    [InlineData("--batch-size", "2")]
    [InlineData("--batch-size", "3", "--limit", "7")]
    public async Task A_dry_run_tells_exactly_what_the_run_then_does(params string[] options)
    {
        await using var world = await fixture.WorldAsync();
        await ManyAsync(world, 5);
        await world.RemindAsync(Eight, "--only", "3");
        var before = await world.StateAsync();

        var dry = (await world.RemindAsync(Eight, ["--dry-run", .. options])).Done();
        Assert.Equal(before, await world.StateAsync());
        var real = (await world.RemindAsync(Eight, ["--items", .. options])).Done();

        Assert.Equal(dry.Json.GetProperty("counters").GetRawText(), real.Json.GetProperty("counters").GetRawText());
        Assert.Equal(dry.Json.GetProperty("items").GetRawText(), real.Json.GetProperty("items").GetRawText());
        Assert.Equal(dry.Counter("reminded"), dry.Json.GetProperty("items").GetArrayLength());
        Assert.Equal(options.Length == 4 ? 7 : 8, real.Counter("reminded"));
        Assert.Equal(real.Counter("reminded") + 2, await world.ScalarAsync<long>("SELECT count(*) FROM notifications"));
    }

    [Fact]
    public async Task Two_shards_and_a_whole_run_at_once_write_each_reminder_once()
    {
        await using var world = await fixture.FreshWorldAsync();
        await ManyAsync(world, 5000);

        var runs = await Task.WhenAll(
            world.RemindAsync(Eight, "--batch-size", "300"), world.RemindAsync(Eight, "--batch-size", "500", "--shard", "0/2"), world.RemindAsync(Eight, "--shard", "1/2"));

        Assert.All(runs, r => r.Done());
        Assert.Equal(10_000, runs.Sum(r => r.Counter("reminded")));
        Assert.Equal(10_000, await world.ScalarAsync<long>("SELECT count(*) FROM notifications"));
    }

    [Fact]
    public async Task No_large_table_is_read_from_end_to_end()
    {
        await using var world = await fixture.FreshWorldAsync();
        await ManyAsync(world, 20);
        await world.ExecuteAsync(
            """
            INSERT INTO subscriptions (user_id, plan_id, status, ended_at)
            SELECT 1, 1, CASE n % 3 WHEN 0 THEN 'active' ELSE 'expired' END, timestamptz '2027-06-01' + n * interval '1 minute' FROM generate_series(1, 30000) AS n;
            INSERT INTO memberships (user_id, type, start_date, end_date)
            SELECT 1 + n % 20, 'circus', date '1900-01-01' + n, date '1900-01-01' + n FROM generate_series(1, 20000) AS n;
            INSERT INTO notifications (kind, dedupe_key, subject_type, subject_id) SELECT 'x', 'x' || n, 'subscription', n FROM generate_series(1, 30000) AS n;
            """);
        await world.ExecuteAsync("ANALYZE;");
        const string Scans = "SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_user_tables WHERE relname IN ('subscriptions', 'notifications')";
        await world.ExecuteAsync("SELECT pg_stat_force_next_flush()");
        var before = await world.ScalarAsync<string>(Scans);

        Assert.Equal(40, (await world.RemindAsync(Eight)).Done().Counter("reminded"));
        Assert.Equal(0, (await world.RemindAsync(Eight, "--notice-required", "7d")).Done().Counter("reminded"));

        Assert.Equal(before, await world.ScalarAsync<string>(Scans));
    }

    [Theory]
    [InlineData("--days must be whole days from 0 to 366, such as 30,15,5,0, not 'soon'", "--days", "soon")]
    [InlineData("--days must be whole days from 0 to 366, such as 30,15,5,0, not '30,,5'", "--days", "30,,5")]
    [InlineData("--days must be whole days from 0 to 366, such as 30,15,5,0, not '-1'", "--days", "-1")]
    [InlineData("--days must be whole days from 0 to 366, such as 30,15,5,0, not '367'", "--days", "367")]
    [InlineData("--notice-required must be days such as 7, or a duration such as 36h or 7d (at most 3650d), not '0'", "--notice-required", "0")]
    [InlineData("--notice-required must be days such as 7, or a duration such as 36h or 7d (at most 3650d), not 'a week'", "--notice-required", "a week")]
    [InlineData("--notice-required asks for a notice 31d before the charge, but the earliest reminder goes out 30 days before (--days); add an earlier one", "--notice-required", "31")]
    [InlineData("--notice-required asks for a notice 7d before the charge, but the earliest reminder goes out 5 days before (--days); add an earlier one", "--notice-required", "7d", "--days", "5,0")]
    public async Task A_bad_option_is_one_sentence(string sentence, params string[] args)
    {
        await using var world = await fixture.WorldAsync();
        Assert.Equal(sentence, await Runs.Mistake.InBothFormsAsync("renewal-reminder", world.Environment, args));
    }

    private static DateTime Instant(string text) => DateTime.Parse(text, null, System.Globalization.DateTimeStyles.AdjustToUniversal);

    /// <summary>People with a subscription and a membership each, all ending five days ahead.</summary>
    private static async Task ManyAsync(JobWorld world, int count)
    {
        var plan = await world.PlanAsync();
        await world.PeopleAsync(count);
        await world.ExecuteAsync(
            """
            INSERT INTO subscriptions (user_id, plan_id, status, ended_at) SELECT id, @plan, 'active', @end FROM users ORDER BY id;
            INSERT INTO memberships (user_id, type, start_date, end_date) SELECT id, 'basic', @end::date - 364, @end::date FROM users ORDER BY id;
            """,
            new { plan, end = Eight.AddDays(5) });
    }

    private static SortedDictionary<string, string> Members(string json) =>
        new(JsonDocument.Parse(json).RootElement.EnumerateObject().ToDictionary(m => m.Name, m => m.Value.ToString(), StringComparer.Ordinal), StringComparer.Ordinal);
}
