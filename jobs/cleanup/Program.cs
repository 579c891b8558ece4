using Jobs.Runs;

namespace Jobs;

public static class CleanupProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<Cleanup>(args, context, [Cleanup.SessionsIdle, Cleanup.AuditOlderThan, AuditExport.RowsPerFile]);
}
