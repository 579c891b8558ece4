using System.Globalization;
using Jobs.Testing.FakeSmtp;
using Jobs.Tests.Crash;
using Jobs.Tests.Orders;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;

namespace Jobs.Tests.Proof.Together;

/// <summary>
/// A world in which every job has work, and jobs that touch the same tables have it on the same rows. Its moments are of today: what
/// one job has just done at Stripe is what another finds there.
/// </summary>
/// <param name="jobs">Those that will run: an order that a killed run has begun to expire is there when one of them goes on with it.</param>
/// <param name="merchant">Has the card readers; null: nobody sends anything to one.</param>
/// <param name="mails">Takes the mails; null: nobody sends any.</param>
internal sealed class BusyDay(IReadOnlyList<string> jobs, SumUpMerchant? merchant, SmtpServer? mails)
{
    /// <summary>Of a period: so long that one which is paid today is not reminded of today as well, as the mail about the last one is counted.</summary>
    public const int Months = 3;

    private readonly DateTime _now = new(DateTime.UtcNow.Ticks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, DateTimeKind.Utc);
    private readonly List<string> _payable = [];
    private readonly List<string> _processing = [];
    private readonly List<string> _booked = [];
    private readonly Dictionary<string, long> _users = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _orders = new(StringComparer.Ordinal);
    private long _paidForNothing;
    private int _receipts;

    /// <summary>Of all runs: a little ahead, so that what happens at Stripe meanwhile lies before it.</summary>
    public string AsOf => Text(_now.AddMinutes(5));

    /// <summary>Between one hour and a day ago, and the same day everywhere: a period's start is a day.</summary>
    private DateTime Ended => _now.AddHours(-1) is var then && then.Hour >= 10 ? then.Date.AddHours(10) : then.Date.AddHours(-14);

    private DateTime Recently => _now.AddMinutes(-10);

    private DateTime LongAgo => _now.AddDays(-8);

    /// <summary>PaymentIntents that a customer can still pay on.</summary>
    public IReadOnlyList<string> Payable => _payable;

    /// <summary>PaymentIntents that the bank has not decided.</summary>
    public IReadOnlyList<string> Processing => _processing;

    /// <summary>PaymentIntents of payments that are on the books.</summary>
    public IReadOnlyList<string> Booked => _booked;

    public async Task SeedAsync(JobWorld world)
    {
        await world.Stripe.SeedAsync(new
        {
            prices = new[] { new { id = "price_1", product_data = new { name = "Club" }, unit_amount = 1000, currency = "eur", interval = "month", lookup_key = "monthly" } },
        });
        var plan = await world.PlanAsync(count: Months);
        _users["desk"] = await world.PersonAsync("desk", role: "staff");
        await DueAsync(world, plan);
        await LapsedAsync(world, plan);
        await AbandonedAsync(world, plan);
        await ByApplicationsAsync(world, plan);
        await OrdersAsync(world);
        await StripeBillingAsync(world, plan);
        await MembersAsync(world, plan);
        await CounterAsync(world);
        await LeftoversAsync(world);
    }

    /// <summary>In how many ways a job is started here.</summary>
    public static int Ways(string job) => job switch { "record-payment" => 9, "subscription-sync" => 2, _ => 1 };

    /// <summary>What a job is started with.</summary>
    public string[] Args(string job, int way) =>
    [
        "--as-of", AsOf, .. job switch
        {
            "autopayment" => ["--max-charges", "100"],
            "expire-subscriptions" or "cleanup" or "cleanup-logs" or "renewal-reminder" => ["--batch-size", "2"],
            "subscription-sync" when way == 1 => ["--since-cursor"],
            "record-payment" => ByHand(way),
            "grant-membership" =>
            [
                "--user", Text(_users["member"]), "--type", "circus", "--payment", Text(_paidForNothing), "--recorded-by", Text(_users["desk"]), "--reference", "grant 7",
            ],
            "fallback-mode" => ["--activate", "--reason", "no network", "--until", "2h", "--actor", "ada"],
            _ => Array.Empty<string>(),
        },
    ];

