using Jobs;
using Jobs.Runs;

return await JobProgram.RunAsync<FallbackModeJob>(args, FallbackModeJob.Options);
