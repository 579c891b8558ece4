using System.Globalization;
using Jobs.Runs;

namespace Jobs.Render;

/// <summary>
/// A template service for all jobs, and of each a timer and its limits. `image.conf` beside them, which is not installed by itself,
/// makes the same service run images.
/// </summary>
internal static class SystemdUnits
{
    public const string Place = "systemd";

    public static IEnumerable<RenderedFile> Files(IReadOnlyList<JobDefinition> jobs, string zone)
    {
        var scheduled = jobs.Where(job => job.Schedule is not null).ToList();
        return
        [
            File("jobs@.service", Service(zone)),
            File("jobs.target", Target(scheduled)),
            File("image.conf", Image),
            .. scheduled.Select(job => File($"jobs@{job.Name}.timer", Timer(job, new CronSchedule(job.Schedule!), zone))),
            .. scheduled.Select(job => File($"jobs@{job.Name}.service.d/limits.conf", Limits(job))),
        ];
    }

    private static RenderedFile File(string name, string text) =>
        new($"{Place}/{name}", $"# {RenderedFile.Mark}: change that, then `make render`.\n{text}\n");

    private static string Service(string zone) =>
        $"""
        [Unit]
        Description=Job %i
        Wants=network-online.target
        After=network-online.target postgresql.service

        [Service]
        Type=oneshot
        ExecStart=/opt/jobs/%i
        Environment=JOBS_TRIGGER=schedule
        Environment=JOBS_TIME_ZONE={zone}
        # NAME=value lines without quotes; root's alone (0600): systemd reads it, the job only ever sees its own variables. To keep a secret
        # out of those too, a drop-in: LoadCredential=DATABASE_URL:/etc/jobs/DATABASE_URL and Environment=DATABASE_URL_FILE=%d/DATABASE_URL
        EnvironmentFile=/etc/jobs/env
        SyslogIdentifier=%i
        # On SIGTERM a job finishes or rolls back what it has in hand, within 10 seconds.
        TimeoutStopSec=15s

        # A user that exists only while a job runs. It may write into /var/lib/jobs and its own /tmp: ARCHIVE_URL=file:///var/lib/jobs/archive
        User=jobs
        DynamicUser=yes
        StateDirectory=jobs
        UMask=0077
        NoNewPrivileges=yes
        CapabilityBoundingSet=
        ProtectSystem=strict
        ProtectHome=yes
        ProtectProc=invisible
        ProtectClock=yes
        ProtectHostname=yes
        ProtectKernelLogs=yes
        ProtectKernelModules=yes
        ProtectKernelTunables=yes
        ProtectControlGroups=yes
        PrivateTmp=yes
        PrivateDevices=yes
        PrivateUsers=yes
        RemoveIPC=yes
        RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
        RestrictNamespaces=yes
        RestrictRealtime=yes
        RestrictSUIDSGID=yes
        LockPersonality=yes
        KeyringMode=private
        SystemCallArchitectures=native
        SystemCallFilter=@system-service
        SystemCallErrorNumber=EPERM
        MemoryDenyWriteExecute=yes
        """;

    private static string Target(IReadOnlyList<JobDefinition> scheduled) =>
        $"""
        [Unit]
        Description=Timers of all jobs
        {string.Join('\n', scheduled.Select(job => $"Wants=jobs@{job.Name}.timer"))}

        [Install]
        WantedBy=multi-user.target
        """;

    private static string Timer(JobDefinition job, CronSchedule schedule, string zone) =>
        $"""
        [Unit]
        Description={job.Name}: {schedule.Text} ({zone})
        PartOf=jobs.target

        [Timer]
        {(schedule.EveryHour ? "# In UTC: a timer of a zone is silent in the second of the two hours when clocks are put back.\n" : "")}OnCalendar={OnCalendar(schedule, zone)}
        {(schedule.EveryHour ? "" : "# What the host slept through is made up for, once.\nPersistent=yes\n")}AccuracySec=1s

        [Install]
        WantedBy=jobs.target
        """;

    private static string Limits(JobDefinition job) =>
        string.Create(CultureInfo.InvariantCulture, $"""
        [Service]
        # Its own time limit, a minute for the lease of a run that was killed, and one to start and to end.
        TimeoutStartSec={job.Deadline.TotalSeconds}s
        MemoryMax={job.MemoryMiB}M
        Environment=JOBS_MEMORY={job.MemoryMiB}m
        """);

    private const string Image =
        """
        # The images instead of the executables: install as /etc/systemd/system/jobs@.service.d/image.conf
        [Service]
        ExecStart=
        ExecStart=/usr/bin/docker run --rm --name jobs-%i --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory ${JOBS_MEMORY} --network ${JOBS_NETWORK} --env-file /etc/jobs/env --env JOBS_TRIGGER --env JOBS_TIME_ZONE ${JOBS_IMAGE_PREFIX}%i:${JOBS_IMAGE_TAG}
        ExecStopPost=-/usr/bin/docker rm --force jobs-%i
        # /etc/jobs/env may say otherwise.
        Environment=JOBS_IMAGE_PREFIX=jobs/ JOBS_IMAGE_TAG=latest JOBS_NETWORK=bridge
        # Who may talk to docker is root; the job itself runs as the image's own user.
        DynamicUser=no
        User=root
        PrivateUsers=no
        """;

    /// <summary>The schedule as systemd writes it. In UTC if it is the same in every hour, for no hour is then left out.</summary>
    internal static string OnCalendar(CronSchedule schedule, string zone)
    {
        var weekdays = schedule.Weekdays.Count == 7 ? ""
            : string.Join(',', schedule.Weekdays.Select(day => ((DayOfWeek)day).ToString()[..3])) + " ";
        return $"{weekdays}*-{Field(schedule.Months, 1, 12)}-{Field(schedule.Days, 1, 31)} {Field(schedule.Hours, 0, 23)}:{Field(schedule.Minutes, 0, 59)}:00 "
            + (schedule.EveryHour ? "UTC" : zone);
    }

    private static string Field(IReadOnlyCollection<int> values, int first, int last)
    {
        if (values.Count == last - first + 1)
        {
            return "*";
        }

        var (start, step) = (values.First(), values.Count > 2 ? values.ElementAt(1) - values.First() : 0);
        var toTheEnd = step > 1 && values.SequenceEqual(Enumerable.Range(0, ((last - start) / step) + 1).Select(n => start + (n * step)));
        return toTheEnd ? string.Create(CultureInfo.InvariantCulture, $"{start:00}/{step}")
            : string.Join(',', values.Select(value => value.ToString("00", CultureInfo.InvariantCulture)));
    }
}
