using Jobs;
using Jobs.Render;
using Jobs.Runs;
using Jobs.Schedules;

return await ToolProgram.RunAsync(args, Dashboard.Command, NextCommand.Command, RenderCommand.Command, SchedulerCommand.Command);
