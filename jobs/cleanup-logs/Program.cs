using Jobs.Runs;

namespace Jobs;

public static class CleanupLogsProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<CleanupLogs>(args, context, CleanupLogs.Options);
}
