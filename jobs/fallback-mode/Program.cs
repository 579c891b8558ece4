using Jobs.Runs;

namespace Jobs;

public static class FallbackModeProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<FallbackModeJob>(args, context, FallbackModeJob.Options);
}
