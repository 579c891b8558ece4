using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// Prunes what only grows: runs older than 90 days, mails delivered 180 days ago, daily log files older than 30 days. Never what is
/// still of use: a job's last run and its last success, runs that anything names, the keys that keep a mail from going out twice.
/// The totals are for ever. --limit counts each kind.
/// </summary>
public sealed class CleanupLogs(JobRun run, Db db, JobOptions options, Settings settings, BusinessZone zone) : IJob
{
    internal const int DefaultBatch = 5000;

    private static readonly JobOption<TimeSpan?> RunsOlderThan = new(
        "--runs-older-than", "duration", "Delete runs that began longer ago than this. Default: 90d.", OptionValue.Duration, TimeSpan.FromDays(90));

    private static readonly JobOption<TimeSpan?> MailsOlderThan = new(
        "--mails-older-than", "duration", "Delete or empty mails delivered longer ago than this. Default: 180d.", OptionValue.Duration, TimeSpan.FromDays(180));

    private static readonly JobOption<TimeSpan?> LogsOlderThan = new(
        "--logs-older-than", "duration", "Delete log files in LOG_DIR of days longer ago than this. Default: 30d.", OptionValue.Duration, TimeSpan.FromDays(30));

    public static readonly JobOption[] Options = [RunsOlderThan, MailsOlderThan, LogsOlderThan];

    public async Task RunAsync()
    {
        if (run.Options.Only is not null || !run.Options.Shard.IsAll)
        {
            throw new OperatorException("cleanup-logs takes neither --only nor --shard: it goes through several kinds of rows, in the order of their age");
        }

        // What is wrong with the folder is said before anything is deleted.
        var files = settings.Optional("LOG_DIR") is { } folder ? new LogFiles(run, folder) : null;
        await new RunHistory(run, db).PruneAsync(run.Now - options.Get(RunsOlderThan)!.Value);
        await new DeliveredMails(run, db).PruneAsync(run.Now - options.Get(MailsOlderThan)!.Value);
        files?.Prune(zone.Date(run.Now).AddDays(-(int)Math.Ceiling(options.Get(LogsOlderThan)!.Value.TotalDays)));
    }
}
