using System.Globalization;
using System.Text.RegularExpressions;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// A log file a job and day, as docker/cron/run-job writes them into LOG_DIR: autopayment-2026-11-20.log, or .log.gz. What is named
/// otherwise, is no plain file or is only linked to is not touched.
/// </summary>
internal sealed partial class LogFiles
{
    private readonly JobRun _run;
    private readonly DirectoryInfo _folder;

    public LogFiles(JobRun run, string folder)
    {
        (_run, _folder) = (run, new DirectoryInfo(folder));
        if (!_folder.Exists)
        {
            throw new OperatorException($"LOG_DIR names the folder '{folder}', which does not exist; create it, or mount the disk that holds it");
        }
    }

    /// <param name="oldest">The first day whose files stay.</param>
    public void Prune(DateOnly oldest)
    {
        _run.Counters.Add("log_files_deleted", 0);
        try
        {
            foreach (var file in _folder.GetFiles().OrderBy(f => f.Name, StringComparer.Ordinal).Where(f => IsOld(f, oldest)))
            {
                if (_run.Stopping.IsCancellationRequested || _run.Counters["log_files_deleted"] >= (_run.Options.Limit ?? long.MaxValue))
                {
                    return;
                }

                var length = file.Length;
                if (!_run.DryRun)
                {
                    file.Delete();
                }

                _run.Count("log_files_deleted", file.Name, ("kind", "log_file"), ("bytes", length));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OperatorException($"log files in LOG_DIR ({_folder.FullName}) cannot be deleted: {e.Message}; look at the rights on the folder", e);
        }
    }

    private static bool IsOld(FileInfo file, DateOnly oldest) =>
        file.LinkTarget is null
        && Shape().Match(file.Name) is { Success: true } match
        && Catalogue.Jobs.Any(job => job.Name == match.Groups["job"].Value)
        && DateOnly.TryParseExact(match.Groups["day"].Value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
        && day < oldest;

    [GeneratedRegex(@"^(?<job>[a-z]+(-[a-z]+)*)-(?<day>[0-9]{4}-[0-9]{2}-[0-9]{2})\.log(\.gz)?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Shape();
}
