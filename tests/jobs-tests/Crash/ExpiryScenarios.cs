using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

internal static class ExpiryScenarios
{
    private static readonly DateTime Abandoned = Scenario.Now.AddDays(-8);

    public static readonly Scenario Payments = new(
        "expire-payments", "expire-payments", [("expired", 2), ("fulfilled", 1), ("left", 1), ("failed", 0)], SeedPaymentsAsync);

    /// <summary>In three batches, so that it can die between two of them.</summary>
    public static readonly Scenario Subscriptions = new(
        "expire-subscriptions", "expire-subscriptions", [("expired", 3), ("held", 1), ("waiting", 1)], SeedSubscriptionsAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--batch-size", "2"],
    };

    private static async Task SeedPaymentsAsync(JobWorld world)
    {
        var plan = await world.PlanAsync();
        foreach (var (name, status) in new[] { ("ada", "requires_payment_method"), ("bea", "succeeded"), ("cyd", "processing"), ("dan", null) })
        {
            var user = await world.UserAsync(name);
            var subscription = await world.SubscriptionAsync(user, plan, Scenario.Now.AddDays(1));
            var payment = await world.PaymentAsync(user, subscription, "pending", Abandoned, status is null ? null : $"pi_{name}");
            if (status is not null)
                await world.IntentAsync($"pi_{name}", name, status, Abandoned, new { payment_id = $"{payment}", subscription_id = $"{subscription}", purpose = "subscription" });
        }
    }

    private static async Task SeedSubscriptionsAsync(JobWorld world)
    {
        var plan = await world.PlanAsync();
        // Autopayment did not do its work today, so those it never tried are held.
        await world.ExecuteAsync("INSERT INTO job_runs (id, job, status, started_at, finished_at) VALUES (gen_random_uuid(), 'autopayment', 'failed', clock_timestamp(), clock_timestamp())");
        foreach (var name in new[] { "ada", "bea", "cyd", "dan", "eva" })
        {
            var user = await world.UserAsync(name);
            var subscription = await world.SubscriptionAsync(user, plan, Scenario.Now.AddDays(-5), "past_due");
            if (name is "ada" or "bea")
                await world.ExecuteAsync("UPDATE subscriptions SET auto_renew = false WHERE id = @subscription", new { subscription });
            if (name is "cyd")
                await world.PaymentAsync(user, subscription, "failed", Scenario.Now.AddDays(-5), failure: "lost_card");
            if (name is "dan")
                await world.PaymentAsync(user, subscription, "pending", Scenario.Now.AddDays(-5));
        }
    }
}
