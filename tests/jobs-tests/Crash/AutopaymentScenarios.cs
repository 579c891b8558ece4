using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

internal static class AutopaymentScenarios
{
    private static readonly DateTime Due = Scenario.Now.AddHours(-1);

    /// <summary>Every way a renewal can go.</summary>
    public static readonly Scenario Mixed = new(
        "autopayment: due renewals", "autopayment", [("charged", 2), ("declined", 3), ("fulfilled", 1), ("failed", 0)], SeedMixedAsync)
    {
        Finders = ["match-pending-payments"],
    };

    /// <summary>An earlier run was killed in the middle: three of its answers never came.</summary>
    public static readonly Scenario Unanswered = new(
        "autopayment: unanswered attempts", "autopayment", [("replayed", 3), ("charged", 2), ("declined", 1), ("failed", 0)], SeedUnansweredAsync)
    {
        Finders = ["match-pending-payments"],
    };

    private static async Task SeedMixedAsync(JobWorld world)
    {
        var plan = await world.PlanAsync();
        foreach (var (name, behaviour) in new[] { ("ada", "success"), ("bea", "insufficient_funds"), ("cyd", "lost_card"), ("dan", "authentication_required") })
            await world.SubscriptionAsync(await world.UserAsync(name, behaviour), plan, Due);
        // Declined yesterday: the customer could still pay on that PaymentIntent, so it is cancelled before the next attempt.
        await DeclinedYesterdayAsync(world, plan, "eva", "requires_payment_method");
        // Declined yesterday, and paid meanwhile by the mailed link: nothing more to charge.
        await DeclinedYesterdayAsync(world, plan, "fay", "succeeded");
    }

    private static async Task DeclinedYesterdayAsync(JobWorld world, long plan, string name, string status)
    {
        var user = await world.UserAsync(name);
        var yesterday = Due.AddDays(-1);
        var subscription = await world.SubscriptionAsync(user, plan, yesterday, "past_due");
        var payment = await world.PaymentAsync(user, subscription, "failed", yesterday, $"pi_{name}", "insufficient_funds");
        await world.AsAttemptAsync(payment, "1 day");
        await world.IntentAsync(
            $"pi_{name}", name, status, yesterday,
            new { payment_id = $"{payment}", subscription_id = $"{subscription}", period_start = $"{yesterday:yyyy-MM-dd}", purpose = "subscription" },
            status == "succeeded" ? null : "insufficient_funds");
    }

    private static async Task SeedUnansweredAsync(JobWorld world)
    {
        var plan = await world.PlanAsync();
        foreach (var (name, behaviour, sent) in new[] { ("gil", "success", true), ("hal", "insufficient_funds", true), ("ivy", "success", false) })
        {
            var user = await world.UserAsync(name, behaviour);
            var payment = await world.PaymentAsync(user, await world.SubscriptionAsync(user, plan, Due), "pending", Scenario.Now.AddMinutes(-30));
            var attempt = await world.AsAttemptAsync(payment, "30 minutes");
            if (sent)
                await world.SendAsync(attempt);
        }
    }
}
