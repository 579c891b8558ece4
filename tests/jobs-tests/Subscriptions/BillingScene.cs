using System.Globalization;
using System.Web;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Subscriptions;

/// <summary>What the tests of the billing rules say again and again.</summary>
internal static class BillingScene
{
    /// <summary>06:00 in Paris, when autopayment runs.</summary>
    public static readonly DateTime Morning = new(2026, 11, 20, 5, 0, 0, DateTimeKind.Utc);

    public static string AsOf(DateTime now) => now.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    public static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);

    public static DateTime Utc(int year, int month, int day, int hour = 0, int minute = 0) =>
        new(year, month, day, hour, minute, 0, DateTimeKind.Utc);

    public static Task<JobResult> AutopaymentAsync(this JobWorld world, DateTime now, params string[] args) =>
        world.RunAsync("autopayment", ["--as-of", AsOf(now), .. args]);

    /// <summary>A user of that name with a monthly subscription that ended an hour before <see cref="Morning"/>.</summary>
    public static async Task<long> DueAsync(this JobWorld world, string name, string behaviour = "success", DateTime? endedAt = null) =>
        await world.SubscriptionAsync(await world.UserAsync(name, behaviour), await world.PlanAsync(), endedAt ?? Morning.AddHours(-1));

    public static async Task<dynamic> OneAsync(this JobWorld world, string sql, object? parameters = null) =>
        Assert.Single(await world.QueryAsync(sql, parameters));

    public static Task<dynamic> RowAsync(this JobWorld world, string table, long id) =>
        world.OneAsync($"SELECT * FROM {table} WHERE id = @id", new { id });

    /// <summary>The subscription's payments, oldest first.</summary>
    public static Task<IReadOnlyList<dynamic>> AttemptsAsync(this JobWorld world, long subscription) =>
        world.QueryAsync("SELECT * FROM payments WHERE subscription_id = @subscription ORDER BY id", new { subscription });

    public static async Task<string> StatusAsync(this JobWorld world, string table, long id) =>
        await world.ScalarAsync<string>($"SELECT status FROM {table} WHERE id = @id", new { id });

    public static Task<long> MailsAsync(this JobWorld world, string kind) =>
        world.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE kind = @kind", new { kind });

    public static Task<string> UnmatchedReasonAsync(this JobWorld world, string paymentIntent) =>
        world.ScalarAsync<string>("SELECT reason FROM unmatched_payments WHERE provider_payment_id = @paymentIntent", new { paymentIntent });

    public static async Task<int> ChargesAsync(this JobWorld world) => (await world.Stripe.LedgerAsync()).Count;

    /// <summary>How many PaymentIntents were asked for, answered or not.</summary>
    public static async Task<IReadOnlyList<StripeRequest>> CreationsAsync(this JobWorld world) =>
        [.. (await world.Stripe.RequestsAsync()).Recent.Where(r => r is { Method: "POST", Path: "/v1/payment_intents" })];

    public static async Task<int> PostsAsync(this JobWorld world) =>
        (await world.Stripe.RequestsAsync()).Recent.Count(r => r.Method == "POST");

    public static System.Collections.Specialized.NameValueCollection Form(string body) => HttpUtility.ParseQueryString(body);

    /// <summary>The fields of a form body, sorted and decoded: the fake lists them so.</summary>
    public static string Fields(string body) =>
        string.Join('&', body.Split('&').Select(HttpUtility.UrlDecode).Order(StringComparer.Ordinal));

    /// <summary>Rows of the runs themselves; the template's `migrate` left one of its own.</summary>
    public static Task<long> RunRowsAsync(this JobWorld world) => world.ScalarAsync<long>(
        """
        SELECT (SELECT count(*) FROM job_runs WHERE job <> 'migrate') + (SELECT count(*) FROM leases) + (SELECT count(*) FROM job_cursors)
             + (SELECT count(*) FROM job_totals WHERE job <> 'migrate') + (SELECT count(*) FROM job_item_failures)
        """);

    /// <summary>Another attached payment method of that user's customer.</summary>
    public static Task AddMethodAsync(this JobWorld world, string user, string method, string behaviour = "success") =>
        world.Stripe.SeedAsync(new { payment_methods = new[] { new { id = method, customer = $"cus_{user}", behaviour } } });

    public static Task SetDefaultAsync(this JobWorld world, string user, string method) =>
        world.ExecuteAsync("UPDATE users SET default_payment_method_id = @method WHERE name = @user", new { user, method });

    public static JobResult Done(this JobResult run)
    {
        Assert.True(run.ExitCode == 0, run.ToString());
        return run;
    }

    public static JobResult Failed(this JobResult run)
    {
        Assert.True(run.ExitCode == 1, run.ToString());
        return run;
    }
}
