using Jobs.Runs;

namespace Jobs;

/// <summary>Every job by its name: what the one program that ships runs, and what a test runs inside its own process.</summary>
public static class JobTable
{
    private static readonly Dictionary<string, Func<string[], ProgramContext, Task<int>>> Jobs = new(StringComparer.Ordinal)
    {
        ["migrate"] = MigrateProgram.RunAsync,
        ["autopayment"] = AutopaymentProgram.RunAsync,
        ["expire-subscriptions"] = ExpireSubscriptionsProgram.RunAsync,
        ["expire-payments"] = ExpirePaymentsProgram.RunAsync,
        ["match-pending-payments"] = MatchPendingPaymentsProgram.RunAsync,
        ["match-successful-payments"] = MatchSuccessfulPaymentsProgram.RunAsync,
        ["expire-stale-orders"] = ExpireStaleOrdersProgram.RunAsync,
        ["cleanup-stale-payment-intents"] = CleanupStalePaymentIntentsProgram.RunAsync,
        ["subscription-sync"] = SubscriptionSyncProgram.RunAsync,
        ["record-payment"] = RecordPaymentProgram.RunAsync,
        ["grant-membership"] = GrantMembershipProgram.RunAsync,
        ["process-payment-queue"] = ProcessPaymentQueueProgram.RunAsync,
        ["fallback-mode"] = FallbackModeProgram.RunAsync,
        ["cleanup"] = CleanupProgram.RunAsync,
        ["renewal-reminder"] = RenewalReminderProgram.RunAsync,
        ["daily-stats"] = DailyStatsProgram.RunAsync,
        ["send-notifications"] = SendNotificationsProgram.RunAsync,
        ["backup-database"] = BackupDatabaseProgram.RunAsync,
        ["cleanup-logs"] = CleanupLogsProgram.RunAsync,
        ["jobctl"] = JobctlProgram.RunAsync,
    };

    public static IReadOnlyCollection<string> Names => Jobs.Keys;

    /// <returns>Null when there is no job of that name.</returns>
    public static Func<string[], ProgramContext, Task<int>>? Find(string name) => Jobs.GetValueOrDefault(name);
}
