using System.Globalization;
using System.Text;
using Jobs.Runs;

namespace Jobs.Render;

/// <summary>A crontab for `crontab -u jobs`: every line starts one job through docker/cron/run-job, as an executable or from its image.</summary>
internal static class Crontab
{
    public const string Place = "crontab";

    public static IEnumerable<RenderedFile> Files(IReadOnlyList<JobDefinition> jobs, string zone) => [new(Place, Text(jobs, zone))];

    // A % would be a new line for cron; nothing here has one.
    private static string Text(IReadOnlyList<JobDefinition> jobs, string zone)
    {
        var text = new StringBuilder(
            $"""
            # {RenderedFile.Mark}: change that, then `make render`.
            #
            # Install: crontab -u jobs docker/crontab
            # Times are {zone}. cron goes by the zone of the host: run-job starts nothing on a host whose clocks differ. There, take
            # the systemd timers, which know their zone, or `timedatectl set-timezone {zone}` and restart cron.
            # No flock: a job holds its lease in the database, whichever host it runs on; a second one waits until it sees that, and is skipped.
            SHELL=/bin/sh
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
            # cron mails what a run leaves on stderr: nothing unless it failed. Everything else is in the system log.
            MAILTO=root
            JOBS_TRIGGER=schedule
            JOBS_CRON_ZONE={zone}
            # JOBS_DEADLINE: seconds after which it is stopped from outside. JOBS_MEMORY: MiB, of a container.

            """);
        foreach (var job in jobs.Where(job => job.Schedule is not null))
        {
            text.Append(CultureInfo.InvariantCulture,
                $"""

                # {job.Summary}
                {job.Schedule} JOBS_DEADLINE={job.Deadline.TotalSeconds} JOBS_MEMORY={job.MemoryMiB} /opt/jobs/run-job {job.Name}

                """);
        }

        return text.ToString();
    }
}
