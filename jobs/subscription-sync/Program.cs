using Jobs.Runs;
using Microsoft.Extensions.DependencyInjection;

namespace Jobs;

public static class SubscriptionSyncProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<SubscriptionSync>(
            args, context,
            [SubscriptionSync.SinceCursor, SubscriptionSync.MaxMissing],
            parts => parts.AddSingleton<BillingSubscriptions>());
}
