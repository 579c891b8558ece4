using Jobs;
using Jobs.Explain;
using Jobs.Ledger;
using Jobs.Render;
using Jobs.Report;
using Jobs.Runs;
using Jobs.Schedules;

return await ToolProgram.RunAsync(
    args,
    StatusCommand.Command, HistoryCommand.Command, ShowCommand.Command, ExplainCommand.Command, ReportCommand.Command,
    Dashboard.Command, NextCommand.Command, RenderCommand.Command, SchedulerCommand.Command);
