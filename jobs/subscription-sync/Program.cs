using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<SubscriptionSync>(args, [SubscriptionSync.SinceCursor, SubscriptionSync.MaxMissing]);
