using Jobs;
using Jobs.Ledger;
using Jobs.Render;
using Jobs.Runs;
using Jobs.Schedules;

return await ToolProgram.RunAsync(
    args,
    StatusCommand.Command, HistoryCommand.Command,
    Dashboard.Command, NextCommand.Command, RenderCommand.Command, SchedulerCommand.Command);
