using Jobs;
using Jobs.Doctor;
using Jobs.Explain;
using Jobs.Ledger;
using Jobs.Metrics;
using Jobs.Pauses;
using Jobs.Render;
using Jobs.Report;
using Jobs.Runs;
using Jobs.Schedules;
using Jobs.Settle;
using Jobs.Starting;

return await ToolProgram.RunAsync(
    args,
    StatusCommand.Command, HistoryCommand.Command, ShowCommand.Command, ExplainCommand.Command, DoctorCommand.Command,
    ResolveCommand.Command, PauseCommand.Command, ResumeCommand.Command, RunCommand.Command, BackfillCommand.Command,
    ReportCommand.Command, MetricsCommand.Command, Dashboard.Command, NextCommand.Command,
    RenderCommand.Command, ManifestCommand.Command, SchedulerCommand.Command);
