using Jobs;
using Jobs.Render;
using Jobs.Runs;

return await ToolProgram.RunAsync(args, Dashboard.Command, RenderCommand.Command);
