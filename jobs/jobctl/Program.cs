using Jobs;
using Jobs.Metrics;
using Jobs.Render;
using Jobs.Runs;
using Jobs.Schedules;

return await ToolProgram.RunAsync(args, Dashboard.Command, MetricsCommand.Command, NextCommand.Command, RenderCommand.Command, SchedulerCommand.Command);