    public Dictionary<string, string?> Environment(JobWorld world)
    {
        var environment = world.EnvironmentWith(
            ("MAIL_FROM", "Club <office@example.test>"), ("JOBS_TERMINAL_POLL_EVERY", "100ms"), ("JOBS_TERMINAL_NOT_PAID_AFTER", "1s"));
        if (mails is not null)
            environment["SMTP_URL"] = $"smtp://127.0.0.1:{mails.Port}?timeout=10s";
        merchant?.OpenTo(environment);
        return environment;
    }

    private string[] ByHand(int way)
    {
        string[] cash = ["--method", "cash"];
        string[] card = ["--method", "card_terminal"];
        string[] subscription = ["--amount", "10.00", "--purpose", "subscription", "--plan", "monthly"];
        string[] membership = ["--amount", "9.00", "--purpose", "membership", "--membership-type", "circus"];
        var (user, wish) = way switch
        {
            0 => ("cashorder", [.. cash, .. OrderOf("cashorder")]),
            1 => ("basket", [.. cash, .. OrderOf("basket")]),
            2 => ("cardorder", [.. cash, .. OrderOf("cardorder")]),
            3 => ("cashorder", [.. card, .. OrderOf("cashorder")]),
            4 => ("duedesk", [.. cash, .. subscription]),
            5 => ("lapseddesk", [.. cash, .. subscription]),
            6 => ("link", [.. cash, .. subscription]),
            7 => ("member", [.. cash, .. membership]),
            _ => ("member", (string[])[.. card, .. membership]),
        };
        return ["--user", Text(_users[user]), "--recorded-by", Text(_users["desk"]), "--reference", $"desk {way}", "--currency", "eur", .. wish];
    }

    private string[] OrderOf(string name) => ["--amount", "10.00", "--purpose", "order", "--order", Text(_orders[name])];

    private async Task DueAsync(JobWorld world, long plan)
    {
        foreach (var (name, behaviour) in new[]
        {
            ("due", "success"), ("duedesk", "success"), ("poor", "insufficient_funds"), ("stolen", "lost_card"), ("strong", "authentication_required"),
        })
        {
            await SubscriptionAsync(world, plan, name, Ended, behaviour: behaviour);
        }

        // A run of autopayment was killed: three answers never came, one of them had not been asked for.
        foreach (var (name, behaviour) in new[] { ("lost", "success"), ("lostpoor", "insufficient_funds"), ("unsent", "success") })
            await UnansweredAsync(world, await SubscriptionAsync(world, plan, name, Ended, behaviour: behaviour), send: name != "unsent");
        // Declined yesterday; one of them can still be paid by the mailed link, the other was.
        foreach (var (name, status) in new[] { ("link", "requires_payment_method"), ("linkpaid", "succeeded") })
        {
            var yesterday = Ended.AddDays(-1);
            await AttemptAsync(world, await SubscriptionAsync(world, plan, name, yesterday, "past_due"), name, "failed", status, yesterday, "insufficient_funds");
        }

        foreach (var (name, status) in new[] { ("bank", "processing"), ("slowbank", "processing"), ("challenge", "requires_action") })
            await AttemptAsync(world, await SubscriptionAsync(world, plan, name, Ended), name, "pending", status, Recently);
    }

    /// <summary>Past the grace: they expire unless their money comes.</summary>
    private async Task LapsedAsync(JobWorld world, long plan)
    {
        var past = Ended.AddDays(-5);
        foreach (var name in new[] { "lapsed", "lapseddesk" })
        {
            var subscription = await SubscriptionAsync(world, plan, name, past, "past_due");
            await world.ExecuteAsync("UPDATE subscriptions SET auto_renew = false WHERE id = @Id", new { subscription.Id });
        }

        await UnansweredAsync(world, await SubscriptionAsync(world, plan, "lapsedlost", past, "past_due"), send: true);
        await AttemptAsync(world, await SubscriptionAsync(world, plan, "lapsedbank", past, "past_due"), "lapsedbank", "pending", "processing", Recently);
        foreach (var (name, status) in new[] { ("lapsedlink", "requires_payment_method"), ("lapsedpaid", "succeeded") })
            await AttemptAsync(world, await SubscriptionAsync(world, plan, name, past, "past_due"), name, "failed", status, past, "insufficient_funds");
    }

