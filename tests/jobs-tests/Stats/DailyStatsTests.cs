using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Stats.StatsScene;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Stats;

/// <summary>The figures of a day. The run is at 01:00 in Paris on 20 November 2026.</summary>
public sealed class DailyStatsTests(PostgresFixture fixture)
{
    // In Paris the 19th lasts from 23:00 UTC of the 18th to 23:00 UTC.
    private const string Before = "2026-11-18T22:59:59.999999Z";
    private const string Start = "2026-11-18T23:00:00Z";
    private const string Last = "2026-11-19T22:59:59.999999Z";
    private const string After = "2026-11-19T23:00:00Z";

    [Fact]
    public async Task Each_figure_counts_the_first_instant_of_the_day_and_the_last_and_neither_neighbour()
    {
        await using var world = await fixture.WorldAsync();
        await SeedAsync(world);

        (await world.StatsAsync("--date", "2026-11-19")).Done();

        Assert.Equal(
            """
            {"orders":2,"refunds":{"chf":300,"eur":50},"revenue":{"chf":-300,"eur":10650,"jpy":7},"failures":2,"payments":12,"renewals":4,"expirations":2,"total_visits":4,"cancellations":1,"new_memberships":3,"unique_visitors":2,"new_subscriptions":2,"membership_renewals":1}
            """,
            (await world.ScalarAsync<string>("SELECT data::text FROM daily_stats")).Replace(" ", "", StringComparison.Ordinal));
    }

