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

namespace Jobs;

public static class JobctlProgram
{
    public static Task<int> Main(string[] args) => RunAsync(args, ProgramContext.OfProcess);

    public static Task<int> RunAsync(string[] args, ProgramContext context) =>
        ToolProgram.RunAsync(
            args, context,
            StatusCommand.Command, HistoryCommand.Command, ShowCommand.Command, ExplainCommand.Command, DoctorCommand.Command,
            ResolveCommand.Command, PauseCommand.Command, ResumeCommand.Command, RunCommand.Command, BackfillCommand.Command,
            ReportCommand.Command, MetricsCommand.Command, Dashboard.Command, NextCommand.Command,
            RenderCommand.Command, ManifestCommand.Command, SchedulerCommand.Command);
}
