using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Npgsql;
using Xunit;
using static Jobs.Tests.Members.MemberScene;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Members;

/// <summary>The services as an application uses them: a data source, a call, a result or a reason.</summary>
public sealed class ServiceTests(PostgresFixture fixture)
{
    private static readonly BusinessZone Paris = new("Europe/Paris");

    [Fact]
    public async Task An_application_records_and_grants_with_a_data_source_alone()
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        var db = new Db(source);
        var payments = new PaymentService(db, Paris);
        var memberships = new MembershipService(db, Paris);

        var recorded = await payments.RecordAsync(Cash("membership", 100) with { MembershipType = "basic" }, At(Morning));
        var granted = await memberships.GrantAsync(Grant("circus", reduced: true), At(Morning));
        var repeated = await payments.RecordAsync(Cash("membership", 100) with { MembershipType = "basic" }, At(Morning.AddDays(3)));

        Assert.Equal(("2026-000001", Today, Today.AddYears(1).AddDays(-1), false), (recorded.ReceiptNumber, recorded.StartDate, recorded.EndDate, recorded.Repeated));
        Assert.Equal((2L, Today, false), (granted.MembershipId, granted.StartDate, granted.Repeated));
        Assert.Equal((recorded.PaymentId, recorded.MembershipId, recorded.EndDate, true), (repeated.PaymentId, repeated.MembershipId, repeated.EndDate, repeated.Repeated));
        Assert.Equal(3, await world.ScalarAsync<long>("SELECT count(*) FROM audit_logs WHERE actor = 'a shop' AND run_id IS NULL"));
        Assert.Equal(Morning, (DateTime)(await world.OneAsync("SELECT issued_at FROM receipts")).issued_at);
    }

    [Fact]
    public async Task A_refusal_has_a_reason_for_programs_and_a_sentence_for_people()
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        var payments = new PaymentService(new Db(source), Paris);
        var before = await world.StateAsync();

        Assert.Equal(ParkingReason.MembershipRefused, await ReasonAsync(Cash("membership", 900) with { MembershipType = "circus" }));
        Assert.Equal(ParkingReason.AmountMismatch, await ReasonAsync(Cash("membership", 99) with { MembershipType = "basic" }));
        Assert.Equal(ParkingReason.OrderUnknown, await ReasonAsync(Cash("order", 100) with { OrderId = 5 }));
        Assert.Equal(ParkingReason.PlanUnknown, await ReasonAsync(Cash("subscription", 100) with { Plan = "x" }));
        Assert.Equal(ParkingReason.UserUnknown, await ReasonAsync(Cash("other", 100) with { UserId = 99 }));
        Assert.Equal(RefusalReason.RecorderRefused, await ReasonAsync(Cash("other", 100) with { RecordedBy = Ada }));
        Assert.Equal(RefusalReason.Invalid, await ReasonAsync(Cash("other", 100) with { Method = "card_terminal" }));
        Assert.Equal(RefusalReason.Invalid, await ReasonAsync(Cash("other", 0)));
        Assert.Equal(RefusalReason.Invalid, await ReasonAsync(Cash("other", -1)));
        Assert.Equal(RefusalReason.Invalid, await ReasonAsync(Cash("other", 100) with { Currency = "EUR" }));
        Assert.Equal(RefusalReason.Invalid, await ReasonAsync(Cash("other", 100) with { Method = "card" }));
        Assert.Equal(RefusalReason.Invalid, await ReasonAsync(Cash("gift", 100)));
        Assert.Equal(RefusalReason.Invalid, await ReasonAsync(Cash("other", 100, new string('x', 201))));
        Assert.Equal(before, await world.StateAsync());

        async Task<string> ReasonAsync(ManualPayment payment)
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => payments.RecordAsync(payment, At(Morning)));
            Assert.IsType<OperatorException>(refused, exactMatch: false);
            return refused.Reason;
        }
    }

    // The last day still counts; the first on which it can be renewed is a month before it.
    [Theory]
    [InlineData("2026-11-20", null, "2026-11-20 2027-11-19")]
    [InlineData("2026-11-20", "2026-11-19", "2026-11-20 2027-11-19")]
    [InlineData("2026-11-20", "2026-11-20", "2026-11-21 2027-11-20")]
    [InlineData("2026-11-20", "2026-12-20", "2026-12-21 2027-12-20")]
    [InlineData("2026-11-20", "2026-12-21", null)]
    [InlineData("2027-02-28", "2027-03-31", "2027-04-01 2028-03-31")]
    [InlineData("2027-02-27", "2027-03-31", null)]
    [InlineData("2028-02-29", "2028-03-31", "2028-04-01 2029-03-31")]
    [InlineData("2028-02-29", null, "2028-02-29 2029-02-27")]
    [InlineData("2027-03-01", null, "2027-03-01 2028-02-29")]
    [InlineData("2027-02-28", null, "2027-02-28 2028-02-27")]
    public async Task A_membership_is_a_year_from_the_day_or_from_the_end_of_the_one_before(string today, string? heldUntil, string? term)
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        if (heldUntil is not null)
        {
            await world.HoldsAsync("basic", Day(heldUntil));
        }

        Assert.Equal(term ?? ParkingReason.Duplicate, await TermAsync(source, "basic", Day(today).ToDateTime(new TimeOnly(12, 0), DateTimeKind.Utc)));
    }

    // 23:00 UTC is midnight in Paris in winter, 22:00 in summer.
    [Theory]
    [InlineData("2026-11-20T22:59:59Z", "2026-11-20 2027-11-19")]
    [InlineData("2026-11-20T23:00:00Z", "2026-11-21 2027-11-20")]
    [InlineData("2026-07-20T21:59:59Z", "2026-07-20 2027-07-19")]
    [InlineData("2026-07-20T22:00:00Z", "2026-07-21 2027-07-20")]
    [InlineData("2026-12-31T23:00:00Z", "2027-01-01 2027-12-31")]
    public async Task The_day_is_that_of_the_business_zone(string now, string term)
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        Assert.Equal(term, await TermAsync(source, "basic", OptionValue.Instant(now)!.Value));
    }

    [Theory]
    [InlineData("2026-11-20", "2025-11-21", null, true)]
    [InlineData("2026-11-19", "2025-11-20", null, false)] // yesterday was the last day
    [InlineData("2027-11-20", "2026-11-21", null, false)] // from tomorrow on
    [InlineData("2027-11-19", "2026-11-20", null, true)] // from today on
    [InlineData("2027-05-01", "2026-05-02", "canceled_at = now()", false)]
    [InlineData("2027-05-01", "2026-05-02", "user_id = 1", false)]
    [InlineData("2027-05-01", "2026-05-02", "type = 'circus'", false)]
    public async Task Circus_needs_an_active_basic_membership(string end, string start, string? change, bool granted)
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        await world.HoldsAsync("basic", Day(end), Day(start));
        if (change is not null)
        {
            await world.ExecuteAsync("UPDATE memberships SET " + change);
        }

        var term = await TermAsync(source, "circus", Morning);
        Assert.Equal(granted ? "2026-11-20 2027-11-19" : change == "type = 'circus'" ? ParkingReason.Duplicate : ParkingReason.MembershipRefused, term);
    }

    [Fact]
    public async Task A_renewal_is_renewed_only_in_its_own_last_month()
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        await world.HoldsAsync("basic", Today);

        Assert.Equal("2026-11-21 2027-11-20", await TermAsync(source, "basic", Morning, "first"));
        Assert.Equal(ParkingReason.Duplicate, await TermAsync(source, "basic", Morning, "second"));
        Assert.Equal("2027-11-21 2028-11-20", await TermAsync(source, "basic", Utc(2027, 10, 20, 12), "third"));
    }

    [Fact]
    public async Task An_overlap_made_by_somebody_who_locks_nothing_is_refused_by_the_database()
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        await using var other = new NpgsqlConnection(world.Server.ConnectionFor(world.Database).ConnectionString + ";Pooling=false");
        await other.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = other.CreateCommand();
        command.CommandText = $"BEGIN; INSERT INTO memberships (user_id, type, start_date, end_date) VALUES ({Ada}, 'basic', '2026-11-01', '2027-10-31')";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var grant = TermAsync(source, "basic", Morning);
        await world.UntilBlockedAsync();
        command.CommandText = "COMMIT";
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        Assert.Equal(ParkingReason.Duplicate, await grant);
    }

    [Fact]
    public async Task One_reference_for_two_people_at_once_is_one_of_theirs()
    {
        await using var world = await fixture.DeskAsync();
        await using var source = world.Source();
        var payments = new PaymentService(new Db(source), Paris);

        var outcomes = await Task.WhenAll(new[] { Ada, Desk }.Select(async user =>
        {
            try
            {
                return (await payments.RecordAsync(Cash("other", 100) with { UserId = user }, At(Morning))).ReceiptNumber;
            }
            catch (RefusedException e)
            {
                return e.Reason;
            }
        }));

        Assert.Equal(["2026-000001", RefusalReason.ReferenceUsed], outcomes.Order(StringComparer.Ordinal));
        await Crash.Truth.CheckAsync(world);
    }

    [Fact]
    public async Task Whichever_answer_of_the_database_is_lost_it_is_recorded_once()
    {
        await using var world = await fixture.DeskAsync();
        Assert.SkipWhen(world.Server.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        await using var proxy = await PostgresProxy.StartAsync(world.Server.Host, world.Server.Port, countStartup: false);
        await using var source = world.Source(connection => new NpgsqlConnectionStringBuilder(connection) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString);
        var payments = new PaymentService(new Db(source), Paris);
        // The first call of all reads the types of the database as well.
        await payments.RecordAsync(Membership(0), At(Morning));
        proxy.Reset();
        source.Clear();
        await payments.RecordAsync(Membership(1), At(Morning.AddYears(1)));
        var trips = proxy.RoundTrips;
        Assert.InRange(trips, 5, 12);

        for (var n = 1; n <= trips; n++)
        {
            proxy.Reset();
            source.Clear();
            proxy.StopAt(n, Phase.After);
            var recording = payments.RecordAsync(Membership(n + 1), At(Morning.AddYears(n + 1)));
            await proxy.Reached;
            proxy.Reset();
            // The answer of the COMMIT alone hides that it went through.
            Assert.Equal(n == trips, (await recording).Repeated);
        }

        foreach (var table in new[] { "payments", "memberships", "receipts", "notifications" })
        {
            Assert.Equal(trips + 2, await world.ScalarAsync<int>($"SELECT count(*)::int FROM {table}"));
        }

        static ManualPayment Membership(int n) => Cash("membership", 100, Text(n)) with { MembershipType = "basic" };
    }

    private static async Task<string> TermAsync(NpgsqlDataSource source, string type, DateTime now, string reference = "desk 7")
    {
        try
        {
            var granted = await new MembershipService(new Db(source), Paris).GrantAsync(Grant(type, reference), At(now));
            return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{granted.StartDate:yyyy-MM-dd} {granted.EndDate:yyyy-MM-dd}");
        }
        catch (RefusedException e)
        {
            return e.Reason;
        }
    }
}
