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

    public static readonly Scenario Granted = new("grant-membership", "grant-membership", [("granted", 1)], SeedAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--user", "2", "--recorded-by", "1", "--reference", "desk 7", "--type", "circus", "--payment", "1"],
    };

    /// <summary>A basic member with an order to pay and 9.00 EUR paid for nothing in particular; no subscription yet.</summary>
    private static async Task SeedAsync(JobWorld world)
    {
        await world.ExecuteAsync("INSERT INTO users (name, role) VALUES ('desk', 'staff')");
        var member = await world.UserAsync("ada");
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
