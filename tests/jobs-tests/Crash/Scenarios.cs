using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Crash;

internal static class Scenarios
{
    /// <summary>Every job has one at least.</summary>
    public static readonly IReadOnlyList<Scenario> All =
    [
        MigrateScenarios.All,
        AutopaymentScenarios.Mixed, AutopaymentScenarios.Unanswered, MatchingScenarios.Pending, MatchingScenarios.Successful,
        ExpiryScenarios.Payments, ExpiryScenarios.Subscriptions, OrderScenarios.Stale, OrderScenarios.Abandoned,
        SyncScenarios.Sweep, SyncScenarios.ByEvents,
        MemberScenarios.MembershipPaid, MemberScenarios.SubscriptionPaid, MemberScenarios.OrderPaid, MemberScenarios.Granted,
        MemberScenarios.MembershipQueued, MemberScenarios.CashBeforeCard, MemberScenarios.FallbackActivated, MemberScenarios.FallbackEnded,
        CleanupScenarios.Move, CleanupScenarios.MoveAgain, CleanupScenarios.Export, CleanupLogsScenarios.Prune,
        ReminderScenarios.Reminders, ReminderScenarios.Stats,
        MailScenarios.Outbox, CounterScenarios.Queue, BackupScenarios.IntoFolder, BackupScenarios.IntoBucket, .. OperatorScenarios.All,
    ];

    /// <summary>By name, so that a test's name says which scenario it is about.</summary>
    public static TheoryData<string> Names() => Where(scenario => !scenario.OnlyOutside);

    // JOBS_CRASH_SCENARIO: while one is being written, those whose names begin so.
    private static readonly string? Only = Environment.GetEnvironmentVariable("JOBS_CRASH_SCENARIO");

    /// <summary>Those that call Stripe.</summary>
    public static TheoryData<string> NamesOfCallers() => Where(scenario => Catalogue.Find(scenario.Job).Needs.Contains("STRIPE_SECRET_KEY"));

    /// <summary>Those whose runs hold a lease.</summary>
    public static TheoryData<string> NamesOfScheduled() => Where(scenario => Catalogue.Find(scenario.Job).Kind == JobKind.Scheduled && !scenario.OnlyOutside);

    /// <summary>Those that do something outside the database at which they can be killed.</summary>
    public static TheoryData<string> NamesWithOutside() => Where(scenario => scenario.Outside is not null);

    private static TheoryData<string> Where(Func<Scenario, bool> condition) =>
        [.. All.Where(condition).Select(scenario => scenario.Name).Where(name => Only is null || name.StartsWith(Only, StringComparison.Ordinal))];

    public static Scenario Find(string name) => All.Single(scenario => scenario.Name == name);
}