    /// <summary>Of each kind one at the first instant and one at the last, one just before and one just after, and near misses.</summary>
    private static async Task SeedAsync(JobWorld world)
    {
        var plan = await world.PlanAsync();
        await world.PeopleAsync(9);
        await world.ExecuteAsync(
            $"""
            INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at) SELECT 1, @plan, 'active', '2026-10-19T12:00:00Z', '2026-12-19T12:00:00Z' FROM generate_series(1, 12);
            CREATE TEMP TABLE moment AS SELECT * FROM unnest(ARRAY['{Before}', '{Start}', '{Last}', '{After}']::timestamptz[]) WITH ORDINALITY AS m (at, n);
            INSERT INTO attendances (user_id, attended_on) VALUES (1, '2026-11-18'), (1, '2026-11-19'), (1, '2026-11-19'), (2, '2026-11-19'), (NULL, '2026-11-19'), (1, '2026-11-20');
            INSERT INTO memberships (user_id, type, start_date, end_date, created_at) SELECT n, 'basic', '2026-11-19', '2027-11-18', at FROM moment;
            INSERT INTO memberships (user_id, type, start_date, end_date, created_at, canceled_at) VALUES (2, 'circus', '2026-11-19', '2027-11-18', '{Start}', '{Last}');
            INSERT INTO memberships (user_id, type, start_date, end_date, created_at) VALUES (2, 'basic', '2025-11-19', '2026-11-18', '2025-11-19T12:00:00Z');

            -- Succeeded, refunded and disputed alike were paid that day.
            INSERT INTO payments (user_id, amount_minor, currency, status, succeeded_at, created_at)
            SELECT 1, 1000, 'eur', s, at, '2026-01-01' FROM moment, unnest(ARRAY['succeeded', 'refunded', 'disputed']) AS s WHERE n IN (1, 2, 4);
            INSERT INTO payments (user_id, amount_minor, currency, status, succeeded_at, created_at) VALUES (1, 7, 'jpy', 'succeeded', '{Last}', '2026-01-01');
            INSERT INTO payments (user_id, amount_minor, currency, status, succeeded_at, created_at) VALUES (1, 9999, 'eur', 'pending', '{Last}', '2026-01-01');
            INSERT INTO payments (user_id, amount_minor, purpose, status, succeeded_at, created_at) SELECT 1, 2000, 'order', 'succeeded', at, '2026-01-01' FROM moment WHERE n IN (2, 3);
            -- A subscription's first: its period starts on the day on which it started. Another has no period on record.
            INSERT INTO payments (user_id, subscription_id, amount_minor, purpose, status, period_start, succeeded_at, created_at) VALUES (1, 1, 500, 'subscription', 'succeeded', '2026-10-19', '{Start}', '2026-01-01');
            INSERT INTO payments (user_id, subscription_id, amount_minor, purpose, status, succeeded_at, created_at) VALUES (1, 2, 500, 'subscription', 'succeeded', '{Last}', '2026-01-01');
            -- Renewals: of a later period, and one of which only an earlier payment tells.
            INSERT INTO payments (user_id, subscription_id, amount_minor, purpose, status, period_start, succeeded_at, created_at) SELECT 1, 3 + n, 600, 'subscription', 'succeeded', '2026-11-19', at, '2026-01-01' FROM moment;
            INSERT INTO payments (user_id, subscription_id, amount_minor, purpose, status, period_start, succeeded_at, created_at) VALUES (1, 9, 700, 'subscription', 'refunded', '2026-11-19', '{Last}', '2026-01-01');
            INSERT INTO payments (user_id, subscription_id, amount_minor, purpose, status, succeeded_at, created_at) VALUES (1, 10, 800, 'subscription', 'succeeded', '2026-10-19T12:00:00Z', '2026-01-01'), (1, 10, 800, 'subscription', 'succeeded', '{Last}', '2026-01-01');

            INSERT INTO payment_refunds (provider_refund_id, payment_id, amount_minor, refunded_at) SELECT 're_' || n, 1, 25, at FROM moment;
            WITH old AS (INSERT INTO payments (user_id, amount_minor, currency, status, succeeded_at, created_at) VALUES (1, 1000, 'chf', 'succeeded', '2026-01-01', '2026-01-01') RETURNING id)
            INSERT INTO payment_refunds (payment_id, amount_minor, refunded_at) SELECT id, 300, '{Start}' FROM old;

            -- Refused; money that is parked was not.
            INSERT INTO payments (user_id, amount_minor, status, created_at) SELECT 1, 1, 'failed', at FROM moment;
            INSERT INTO payments (user_id, amount_minor, status, created_at, provider_payment_id) VALUES (1, 1, 'failed', '{Last}', 'pi_parked'), (1, 1, 'canceled', '{Last}', 'pi_2'), (1, 1, 'expired', '{Last}', 'pi_3');
            INSERT INTO unmatched_payments (provider_payment_id, reason) VALUES ('pi_parked', 'amount_mismatch');

            INSERT INTO audit_logs (action, subject_type, created_at) SELECT 'subscription.expired', 'subscription', at FROM moment;
            INSERT INTO audit_logs (action, subject_type, created_at) VALUES ('subscription.canceled', 'subscription', '{Last}'), ('order.expired', 'order', '{Last}');
            """,
            new { plan });
    }