    /// <summary>Payments older than 7 days that nobody heard of again.</summary>
    private async Task AbandonedAsync(JobWorld world, long plan)
    {
        foreach (var (name, status) in new[]
        {
            ("oldopen", "requires_payment_method"), ("oldpaid", "succeeded"), ("oldbank", "processing"), ("oldcanceled", "canceled"), ("oldnone", null),
        })
        {
            var subscription = await SubscriptionAsync(world, plan, name, _now.AddDays(1));
            var payment = await world.PaymentAsync(subscription.User, subscription.Id, "pending", LongAgo, status is null ? null : $"pi_{name}");
            if (status is not null)
                await IntentAsync(world, name, name, status, LongAgo, new { payment_id = $"{payment}", subscription_id = $"{subscription.Id}", purpose = "subscription" });
        }
    }

    private async Task ByApplicationsAsync(JobWorld world, long plan)
    {
        // Charged, and the application died before it wrote anything; the same, with a row that never learned its PaymentIntent.
        var user = await UserAsync(world, "app");
        await IntentAsync(world, "app", "app", "succeeded", Recently, new { user_id = $"{user}", purpose = "subscription", plan = "monthly" });
        var subscription = await SubscriptionAsync(world, plan, "appfound", _now.AddHours(2));
        var payment = await world.PaymentAsync(subscription.User, subscription.Id, "pending", Recently.AddMinutes(-1));
        await IntentAsync(world, "appfound", "appfound", "succeeded", Recently, new { payment_id = $"{payment}", subscription_id = $"{subscription.Id}", purpose = "subscription" });
        await world.Stripe.SeedAsync(new
        {
            payment_intents = new[] { new { id = "pi_stray", amount = 700, currency = "eur", status = "succeeded", created = Text(Recently), succeeded_at = Text(Recently) } },
        });
    }

    private async Task OrdersAsync(JobWorld world)
    {
        var overdue = _now.AddHours(-2);
        await OrderAsync(world, "two", overdue);
        await OrderIntentAsync(world, "two", "two_open", "requires_payment_method");
        await OrderIntentAsync(world, "two", "two_paid", "succeeded");
        await OrderAsync(world, "basket", overdue);
        await OrderIntentAsync(world, "basket", "basket", "requires_payment_method");
        await OrderAsync(world, "page", overdue);
        await OrderIntentAsync(world, "page", "page", "requires_payment_method");
        await world.Stripe.SeedAsync(new { checkout_sessions = new[] { new { id = "cs_1", payment_intent = "pi_page", status = "open", customer = "cus_page" } } });
        await OrderAsync(world, "half", overdue, jobs.Contains("expire-stale-orders") ? "expiring" : "pending_payment");
        await OrderIntentAsync(world, "half", "half", "processing");
        await OrderAsync(world, "cashorder", overdue);
        await OrderAsync(world, "twice", overdue);
        await OrderIntentAsync(world, "twice", "twice_1", "succeeded");
        await OrderIntentAsync(world, "twice", "twice_2", "succeeded");
        await OrderAsync(world, "oldcart", overdue);
        await OrderIntentAsync(world, "oldcart", "oldcart", "requires_payment_method", LongAgo);
        await OrderAsync(world, "gonecart", overdue, "canceled");
        await OrderIntentAsync(world, "gonecart", "gonecart", "requires_payment_method", LongAgo);
        await OrderAsync(world, "intime", _now.AddHours(2));
        await OrderIntentAsync(world, "intime", "intime", "requires_payment_method", LongAgo);
        await OrderAsync(world, "cardorder", overdue);
    }

    private async Task<long> OrderAsync(JobWorld world, string name, DateTime expiresAt, string status = "pending_payment")
    {
        var (order, _) = await world.OrderAsync(await UserAsync(world, name), status);
        await world.ExecuteAsync("UPDATE orders SET expires_at = @expiresAt, created_at = @LongAgo WHERE id = @order", new { order, expiresAt, LongAgo });
        return _orders[name] = order;
    }

    private async Task OrderIntentAsync(JobWorld world, string name, string intent, string status, DateTime? created = null)
    {
        var (user, order) = (_users[name], _orders[name]);
        await world.PaymentAsync(user, $"pi_{intent}", created ?? Recently, "order_id, purpose, status", $"{Text(order)}, 'order', 'pending'");
        await world.ExecuteAsync("UPDATE orders SET payment_intent_id = coalesce(payment_intent_id, 'pi_' || @intent) WHERE id = @order", new { order, intent });
        await IntentAsync(world, intent, name, status, created ?? Recently, OrderScene.ForOrder(user, order));
    }

