using Jobs;
using Jobs.Runs;

return await ToolProgram.RunAsync(args, Dashboard.Command);
