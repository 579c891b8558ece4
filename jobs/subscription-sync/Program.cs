using Jobs;
using Jobs.Runs;
using Microsoft.Extensions.DependencyInjection;

return await JobProgram.RunAsync<SubscriptionSync>(
    args,
    [SubscriptionSync.SinceCursor, SubscriptionSync.MaxMissing],
    parts => parts.AddSingleton<BillingSubscriptions>());
