using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<CleanupLogs>(args, CleanupLogs.Options);
