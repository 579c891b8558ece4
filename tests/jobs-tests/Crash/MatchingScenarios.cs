using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

internal static class MatchingScenarios
{
    private static readonly DateTime Ended = Scenario.Now.AddHours(-2);
    private static readonly DateTime Recently = Scenario.Now.AddMinutes(-20);

    public static readonly Scenario Pending = new(
        "match-pending-payments", "match-pending-payments",
        [("matched", 2), ("still_open", 1), ("declined", 1), ("closed", 1), ("failed", 0)], SeedPendingAsync);

    public static readonly Scenario Successful = new(
        "match-successful-payments", "match-successful-payments",
        [("matched", 4), ("parked_payments", 1), ("failed", 0)], SeedSuccessfulAsync);

    private static async Task SeedPendingAsync(JobWorld world)
    {
        var plan = await world.PlanAsync();
        await KnownAsync("ada", "succeeded");
        await KnownAsync("bea", "processing");
        await KnownAsync("cyd", "requires_payment_method", "insufficient_funds");
        // Charged, and the answer was lost: only a listing knows the PaymentIntent.
        var (_, lost) = await AttemptAsync("dan");
        await world.SendAsync(await world.AsAttemptAsync(lost, "1 minute"));
        // Never arrived at Stripe; by now no send of the key can be under way any more.
        var (_, absent) = await AttemptAsync("eva");
        await world.AsAttemptAsync(absent, "26 hours");

        async Task KnownAsync(string name, string status, string? decline = null)
        {
            var (subscription, payment) = await AttemptAsync(name, $"pi_{name}");
            await world.AsAttemptAsync(payment, "20 minutes");
            await world.IntentAsync($"pi_{name}", name, status, Recently, Metadata(payment, subscription), decline);
        }

        async Task<(long Subscription, long Payment)> AttemptAsync(string name, string? intent = null)
        {
            var user = await world.UserAsync(name);
            var subscription = await world.SubscriptionAsync(user, plan, Ended);
            return (subscription, await world.PaymentAsync(user, subscription, "pending", Recently, intent));
        }
    }

    private static async Task SeedSuccessfulAsync(JobWorld world)
    {
        var plan = await world.PlanAsync();

        // Unknown here: an application charged and died before it wrote anything. A subscription is created.
        var ada = await world.UserAsync("ada");
        await world.IntentAsync("pi_ada", "ada", "succeeded", Recently, new { user_id = $"{ada}", purpose = "subscription", plan = "monthly" }, succeededAt: Recently);

        // Failed here, paid later by the mailed link.
        var bea = await world.UserAsync("bea");
        var subscription = await world.SubscriptionAsync(bea, plan, Ended, "past_due");
        var failed = await world.PaymentAsync(bea, subscription, "failed", Ended, "pi_bea", "insufficient_funds");
        await world.IntentAsync("pi_bea", "bea", "succeeded", Recently, Metadata(failed, subscription), succeededAt: Recently);

        // Old, and succeeded only now: the listing by creation no longer shows it, the event does.
        var cyd = await world.UserAsync("cyd");
        var old = await world.SubscriptionAsync(cyd, plan, Ended.AddDays(-2), "past_due");
        var expired = await world.PaymentAsync(cyd, old, "expired", Ended.AddDays(-2), "pi_cyd");
        await world.IntentAsync("pi_cyd", "cyd", "succeeded", Ended.AddDays(-2), Metadata(expired, old), succeededAt: Recently);

        // Nobody knows whose it is: parked, and staff are told.
        await world.Stripe.SeedAsync(new
        {
            payment_intents = new[] { new { id = "pi_stray", amount = 700, currency = "eur", status = "succeeded", created = $"{Recently:O}", succeeded_at = $"{Recently:O}" } },
        });
        await SeedInvoiceAsync(world, plan);
    }

    /// <summary>Stripe Billing renewed its own subscription: recorded here, extended there.</summary>
    private static async Task SeedInvoiceAsync(JobWorld world, long plan)
    {
        var dan = await world.UserAsync("dan");
        var billed = await world.SubscriptionAsync(dan, plan, Scenario.Now.AddDays(30));
        await world.ExecuteAsync("UPDATE subscriptions SET provider_subscription_id = 'sub_dan' WHERE id = @billed", new { billed });
        await world.Stripe.SeedAsync(new
        {
            products = new[] { new { id = "prod_1", name = "Club" } },
            prices = new[] { new { id = "price_1", product = "prod_1", unit_amount = 1000, currency = "eur", interval = "month", interval_count = 1 } },
            subscriptions = new[] { new { id = "sub_dan", customer = "cus_dan", price = "price_1", status = "active" } },
        });
        await world.IntentAsync("pi_dan", "dan", "succeeded", Recently, succeededAt: Recently);
        await world.Stripe.SeedAsync(new
        {
            invoices = new[] { new { id = "in_1", subscription = "sub_dan", status = "paid", amount_due = 1000, payment_intent = "pi_dan" } },
        });
    }

    private static object Metadata(long payment, long subscription) =>
        new { payment_id = $"{payment}", subscription_id = $"{subscription}", purpose = "subscription", plan = "monthly" };
}
