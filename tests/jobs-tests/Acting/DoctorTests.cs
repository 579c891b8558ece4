using System.Globalization;
using Jobs.Testing;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Jobs.Tests.Terminals;
using Xunit;

namespace Jobs.Tests.Acting;

/// <summary>Each check finds the fault it is for, and is silent where there is none.</summary>
public sealed class DoctorTests(PostgresFixture fixture)
{
    private static readonly string[] OfData =
        ["leases", "runs", "pauses", "open matters", "stock", "receipts", "bookings", "subscriptions", "memberships", "payments in flight", "terminal queue"];

    [Fact]
    public async Task Where_everything_is_as_it_should_be_nothing_is_said()
    {
        await using var scene = await CounterScene.OpenAsync(fixture, "SOLO-1");
        var world = scene.World;
        await using var server = SmtpServer.Start();
        var folder = Directory.CreateTempSubdirectory("metrics");
        world.Environment["SMTP_URL"] = $"smtp://127.0.0.1:{server.Port}?timeout=10s";
        world.Environment["MAIL_FROM"] = "Club <office@example.test>";
        world.Environment["METRICS_TEXTFILE_DIR"] = folder.FullName;
        world.Environment["BACKUP_URL"] = "file:///var/backups";
        // Something of every kind that is right.
        await world.DueAsync("eve", endedAt: DateTime.UtcNow.AddHours(-1));
        (await world.RunAsync("autopayment")).Done();
        await world.OrderAsync(2);
        Assert.Equal(0, (await world.RunAsync("record-payment", "--user", "2", "--recorded-by", "1", "--reference", "r", "--amount", "1.00", "--currency", "eur", "--method", "cash", "--purpose", "membership", "--membership-type", "basic")).ExitCode);
        await scene.QueueAsync("ben");
        var before = await world.StateAsync();
        var files = Directory.GetFiles(folder.FullName);

        var checks = await world.DoctorAsync();

        Assert.Equal(before, await world.StateAsync());
        Assert.All(checks, check => Assert.True(checks.Health(check.Key) != "skipped" && checks.IsQuiet(check.Key), $"{check.Value}"));
        Assert.Equal(
            ["database", "environment", "renewal policy", "staff", "mail", "metrics folder", "clock", "tls", "role", "time-outs", "pooler", "migrations", "time zone", "stripe", "mail server", "sumup", "pg_dump", .. OfData],
            checks.Keys);
        Assert.Empty(server.Mails);
        Assert.Contains("numbered without a gap: 2026 1 to 2", checks.Says("receipts"), StringComparison.Ordinal);
        Assert.Equal(files, Directory.GetFiles(folder.FullName));
        using var text = world.Start("jobctl", "doctor", "--offline");
        var told = await text.EndAsync();
        Assert.Equal(0, told.ExitCode);
        Assert.Contains("ok      pooler: none in between\n", told.Stdout, StringComparison.Ordinal);
        Assert.Contains("-       providers: not asked: --offline\n", told.Stdout, StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("stock", "wrong", "bike 7 instead of 0", "INSERT INTO products (sku, stock_on_hand, stock_reserved) VALUES ('bike', 9, 7)")]
    [InlineData("receipts", "wrong", "missing 2", """
        INSERT INTO payments (user_id, amount_minor, status, succeeded_at) SELECT 1, 1000, 'succeeded', now() FROM generate_series(1, 2);
        INSERT INTO receipts (number, payment_id, amount_minor, currency) VALUES ('2026-000001', 1, 1000, 'eur'), ('2026-000003', 2, 1000, 'eur');
        INSERT INTO receipt_counters (series, year, last_number) VALUES ('R', 2026, 3)
        """)]
    [InlineData("receipts", "wrong", "2026: 0 receipts up to number 1, missing 1", "INSERT INTO receipt_counters (series, year, last_number) VALUES ('R', 2026, 1)")]
    [InlineData("bookings", "wrong", "receipt (payment 1)", "INSERT INTO payments (user_id, amount_minor, status) VALUES (1, 1000, 'succeeded')")]
    [InlineData("bookings", "wrong", "paid order (payment 1)", """
        INSERT INTO orders (user_id, status, total_minor) VALUES (1, 'expired', 1000);
        INSERT INTO payments (user_id, order_id, purpose, amount_minor, status, succeeded_at) VALUES (1, 1, 'order', 1000, 'succeeded', now());
        INSERT INTO receipts (number, payment_id, amount_minor, currency) VALUES ('2026-000001', 1, 1000, 'eur'); INSERT INTO receipt_counters VALUES ('R', 2026, 1)
        """)]
    [InlineData("bookings", "wrong", "subscription (payment 1)", """
        INSERT INTO payments (user_id, purpose, amount_minor, status, succeeded_at) VALUES (1, 'subscription', 1000, 'succeeded', now());
        INSERT INTO receipts (number, payment_id, amount_minor, currency) VALUES ('2026-000001', 1, 1000, 'eur'); INSERT INTO receipt_counters VALUES ('R', 2026, 1)
        """)]
    [InlineData("bookings", "wrong", "period (payment 1)", """
        INSERT INTO subscriptions (user_id, plan_id, status, ended_at) VALUES (1, 1, 'active', '2026-11-20T05:00:00Z');
        INSERT INTO payments (user_id, subscription_id, purpose, period_start, amount_minor, status, succeeded_at) VALUES (1, 1, 'subscription', '2026-11-21', 1000, 'succeeded', now());
        INSERT INTO receipts (number, payment_id, amount_minor, currency) VALUES ('2026-000001', 1, 1000, 'eur'); INSERT INTO receipt_counters VALUES ('R', 2026, 1)
        """)]
    [InlineData("bookings", "wrong", "membership (payment 1)", """
        INSERT INTO payments (user_id, purpose, membership_type, amount_minor, status, succeeded_at) VALUES (1, 'membership', 'basic', 100, 'succeeded', now());
        INSERT INTO receipts (number, payment_id, amount_minor, currency) VALUES ('2026-000001', 1, 100, 'eur'); INSERT INTO receipt_counters VALUES ('R', 2026, 1)
        """)]
    [InlineData("subscriptions", "wrong", "user 1 (1 and 2)", "INSERT INTO subscriptions (user_id, plan_id, status, ended_at) SELECT 1, 1, 'active', now() + interval '3 days' FROM generate_series(1, 2)")]
    [InlineData("memberships", "wrong", "user 1 (1 and 2)", """
        ALTER TABLE memberships DROP CONSTRAINT memberships_basic_no_overlap;
        INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (1, 'basic', '2026-01-01', '2026-12-31'), (1, 'basic', '2026-12-31', '2027-12-30')
        """)]
    [InlineData("payments in flight", "warning", "1 charges of ours", "INSERT INTO payments (user_id, amount_minor, status, provider_request, sent_at, created_at) VALUES (1, 1000, 'pending', 'amount=1000', now() - interval '26 hours', now() - interval '26 hours')")]
    [InlineData("payments in flight", "warning", "1 payments after 8 days", "INSERT INTO payments (user_id, amount_minor, status, created_at) VALUES (1, 1000, 'requires_action', now() - interval '9 days')")]
    [InlineData("terminal queue", "warning", "payment 1 waiting, canceled", "INSERT INTO payments (user_id, amount_minor, status, method) VALUES (1, 1000, 'canceled', 'card_terminal'); INSERT INTO payment_queue (payment_id) VALUES (1)")]
    [InlineData("leases", "warning", "autopayment", "INSERT INTO leases (name, holder, expires_at) VALUES ('autopayment', 'somebody', now() - interval '11 minutes')")]
    [InlineData("runs", "warning", "autopayment since", "INSERT INTO job_runs (id, job, started_at) VALUES (gen_random_uuid(), 'autopayment', now() - interval '5 minutes')")]
    [InlineData("runs", "warning", "record-payment since", "INSERT INTO job_runs (id, job, started_at) VALUES (gen_random_uuid(), 'record-payment', now() - interval '25 hours')")]
    [InlineData("pauses", "warning", "cleanup: spring", "INSERT INTO job_pauses (job, reason) VALUES ('cleanup', 'spring')")]
    [InlineData("open matters", "warning", "1 mails failed or unknown", "INSERT INTO notifications (kind, status) VALUES ('receipt', 'unknown')")]
    [InlineData("open matters", "warning", "1 parked items", "INSERT INTO job_item_failures (job, item, parked_at) VALUES ('autopayment', '7', now())")]
    [InlineData("open matters", "warning", "1 unmatched payments", "INSERT INTO unmatched_payments (reason) VALUES ('user_unknown')")]
    [InlineData("open matters", "warning", "1 orders to be refunded", "INSERT INTO orders (user_id, status, total_minor) VALUES (1, 'refund_due', 1)")]
    [InlineData("migrations", "wrong", "edited after it was applied: 0002_orders_and_stock.sql", "UPDATE schemaversions_checksums SET sha256 = 'x' WHERE scriptname LIKE '0002%'")]
    [InlineData("migrations", "wrong", "not applied: 0014_settled_by_hand.sql", "DELETE FROM schemaversions WHERE scriptname LIKE '0014%'")]
    [InlineData("migrations", "warning", "not known to this version: 9999_later.sql", "INSERT INTO schemaversions (scriptname, applied) VALUES ('9999_later.sql', now())")]
    [InlineData("role", "wrong", "may not read and write orders", "REVOKE UPDATE, DELETE ON orders FROM jobs")]
    public async Task A_fault_is_found_and_nothing_else_is_blamed(string check, string health, string says, string fault)
    {
        await using var world = await fixture.WorldAsync();
        await world.UserAsync("ada");
        await world.PlanAsync();
        await world.ExecuteAsync(fault);

        var checks = await world.DoctorAsync("--offline");

        Assert.Equal(health, checks.Health(check));
        Assert.Contains(says, checks.Says(check), StringComparison.Ordinal);
        Assert.NotNull(checks[check].GetProperty("do").GetString());
        Assert.All(checks.Keys.Where(name => name != check), name => Assert.True(checks.IsQuiet(name), $"{checks[name]}"));
    }

    [Fact]
    public async Task What_is_near_a_fault_is_none()
    {
        await using var world = await fixture.WorldAsync();
        await world.UserAsync("ada");
        await world.PlanAsync();
        await world.PlanAsync("yearly");
        await world.ExecuteAsync(
            """
            INSERT INTO subscriptions (user_id, plan_id, status, ended_at) VALUES
                (1, 1, 'active', now() + interval '3 days'), (1, 2, 'active', now() + interval '3 days'), (1, 1, 'past_due', now() - interval '1 day'), (1, 1, 'canceled', now() + interval '3 days');
            INSERT INTO payments (user_id, amount_minor, status, provider_request, sent_at, created_at) VALUES
                (1, 1000, 'pending', 'amount=1000', now() - interval '24 hours', now() - interval '24 hours'), (1, 1000, 'pending', NULL, NULL, now() - interval '7 days'),
                (1, 1000, 'failed', NULL, NULL, now() - interval '9 days');
            INSERT INTO leases (name, holder, expires_at) VALUES ('autopayment', 'somebody 1 2 0193f4d0a1b27c3d8e4f5a6b7c8d9e0f', now() + interval '20 seconds'), ('cleanup', 'somebody', now() - interval '1 minute');
            INSERT INTO job_runs (id, job, started_at) VALUES
                ('0193f4d0-a1b2-7c3d-8e4f-5a6b7c8d9e0f', 'autopayment', now() - interval '3 hours'), (gen_random_uuid(), 'record-payment', now() - interval '1 hour'), (gen_random_uuid(), 'cleanup', now());
            INSERT INTO memberships (user_id, type, start_date, end_date, canceled_at) VALUES
                (1, 'basic', '2026-01-01', '2026-12-31', NULL), (1, 'basic', '2026-01-01', '2026-12-31', now()), (1, 'basic', '2027-01-01', '2027-12-31', NULL), (1, 'circus', '2026-01-01', '2026-12-31', NULL);
            INSERT INTO notifications (kind, status, resolved_at) VALUES ('receipt', 'failed', now());
            INSERT INTO job_item_failures (job, item, parked_at, dropped_at) VALUES ('autopayment', '7', now(), now()), ('autopayment', '8', NULL, NULL);
            INSERT INTO job_pauses (job, until) VALUES ('cleanup', now() - interval '1 minute')
            """);
        var checks = await world.DoctorAsync("--offline");
        Assert.All(OfData, name => Assert.True(checks.Health(name) == "ok", $"{checks[name]}"));
    }

    [Fact]
    public async Task With_fix_what_is_safe_is_repaired_once_and_the_rest_is_left_to_people()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        var plan = await world.PlanAsync();
        await world.IntentAsync("pi_1", metadata: new { user_id = BillingScene.Text(user), plan = "monthly" });
        var (order, product) = await world.OrderAsync(user);
        await world.ExecuteAsync(
            """
            UPDATE products SET stock_reserved = 40;
            INSERT INTO leases (name, holder, expires_at) VALUES ('cleanup', 'somebody', now() - interval '1 hour');
            INSERT INTO job_runs (id, job, started_at) VALUES (gen_random_uuid(), 'cleanup', now() - interval '1 hour');
            INSERT INTO payments (user_id, plan_id, purpose, amount_minor, status, provider, provider_payment_id) VALUES (@user, @plan, 'subscription', 1000, 'succeeded', 'stripe', 'pi_1');
            INSERT INTO payments (user_id, amount_minor, status, method, provider) VALUES (@user, 1000, 'canceled', 'card_terminal', 'sumup');
            INSERT INTO payment_queue (payment_id) VALUES (2);
            """,
            new { user, plan });
        var before = await world.StateAsync();

        var dry = await world.DoctorAsync("--fix", "--dry-run");
        Assert.Equal(before, await world.StateAsync());
        Assert.Equal("wrong", dry.Health("bookings"));
        var fixing = await Task.WhenAll(world.DoctorAsync("--fix"), world.DoctorAsync("--fix"));
        var after = await world.StateAsync();
        var again = await world.DoctorAsync("--fix");

        string[] repaired = ["leases", "runs", "stock", "bookings", "terminal queue"];
        Assert.All(repaired, check => Assert.Contains(fixing, checks => checks.Health(check) == "fixed"));
        Assert.All(repaired, check => Assert.Equal("ok", again.Health(check)));
        Assert.Equal(after, await world.StateAsync());
        Assert.Equal((5L, 2L), await world.StockAsync(product));
        Assert.Equal("pending_payment", await world.StatusAsync("orders", order));
        Assert.Equal(("active", "succeeded"), (await world.StatusAsync("subscriptions", 1), await world.StatusAsync("payments", 1)));
        Assert.Equal(1, await world.ScalarAsync<long>("SELECT count(*) FROM receipts"));
        Assert.Equal(
            ["job_run.closed job_run", "lease.released lease", "payment.succeeded payment 1", string.Create(CultureInfo.InvariantCulture, $"product.recounted product {product}"), "subscription.created subscription 1"],
            (await world.DeedsAsync()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_success_that_fits_nothing_is_parked_by_fix_and_one_of_cash_is_left()
    {
        await using var world = await fixture.WorldAsync();
        var user = await world.UserAsync("ada");
        await world.IntentAsync("pi_1", amount: 999, metadata: new { payment_id = "1" });
        await world.ExecuteAsync(
            """
            INSERT INTO payments (user_id, amount_minor, status, provider, provider_payment_id) VALUES (@user, 1000, 'succeeded', 'stripe', 'pi_1');
            INSERT INTO payments (user_id, amount_minor, status, method) VALUES (@user, 1000, 'succeeded', 'cash');
            """,
            new { user });
        var checks = await world.DoctorAsync("--fix");
        Assert.Equal("wrong", checks.Health("bookings"));
        Assert.Contains("payment 1 had no receipt: parked", checks.Says("bookings"), StringComparison.Ordinal);
        Assert.Contains("receipt (payment 2)", checks.Says("bookings"), StringComparison.Ordinal);
        Assert.Equal("amount_mismatch", await world.UnmatchedReasonAsync("pi_1"));
        Assert.Equal(("failed", "succeeded"), (await world.StatusAsync("payments", 1), await world.StatusAsync("payments", 2)));
    }

    [Theory]
    [InlineData("stripe", "cannot be reached", "STRIPE_API_BASE", "http://127.0.0.1:1")]
    [InlineData("stripe", "is a live key but APP_ENV is not production", "STRIPE_SECRET_KEY", "sk_live_fake")]
    [InlineData("stripe", "does not look like a secret key", "STRIPE_SECRET_KEY", "pk_test_fake")]
    [InlineData("mail server", "127.0.0.1:1 cannot be used", "SMTP_URL", "smtp://127.0.0.1:1")]
    [InlineData("sumup", "SUMUP_MERCHANT_CODE is not set", "SUMUP_API_KEY", "sup_sk_x")]
    [InlineData("renewal policy", "it would never happen", "RENEWAL_RETRY_DAYS", "1,9")]
    [InlineData("metrics folder", "which cannot be written to", "METRICS_TEXTFILE_DIR", "/proc/nowhere")]
    [InlineData("mail", "MAIL_PICKUP_DIR names '/nowhere', which is no folder", "MAIL_PICKUP_DIR", "/nowhere")]
    [InlineData("time zone", "must be an IANA time zone", "JOBS_TIME_ZONE", "Europe/Atlantis")]
    public async Task A_wrong_setting_is_found(string check, string says, string variable, string value)
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["MAIL_FROM"] = "office@example.test";
        world.Environment[variable] = value;
        var checks = await world.DoctorAsync();
        Assert.Equal("wrong", checks.Health(check));
        Assert.Contains(says, checks.Says(check), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_Stripe_does_not_know_and_one_of_SumUp_s_is_found()
    {
        await using var scene = await CounterScene.OpenAsync(fixture);
        // The fake knows no restricted keys.
        scene.World.Environment["STRIPE_SECRET_KEY"] = "rk_test_rolled";
        scene.World.Environment["SUMUP_API_KEY"] = "sup_sk_wrong";
        var checks = await scene.World.DoctorAsync();
        Assert.Equal(("wrong", "wrong"), (checks.Health("stripe"), checks.Health("sumup")));
        Assert.Contains("it does not know the key", checks.Says("stripe"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_that_is_not_paired_any_more_is_named()
    {
        await using var scene = await CounterScene.OpenAsync(fixture);
        await scene.World.ExecuteAsync("INSERT INTO payment_terminals (name, provider_reader_id) VALUES ('old', 'rdr_gone')");
        var checks = await scene.World.DoctorAsync();
        Assert.Equal("warning", checks.Health("sumup"));
        Assert.Contains("rdr_gone", checks.Says("sumup"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_cannot_be_reached_or_is_empty_is_one_finding_and_the_rest_is_still_looked_at()
    {
        await using var world = await fixture.WorldAsync();
        var url = world.Environment["DATABASE_URL"];
        world.Environment["DATABASE_URL"] = "postgresql://u:secret-word@127.0.0.1:1/none";
        var unreached = await world.DoctorAsync();
        Assert.Equal(("wrong", "ok"), (unreached.Health("database"), unreached.Health("stripe")));
        Assert.DoesNotContain("secret-word", unreached.Says("database"), StringComparison.Ordinal);
        Assert.DoesNotContain("stock", unreached.Keys);

        var empty = await world.Server.CreateDatabaseAsync();
        world.Environment["DATABASE_URL"] = url!.Replace(world.Database, empty, StringComparison.Ordinal);
        var found = await world.DoctorAsync();
        Assert.Equal(("wrong", "none was applied here"), (found.Health("migrations"), found.Says("migrations")));
        await world.Server.DropDatabaseAsync(empty);
    }

    [Fact]
    public async Task The_owner_of_the_schema_is_warned_of_and_a_standby_is_wrong()
    {
        await using var world = await fixture.WorldAsync();
        world.Environment["DATABASE_URL"] = world.Server.UrlFor(world.Database);
        Assert.Equal("warning", (await world.DoctorAsync("--offline")).Health("role"));
        await world.ExecuteAsync($"ALTER DATABASE \"{world.Database}\" SET default_transaction_read_only = on");
        var standby = await world.DoctorAsync("--offline");
        Assert.Equal("wrong", standby.Health("database"));
        Assert.Contains("read-only", standby.Says("database"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whether_anybody_verifies_the_server_s_certificate_is_told()
    {
        await using var server = await ThrowawayPostgres.StartAsync(new ThrowawayOptions { Tls = true, OwnServer = true });
        Assert.SkipUnless(server.Supports(Capability.Tls), server.WhyNot(Capability.Tls) ?? "");
        await using var world = await fixture.WorldAsync();
        async Task<(string Health, string Says)> AskedAsync(string parameters)
        {
            world.Environment["DATABASE_URL"] = $"{server.AdminUrl}?{parameters}";
            var checks = await world.DoctorAsync("--offline");
            return (checks.Health("tls"), checks.Says("tls"));
        }

        Assert.Equal(("warning", "encrypted, but nobody verifies whose certificate it is (sslmode Require)"), await AskedAsync("sslmode=require"));
        Assert.Equal(
            ("ok", "encrypted, and the server's certificate is verified (sslmode VerifyFull)"),
            await AskedAsync($"sslmode=verify-full&sslrootcert={Uri.EscapeDataString(server.RootCertificatePath!)}"));
    }
}
