using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<CleanupStalePaymentIntents>(
    args, [CleanupStalePaymentIntents.OlderThan, CleanupStalePaymentIntents.IncludeRequiresCapture]);