    /// <summary>Stripe's own: not paid there, gone there, bought there, renewed there; and what went back.</summary>
    private async Task StripeBillingAsync(JobWorld world, long plan)
    {
        foreach (var (name, status) in new[] { ("billed", "past_due"), ("billedgone", null), ("billedpaid", "active") })
        {
            var subscription = await SubscriptionAsync(world, plan, name, _now.AddDays(-5));
            await world.ExecuteAsync("UPDATE subscriptions SET provider_subscription_id = 'sub_' || @name WHERE id = @Id", new { subscription.Id, name });
            if (status is not null)
                await AtStripeAsync(world, name, status);
        }

        await UserAsync(world, "billednew");
        await AtStripeAsync(world, "billednew", "active");
        foreach (var name in new[] { "billedpaid", "billednew" })
        {
            await IntentAsync(world, name, name, "succeeded", Recently);
            await world.Stripe.SeedAsync(new
            {
                invoices = new[] { new { id = $"in_{name}", subscription = $"sub_{name}", status = "paid", amount_due = 1000, payment_intent = $"pi_{name}" } },
            });
        }

        // To end with its period, and its renewal was paid after all.
        var ending = await SubscriptionAsync(world, plan, "ending", Ended);
        await world.ExecuteAsync("UPDATE subscriptions SET cancel_at_period_end = true WHERE id = @Id", new { ending.Id });
        await AttemptAsync(world, ending, "ending", "failed", "succeeded", Ended, "insufficient_funds");
        // Due, while the last period's money goes back.
        await PaidAsync(world, plan, "refunded", Ended, refunded: 1000);
        await PaidAsync(world, plan, "disputed", Ended, dispute: "lost");
        await PaidAsync(world, plan, "paid", _now.AddDays(25));
    }

    private Task AtStripeAsync(JobWorld world, string name, string status) => world.Stripe.SeedAsync(new
    {
        subscriptions = new[]
        {
            new { id = $"sub_{name}", customer = $"cus_{name}", price = "price_1", status, current_period_end = Text(_now.AddDays(25)), created = Text(_now.AddDays(-40)) },
        },
    });

    private async Task PaidAsync(JobWorld world, long plan, string name, DateTime endedAt, long? refunded = null, string? dispute = null)
    {
        var subscription = await SubscriptionAsync(world, plan, name, endedAt);
        await world.LastPaidAsync(
            name, subscription.User, subscription.Id, endedAt.AddMonths(-1), endedAt.AddMonths(-1), NextReceipt(), Recently, refunded, dispute);
        _booked.Add($"pi_{name}");
    }

    private (int Year, int Number) NextReceipt() => (_now.AddMinutes(5).Year, ++_receipts);

    /// <summary>A basic member who has paid for more online, and for nothing in particular at the desk; terms that end soon.</summary>
    private async Task MembersAsync(JobWorld world, long plan)
    {
        var member = await UserAsync(world, "member");
        await IntentAsync(world, "member", "member", "succeeded", Recently, new { user_id = $"{member}", purpose = "membership", membership_type = "circus" }, amount: 900);
        var soon = await UserAsync(world, "soon");
        _paidForNothing = await world.ScalarAsync<long>(
            "INSERT INTO payments (user_id, amount_minor, status, method, created_at) VALUES (@member, 900, 'succeeded', 'transfer', @LongAgo) RETURNING id",
            new { member, LongAgo });
        var (year, number) = NextReceipt();
        await world.BookAsync(_paidForNothing, year, number);
        await world.ExecuteAsync(
            """
            INSERT INTO memberships (user_id, type, start_date, end_date)
            VALUES (@member, 'basic', @day::date - 100, @day::date + 264), (@soon, 'basic', @day::date - 350, @day::date + 15)
            """,
            new { member, soon, day = _now });
        await SubscriptionAsync(world, plan, "reminded", _now.AddDays(5));
    }

    private async Task CounterAsync(JobWorld world)
    {
        foreach (var reader in merchant?.Readers ?? [new PairedReader("rdr_1", "A")])
            await world.ExecuteAsync("INSERT INTO payment_terminals (name, provider_reader_id) VALUES (@Serial, @Id)", reader);
        await QueueAsync(world, "walkin", "other", null);
        await QueueAsync(world, "cardorder", "order", _orders["cardorder"]);
        await QueueAsync(world, "walkin2", "other", null);
    }

