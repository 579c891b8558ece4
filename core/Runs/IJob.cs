namespace Jobs.Runs;

/// <summary>
/// A job: made anew for each run with what its constructor asks for, run once. It returns when its work is done or
/// <see cref="JobRun.Stopping"/> is set; what it throws ends the run with exit code 1.
/// </summary>
public interface IJob
{
    Task RunAsync();
}
