using Jobs.Runs;

namespace Jobs.Telemetry;

/// <summary>
/// Files for node_exporter's textfile collector: one of each job and shard (jobs_autopayment.prom, jobs_autopayment_0_of_4.prom), and
/// jobs.prom of what all of them have in common. Never seen half written, whoever writes at the same time or is killed at it.
/// </summary>
internal sealed class Textfile(string folder)
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private static readonly TimeSpan Abandoned = TimeSpan.FromMinutes(10);

    public static string NameOf(JobDefinition job, Shard shard) =>
        shard.IsAll ? $"jobs_{job.Name}.prom" : $"jobs_{job.Name}_{shard.Index}_of_{shard.Count}.prom";

    public const string NameOfAll = "jobs.prom";

    public void Write(string name, IEnumerable<Metric> metrics, Guid run)
    {
        var path = Path.Combine(folder, name);
        // The collector reads what ends in .prom.
        var temporary = $"{path}.{run:N}.tmp";
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                if (!OperatingSystem.IsWindows())
                {
                    // Whatever the umask: it is another user who reads.
                    File.SetUnixFileMode(file.SafeFileHandle, Readable);
                }

                file.Write(System.Text.Encoding.UTF8.GetBytes(PrometheusText.Of(metrics)));
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Remove(temporary);
            throw;
        }

        foreach (var left in Directory.EnumerateFiles(folder, $"{name}.*.tmp").Where(left => File.GetLastWriteTimeUtc(left) < DateTime.UtcNow - Abandoned))
        {
            Remove(left);
        }
    }

    /// <summary>For a run that cannot ask the database: what the file said before.</summary>
    public DateTime? LastSuccess(string name)
    {
        const string Metric = "jobs_run_last_success_timestamp_seconds{";
        try
        {
            var line = File.ReadLines(Path.Combine(folder, name)).FirstOrDefault(line => line.StartsWith(Metric, StringComparison.Ordinal));
            return line is not null && double.TryParse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture, out var seconds)
                ? DateTime.UnixEpoch.AddSeconds(seconds)
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another run removed it, or nobody may: the collector does not read it.
        }
    }
}