    private async Task QueueAsync(JobWorld world, string name, string purpose, long? order) => await world.ExecuteAsync(
        """
        WITH asked AS (
            INSERT INTO payments (user_id, purpose, order_id, amount_minor, method, provider, reference)
            VALUES (@user, @purpose, @order, 1000, 'card_terminal', 'sumup', 'queued ' || @name) RETURNING id)
        INSERT INTO payment_queue (payment_id) SELECT id FROM asked
        """,
        new { user = await UserAsync(world, name), name, purpose, order });

    /// <summary>What only grows, and what waits to be sent.</summary>
    private Task LeftoversAsync(JobWorld world) => world.ExecuteAsync(
        """
        INSERT INTO notifications (kind, user_id, to_address, payload, created_at)
        SELECT 'receipt', id, email, jsonb_build_object('subject', 'Hello', 'text', 'How are you?'), @_now FROM users WHERE name IN ('due', 'poor', 'link');
        INSERT INTO notifications (kind, to_address, payload, dedupe_key, status, sent_at)
        SELECT 'staff_alert', 'staff@example.test', '{"x": 1}', CASE WHEN n > 2 THEN 'k' || n END, 'sent', @_now::timestamptz - interval '200 days' FROM generate_series(1, 4) AS n;
        INSERT INTO job_runs (id, job, status, started_at, finished_at)
        SELECT md5(n::text)::uuid, 'backup-database', 'succeeded', @_now::timestamptz - interval '100 days' + n * interval '1 hour', @_now FROM generate_series(0, 4) AS n;
        INSERT INTO sessions (updated_at) SELECT @_now::timestamptz - n * interval '10 days' FROM generate_series(0, 4) AS n;
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, created_at)
        SELECT 'ada', 'order.expired', 'order', n, @_now::timestamptz - interval '7 months' - n * interval '1 minute' FROM generate_series(1, 5) AS n;
        INSERT INTO attendances (attended_on) SELECT @_now::date - 1 FROM generate_series(1, 12);
        """,
        new { _now });

    private async Task<long> UserAsync(JobWorld world, string name, string behaviour = "success") =>
        _users.TryGetValue(name, out var known) ? known : _users[name] = await world.UserAsync(name, behaviour);

    private async Task<(long User, long Id)> SubscriptionAsync(
        JobWorld world, long plan, string name, DateTime endedAt, string status = "active", string behaviour = "success")
    {
        var user = await UserAsync(world, name, behaviour);
        return (user, await world.SubscriptionAsync(user, plan, endedAt, status));
    }

    private async Task UnansweredAsync(JobWorld world, (long User, long Id) subscription, bool send)
    {
        var attempt = await world.AsAttemptAsync(await world.PaymentAsync(subscription.User, subscription.Id, "pending", Recently), "10 minutes");
        if (send)
            await world.SendAsync(attempt);
    }

    private async Task AttemptAsync(
        JobWorld world, (long User, long Id) subscription, string name, string status, string atStripe, DateTime created, string? decline = null)
    {
        var payment = await world.PaymentAsync(subscription.User, subscription.Id, status, created, $"pi_{name}", decline);
        await world.AsAttemptAsync(payment, Text(_now - created));
        var start = await world.ScalarAsync<string>("SELECT period_start::text FROM payments WHERE id = @payment", new { payment });
        await IntentAsync(
            world, name, name, atStripe, created,
            new { payment_id = $"{payment}", subscription_id = $"{subscription.Id}", purpose = "subscription", period_start = start }, decline);
    }

    private async Task IntentAsync(
        JobWorld world, string name, string user, string status, DateTime created, object? metadata = null, string? decline = null, long amount = 1000)
    {
        await world.IntentAsync(
            $"pi_{name}", user, status, created, metadata, status == "requires_payment_method" ? decline : null, status == "succeeded" ? Recently : null, amount);
        if (status is "requires_payment_method" or "requires_action")
            _payable.Add($"pi_{name}");
        if (status == "processing")
            _processing.Add($"pi_{name}");
    }

    private static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);

    private static string Text(DateTime at) => at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Text(TimeSpan ago) => string.Create(CultureInfo.InvariantCulture, $"{(long)ago.TotalSeconds} seconds");
}