    [Theory]
    [InlineData("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25)] // back: 25 hours
    [InlineData("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23)] // forward: 23 hours
    [InlineData("2026-03-30", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z", 24)]
    public async Task A_day_on_which_the_clock_moves_has_23_or_25_hours(string date, string start, string end, int hours)
    {
        await using var world = await fixture.WorldAsync();
        await world.PersonAsync();
        // One every hour from an hour before to an hour after, and one at the day's last instant.
        await world.ExecuteAsync(
            """
            INSERT INTO payments (user_id, amount_minor, status, succeeded_at)
            SELECT 1, 1, 'succeeded', at FROM generate_series(@start::timestamptz - interval '1 hour', @end::timestamptz + interval '1 hour', interval '1 hour') AS at;
            INSERT INTO payments (user_id, amount_minor, status, succeeded_at) VALUES (1, 1000, 'succeeded', @end::timestamptz - interval '1 microsecond')
            """,
            new { start, end });

        (await world.StatsAsync("--date", date)).Done();

        Assert.Equal(1000 + hours, (await world.FiguresAsync(date)).GetProperty("revenue").GetProperty("eur").GetInt64());
    }

    [Theory]
    [InlineData("Pacific/Kiritimati", "2026-11-20T10:00:00Z", "2026-11-20")] // UTC+14
    [InlineData("Pacific/Kiritimati", "2026-11-20T09:59:59Z", "2026-11-19")]
    [InlineData("Etc/GMT+12", "2026-11-20T12:00:00Z", "2026-11-19")] // UTC-12
    [InlineData("Etc/GMT+12", "2026-11-20T11:59:59Z", "2026-11-18")]
    [InlineData("Europe/Paris", "2026-11-19T23:00:00Z", "2026-11-19")]
    [InlineData("Europe/Paris", "2026-11-19T22:59:59Z", "2026-11-18")]
    public async Task Yesterday_is_the_business_zones(string zone, string now, string yesterday)
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["JOBS_TIME_ZONE"] = zone;
        (await world.RunAsync("daily-stats", "--as-of", now)).Done();
        Assert.Equal([yesterday], await world.DatesAsync());
    }

    [Fact]
    public async Task A_second_run_changes_nothing_and_what_an_application_added_stays()
    {
        await using var world = await fixture.WorldAsync();
        await SeedAsync(world);
        Assert.True((await world.StatsAsync()).Done().Counter("days_written") > 300);
        var rows = await RowsAsync(world);
        var second = (await world.StatsAsync()).Done();
        Assert.Equal((0, 7), (second.Counter("days_written"), second.Counter("days_unchanged")));
        Assert.Equal(rows, await RowsAsync(world));

        await world.ExecuteAsync("UPDATE daily_stats SET data = data || '{\"weather\": \"rain\", \"total_visits\": 99}' WHERE stat_date = '2026-11-19'");
        Assert.Equal(1, (await world.StatsAsync("--date", "2026-11-19")).Done().Counter("days_written"));
        var figures = await world.FiguresAsync();
        Assert.Equal(("rain", 4), (figures.GetProperty("weather").GetString(), figures.GetProperty("total_visits").GetInt32()));
    }

    private static async Task<string> RowsAsync(JobWorld world) =>
        await world.ScalarAsync<string>("SELECT string_agg(stat_date || ' ' || data || ' ' || updated_at, E'\\n' ORDER BY stat_date) FROM daily_stats");

    [Fact]
    public async Task What_only_the_audit_log_knew_outlives_it()
    {
        await using var world = await fixture.WorldAsync();
        await SeedAsync(world);
        (await world.StatsAsync("--date", "2026-11-19")).Done();
        await world.ExecuteAsync("DELETE FROM audit_logs");

        Assert.Equal(1, (await world.StatsAsync("--date", "2026-11-19")).Done().Counter("days_unchanged"));
        Assert.Equal(2, (await world.FiguresAsync()).GetProperty("expirations").GetInt32());
    }

    [Fact]
    public async Task Days_without_figures_are_filled_from_the_first_data_on_and_the_last_week_is_looked_at_again()
    {
        await using var world = await fixture.WorldAsync();
        await world.VisitsAsync(Yesterday.AddDays(-20), 3);
        Assert.Equal(21, (await world.StatsAsync()).Done().Counter("days_written"));

        // A hole, a visit recorded late and one recorded too late.
        await world.ExecuteAsync("DELETE FROM daily_stats WHERE stat_date IN ('2026-11-05', '2026-11-19')");
        await world.VisitsAsync(Yesterday.AddDays(-6), 2);
        await world.VisitsAsync(Yesterday.AddDays(-7), 2);
        var run = (await world.StatsAsync()).Done();

        Assert.Equal((3, 5), (run.Counter("days_written"), run.Counter("days_unchanged")));
        Assert.Equal(21, (await world.DatesAsync()).Count);
        Assert.Equal((2, 0), ((await world.FiguresAsync("2026-11-13")).GetProperty("total_visits").GetInt32(), (await world.FiguresAsync("2026-11-12")).GetProperty("total_visits").GetInt32()));
    }

    [Fact]
    public async Task A_first_run_goes_back_400_days_at_most_and_does_one_day_where_there_is_nothing()
    {
        await using var world = await fixture.WorldAsync();
        Assert.Equal(1, (await world.StatsAsync()).Done().Counter("days_written"));
        await world.VisitsAsync(Yesterday.AddDays(-1000), 1);
        await world.VisitsAsync(Yesterday.AddDays(30), 1);
        Assert.Equal(399, (await world.StatsAsync()).Done().Counter("days_written"));
        Assert.Equal(("2025-10-16", "2026-11-19"), ((await world.DatesAsync())[0], (await world.DatesAsync())[^1]));
    }

    [Fact]
    public async Task A_range_is_inclusive_and_ends_by_default_yesterday()
    {
        await using var world = await fixture.WorldAsync();
        Assert.Equal(3, (await world.StatsAsync("--from", "2026-02-27", "--to", "2026-03-01")).Done().Counter("days_written"));
        Assert.Equal(["2026-02-27", "2026-02-28", "2026-03-01"], await world.DatesAsync());
        Assert.Equal(2, (await world.StatsAsync("--from", "2026-11-18")).Done().Counter("days_written"));
        Assert.Equal(1, (await world.StatsAsync("--from", "2026-01-01", "--to", "2026-01-01")).Done().Counter("days_written"));
        Assert.Equal(4, (await world.StatsAsync("--from", "2025-01-01", "--to", "2025-02-01", "--limit", "4")).Done().Counter("days_written"));
        var shards = await Task.WhenAll(Enumerable.Range(0, 2).Select(i => world.StatsAsync("--from", "2024-01-01", "--to", "2024-01-09", "--shard", $"{i}/2")));
        Assert.Equal(9, shards.Sum(r => r.Done().Counter("days_written")));
    }

    [Theory]
    [InlineData("2026-11-20 is not over; the last complete day is 2026-11-19", "--date", "2026-11-20")]
    [InlineData("2026-11-21 is not over; the last complete day is 2026-11-19", "--date", "2026-11-21")]
    [InlineData("2026-11-20 is not over; the last complete day is 2026-11-19", "--from", "2026-11-01", "--to", "2026-11-20")]
    [InlineData("2026-11-20 is not over; the last complete day is 2026-11-19", "--from", "2026-11-20")]
    [InlineData("--from 2026-11-19 is after --to 2026-11-18", "--from", "2026-11-19", "--to", "2026-11-18")]
    [InlineData("--from and --to span more than 3660 days; go in parts", "--from", "2000-01-01")]
    [InlineData("--to needs --from", "--to", "2026-11-18")]
    [InlineData("--date is one day, --from and --to are a range; give one of the two", "--date", "2026-11-18", "--from", "2026-11-18")]
    [InlineData("--date is one day, --from and --to are a range; give one of the two", "--date", "2026-11-18", "--to", "2026-11-18")]
    [InlineData("--date must be a day such as 2026-11-20, not '2026-02-30'", "--date", "2026-02-30")]
    [InlineData("--date must be a day such as 2026-11-20, not 'yesterday'", "--date", "yesterday")]
    [InlineData("--min-visits must be a whole number, 0 or more, not '-1'", "--min-visits", "-1")]
    [InlineData("--only has no meaning here: days have no ids; give --date", "--only", "1")]
    public async Task A_bad_option_is_one_sentence(string sentence, params string[] args)
    {
        await using var world = await fixture.WorldAsync();
        Assert.Equal(sentence, await Runs.Mistake.InBothFormsAsync("daily-stats", world.Environment, ["--as-of", AsOf(AtOne), .. args]));
        Assert.Empty(await world.DatesAsync());
    }

    [Fact]
    public async Task A_dry_run_shows_what_the_run_then_writes()
    {
        await using var world = await fixture.WorldAsync();
        await SeedAsync(world);
        await world.ExecuteAsync("DELETE FROM payment_refunds WHERE amount_minor = 300; DELETE FROM payments WHERE succeeded_at < '2026-11-01'; DELETE FROM memberships WHERE created_at < '2026-11-01'");
        // So much a day that yesterday stands out.
        for (var ago = 1; ago <= 40; ago++)
        {
            await world.VisitsAsync(Yesterday.AddDays(-ago), 50);
        }

        var before = await world.StateAsync();
        var dry = (await world.StatsAsync("--dry-run")).Done();
        Assert.Equal(before, await world.StateAsync());
        Assert.Empty(await world.DatesAsync());
        var real = (await world.StatsAsync("--items")).Done();

        Assert.Equal(dry.Json.GetProperty("counters").GetRawText(), real.Json.GetProperty("counters").GetRawText());
        Assert.Equal(dry.Json.GetProperty("items").GetRawText(), real.Json.GetProperty("items").GetRawText());
        Assert.Equal((41, 3), (real.Counter("days_written"), real.Counter("anomalies")));
        var item = real.Json.GetProperty("items").EnumerateArray().Single(i => i.GetProperty("id").GetString() == "2026-11-19" && i.TryGetProperty("data", out _));
        Assert.Equal(4, item.GetProperty("data").GetProperty("total_visits").GetInt32());
    }

    [Fact]
    public async Task Two_runs_at_once_leave_what_one_leaves()
    {
        await using var world = await fixture.WorldAsync();
        await SeedAsync(world);
        // Leases of their own.
        var runs = await Task.WhenAll(world.StatsAsync(), world.StatsAsync("--shard", "0/2"), world.StatsAsync("--shard", "1/2"));
        Assert.All(runs, r => r.Done());
        var rows = await RowsAsync(world);
        Assert.Equal(0, (await world.StatsAsync()).Done().Counter("days_written"));
        Assert.Equal(rows, await RowsAsync(world));
    }

    [Fact]
    public async Task No_large_table_is_read_from_end_to_end()
    {
        await using var world = await fixture.FreshWorldAsync();
        await world.PeopleAsync(5000);
        await world.ExecuteAsync(
            """
            INSERT INTO payments (user_id, amount_minor, status, succeeded_at, created_at)
            SELECT 1, 100, 'succeeded', at, at FROM generate_series(1, 40000) AS n, LATERAL (SELECT timestamptz '2026-11-19T20:00:00Z' - n * interval '3 minutes' AS at) AS t;
            INSERT INTO payment_refunds (payment_id, amount_minor, refunded_at) SELECT id, 1, succeeded_at FROM payments WHERE id % 50 = 0;
            INSERT INTO attendances (user_id, attended_on) SELECT 1, date '2026-11-19' - n / 100 FROM generate_series(1, 20000) AS n;
            INSERT INTO audit_logs (action, created_at) SELECT 'x', timestamptz '2026-11-19T20:00:00Z' - n * interval '3 minutes' FROM generate_series(1, 40000) AS n;
            INSERT INTO memberships (user_id, type, start_date, end_date, created_at)
            SELECT 1 + n % 5000, 'basic', date '1900-01-01' + n, date '1900-01-01' + n, timestamptz '2026-11-19T20:00:00Z' - n * interval '10 minutes' FROM generate_series(1, 20000) AS n;
            """);
        await world.ExecuteAsync("ANALYZE;");
        const string Scans = "SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_user_tables WHERE relname IN ('payments', 'payment_refunds', 'attendances', 'audit_logs', 'memberships')";
        await world.ExecuteAsync("SELECT pg_stat_force_next_flush()");
        var before = await world.ScalarAsync<string>(Scans);

        Assert.Equal(200, (await world.StatsAsync("--limit", "200")).Done().Counter("days_written"));

        Assert.Equal(before, await world.ScalarAsync<string>(Scans));
    }
}
