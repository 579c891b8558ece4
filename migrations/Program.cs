using Jobs.Runs;

namespace Jobs;

public static class MigrateProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    // `migrate status` reads better than `migrate --status`; both work.
    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        JobProgram.RunAsync<Migrate>(args is ["status", .. var rest] ? ["--status", .. rest] : args, context, [Migrate.Status]);
}
