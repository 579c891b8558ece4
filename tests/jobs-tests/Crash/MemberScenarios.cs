using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;

namespace Jobs.Tests.Crash;

/// <summary>What people start by hand: whoever never saw the answer starts the same again, with the same reference.</summary>
internal static class MemberScenarios
{
    private static readonly string[] Paid =
        ["--as-of", "2026-11-20T05:00:00Z", "--user", "2", "--recorded-by", "1", "--reference", "desk 7", "--currency", "eur", "--method", "cash"];

    public static readonly Scenario MembershipPaid = new("record-payment --purpose membership", "record-payment", [("recorded", 1)], SeedAsync)
    {
        Args = [.. Paid, "--amount", "9.00", "--purpose", "membership", "--membership-type", "circus"],
    };

    public static readonly Scenario SubscriptionPaid = new("record-payment --purpose subscription", "record-payment", [("recorded", 1)], SeedAsync)
    {
        Args = [.. Paid, "--amount", "10.00", "--purpose", "subscription", "--plan", "monthly"],
    };

    public static readonly Scenario OrderPaid = new("record-payment --purpose order", "record-payment", [("recorded", 1)], SeedAsync)
    {
        Args = [.. Paid, "--amount", "10.00", "--purpose", "order", "--order", "1"],
    };

    private static readonly string[] Card = [.. Paid[..^1], "card_terminal"];

    public static readonly Scenario MembershipQueued = new("record-payment --method card_terminal", "record-payment", [("queued", 1)], SeedQueueAsync)
    {
        Args = [.. Card, "--amount", "9.00", "--purpose", "membership", "--membership-type", "circus"],
    };

    public static readonly Scenario CashBeforeCard = new("record-payment takes the place of a waiting card", "record-payment", [("recorded", 1)], async world =>
    {
        await SeedQueueAsync(world);
        await world.ExecuteAsync(
            """
            WITH asked AS (
                INSERT INTO payments (user_id, purpose, order_id, amount_minor, method, provider, reference) VALUES (2, 'order', 1, 1000, 'card_terminal', 'sumup', 'desk 6')
                RETURNING id)
            INSERT INTO payment_queue (payment_id) SELECT id FROM asked
            """);
    })
    {
        Args = [.. Paid, "--amount", "10.00", "--purpose", "order", "--order", "1"],
    };

    public static readonly Scenario FallbackActivated = new("fallback-mode --activate", "fallback-mode", [("activated", 1)], SeedQueueAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--activate", "--reason", "no network", "--until", "2h", "--actor", "ada"],
    };

    public static readonly Scenario FallbackEnded = new("fallback-mode --deactivate", "fallback-mode", [("deactivated", 1)], async world =>
    {
        await SeedQueueAsync(world);
        await world.ExecuteAsync(
            """INSERT INTO settings (key, value) VALUES ('payment_fallback_mode', '{"active": true, "automatic": true, "since": "2026-11-20T04:00:00Z"}')""");
    })
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--deactivate", "--actor", "ada"],
    };

    private static async Task SeedQueueAsync(JobWorld world)
    {
        await SeedAsync(world);
        await world.ExecuteAsync("INSERT INTO payment_terminals (name, provider_reader_id) VALUES ('bar', 'rdr_1')");
    }

    public static readonly Scenario Granted = new("grant-membership", "grant-membership", [("granted", 1)], SeedAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--user", "2", "--recorded-by", "1", "--reference", "desk 7", "--type", "circus", "--payment", "1"],
    };

    /// <summary>A basic member with an order to pay and 9.00 EUR paid for nothing in particular; no subscription yet.</summary>
    private static async Task SeedAsync(JobWorld world)
    {
        await world.SeedDeskAsync();
        const long member = MemberScene.Ada;
        await world.PlanAsync();
        await world.OrderAsync(member);
        await world.ExecuteAsync(
            """
            INSERT INTO memberships (user_id, type, start_date, end_date) VALUES (@member, 'basic', '2026-02-01', '2027-01-31');
            INSERT INTO payments (user_id, amount_minor, status, method, succeeded_at) VALUES (@member, 900, 'succeeded', 'transfer', '2026-11-01');
            INSERT INTO receipts (number, payment_id, issued_at, amount_minor, currency) SELECT '2026-000001', id, '2026-11-01', 900, 'eur' FROM payments;
            INSERT INTO receipt_counters (series, year, last_number) VALUES ('R', 2026, 1);
            INSERT INTO audit_logs (action, subject_type, subject_id) SELECT 'payment.succeeded', 'payment', id FROM payments;
            """,
            new { member });
    }
}
