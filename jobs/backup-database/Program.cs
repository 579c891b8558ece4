using Jobs.Runs;

namespace Jobs;

public static class BackupDatabaseProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context)
    {
        // `--verify-only NAME` reads better than `--verify-only --backup NAME`; both work.
        var at = Array.IndexOf(args, "--verify-only") + 1;
        if (at > 0 && at < args.Length && !args[at].StartsWith('-'))
        {
            args = [.. args[..at], "--backup", .. args[at..]];
        }

        return JobProgram.RunAsync<BackupDatabase>(args, context, BackupDatabase.Options, outsideLedger: BackupDatabase.IsOutsideLedger);
    }
}
