using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Crash;

internal static class Scenarios
{
    private static readonly Scenario[] All =
    [
        AutopaymentScenarios.Mixed, AutopaymentScenarios.Unanswered, MatchingScenarios.Pending, MatchingScenarios.Successful,
        ExpiryScenarios.Payments, ExpiryScenarios.Subscriptions, OrderScenarios.Stale, OrderScenarios.Abandoned,
        SyncScenarios.Sweep, SyncScenarios.ByEvents,
        MemberScenarios.MembershipPaid, MemberScenarios.SubscriptionPaid, MemberScenarios.OrderPaid, MemberScenarios.Granted,
        MemberScenarios.MembershipQueued, MemberScenarios.CashBeforeCard, MemberScenarios.FallbackActivated, MemberScenarios.FallbackEnded,
        CleanupScenarios.Move, CleanupScenarios.MoveAgain, CleanupScenarios.Export, CleanupLogsScenarios.Prune,
        ReminderScenarios.Reminders, ReminderScenarios.Stats,
    ];

    /// <summary>By name, so that a test's name says which scenario it is about.</summary>
    public static TheoryData<string> Names() => [.. All.Select(scenario => scenario.Name).Where(name => Only is null || name == Only)];

    // JOBS_CRASH_SCENARIO: while one is being written.
    private static readonly string? Only = Environment.GetEnvironmentVariable("JOBS_CRASH_SCENARIO");

    /// <summary>Those that call Stripe.</summary>
    public static TheoryData<string> NamesOfCallers() =>
        [.. All.Where(scenario => Catalogue.Find(scenario.Job).Needs.Contains("STRIPE_SECRET_KEY")).Select(scenario => scenario.Name)];

    public static Scenario Find(string name) => All.Single(scenario => scenario.Name == name);
}
