using Jobs;
using Jobs.Runs;

// `--verify-only NAME` reads better than `--verify-only --backup NAME`; both work.
var at = Array.IndexOf(args, "--verify-only") + 1;
if (at > 0 && at < args.Length && !args[at].StartsWith('-'))
{
    args = [.. args[..at], "--backup", .. args[at..]];
}

return await JobProgram.RunAsync<BackupDatabase>(args, BackupDatabase.Options, outsideLedger: BackupDatabase.IsOutsideLedger);
