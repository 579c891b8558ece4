using Jobs.Runs;

namespace Jobs;

public static class CleanupStalePaymentIntentsProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<CleanupStalePaymentIntents>(
            args, context,
            [CleanupStalePaymentIntents.OlderThan, CleanupStalePaymentIntents.IncludeRequiresCapture]);
}
