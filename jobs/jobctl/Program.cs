using Jobs;
using Jobs.Doctor;
using Jobs.Metrics;
using Jobs.Pauses;
using Jobs.Render;
using Jobs.Runs;
using Jobs.Schedules;
using Jobs.Settle;
using Jobs.Starting;

return await ToolProgram.RunAsync(
    args, Dashboard.Command, NextCommand.Command, RenderCommand.Command, SchedulerCommand.Command, MetricsCommand.Command,
    DoctorCommand.Command, ResolveCommand.Command, PauseCommand.Command, ResumeCommand.Command, RunCommand.Command, BackfillCommand.Command, ManifestCommand.Command);
