using System.Globalization;
using System.Text.RegularExpressions;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Rendering;

public sealed partial class CrontabTests
{
    private static readonly string Committed = File.ReadAllText(PostgresFixture.RepositoryFile("docker/crontab"));

    [Fact]
    public void Every_line_is_a_comment_a_variable_or_a_job_and_every_scheduled_job_has_one()
    {
        var lines = Committed.Split('\n');
        // cron drops a last line that does not end, and ends a command at a %.
        Assert.Equal("", lines[^1]);
        Assert.DoesNotContain('%', Committed);
        Assert.DoesNotContain('\t', Committed);
        var rest = lines.Where(line => line.Length > 0 && !line.StartsWith('#')).ToList();
        Assert.Equal(
            ["SHELL=/bin/sh", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "MAILTO=root", "JOBS_TRIGGER=schedule", "JOBS_CRON_ZONE=Europe/Paris"],
            rest.TakeWhile(line => Variable().IsMatch(line)));
        var jobs = rest.SkipWhile(line => Variable().IsMatch(line)).Select(line => JobLine().Match(line)).ToList();
        Assert.All(jobs, line => Assert.True(line.Success, line.Value));
        Assert.Equal(
            Catalogue.Jobs.Where(job => job.Schedule is not null).Select(job => (job.Name, job.Schedule!, job.Deadline, job.MemoryMiB)),
            jobs.Select(line => (
                line.Groups["job"].Value, line.Groups["schedule"].Value, TimeSpan.FromSeconds(Number(line, "deadline")), Number(line, "memory"))));
    }

    [Fact]
    public async Task Debians_cron_takes_it_and_would_refuse_a_wrong_one()
    {
        var crontab = Shell.Find("crontab");
        Assert.SkipWhen(crontab is null, "cron is not on this machine (Debian: apt-get install cron)");
        using var folder = new Folder();
        Assert.Equal(0, (await Shell.RunAsync(crontab, ["-n", folder.Write("right", Committed)])).ExitCode);
        Assert.NotEqual(0, (await Shell.RunAsync(crontab, ["-n", folder.Write("wrong", Committed.Replace("0 6 * *", "0 25 * *"))])).ExitCode);
    }

    [Fact]
    public async Task A_line_run_as_cron_does_starts_the_job_with_the_variables_of_the_file_as_they_stand()
    {
        using var host = new CronHost("DATABASE_URL=postgresql://u:p%20w$HOME@h/db?a=b\n# Staff\n\nMAIL_FROM=Club <office@example.org>\nEMPTY=");
        var result = await host.RunAsync("autopayment");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("DATABASE_URL=postgresql://u:p%20w$HOME@h/db?a=b", host.Seen);
        Assert.Contains("MAIL_FROM=Club <office@example.org>", host.Seen);
        Assert.Contains("EMPTY=", host.Seen);
        Assert.Contains("JOBS_TRIGGER=schedule", host.Seen);
        Assert.Contains("JOBS_TIME_ZONE=Europe/Paris", host.Seen);
    }

    [Fact]
    public async Task Every_line_of_the_crontab_runs()
    {
        using var host = new CronHost("DATABASE_URL=x");
        foreach (var job in Catalogue.Jobs.Where(job => job.Schedule is not null))
        {
            Assert.Equal(0, (await host.RunAsync(job.Name)).ExitCode);
            Assert.Contains($"RAN={job.Name}", host.Seen);
        }
    }

    [Theory]
    [InlineData("UTC")]
    // The same as Paris in winter, or in summer, alone.
    [InlineData("Africa/Lagos")]
    [InlineData("Africa/Johannesburg")]
    public async Task On_a_host_of_another_zone_nothing_starts(string zone)
    {
        using var host = new CronHost("DATABASE_URL=x") { Zone = zone };
        var result = await host.RunAsync("autopayment");
        Assert.Equal((1, ""), (result.ExitCode, result.Stdout));
        Assert.Contains("autopayment not started: the host's clock is not that of Europe/Paris", result.Stderr);
        Assert.Empty(host.Seen);
    }

    [Fact]
    public async Task A_zone_of_the_same_clock_will_do()
    {
        using var host = new CronHost("DATABASE_URL=x") { Zone = "Europe/Berlin" };
        Assert.Equal(0, (await host.RunAsync("autopayment")).ExitCode);
    }

    [Theory]
    [InlineData("DATABASE_URL=\"secret\"", "DATABASE_URL in .* is quoted")]
    [InlineData("DATABASE_URL='secret'", "DATABASE_URL in .* is quoted")]
    [InlineData("A=1\nexport B=secret", "line 2 of .* is not NAME=value")]
    [InlineData("secret", "line 1 of .* is not NAME=value")]
    [InlineData("=secret", "line 1 of .* is not NAME=value")]
    [InlineData("JOBS_TIME_ZONE=Europe/Rome", "says JOBS_TIME_ZONE=Europe/Rome, the crontab Europe/Paris; render it anew")]
    [InlineData("JOBS_RUN=docker", "JOBS_RUN is 'executable' or 'image', not 'docker'")]
    public async Task A_mistake_in_the_file_starts_nothing_and_is_named_without_what_is_secret(string file, string why)
    {
        using var host = new CronHost(file);
        var result = await host.RunAsync("autopayment");
        Assert.Equal(1, result.ExitCode);
        Assert.Matches($"^autopayment not started: .*{why}", result.Stderr);
        Assert.DoesNotContain("secret", result.Stderr);
        Assert.Empty(host.Seen);
    }

    [Fact]
    public async Task A_file_that_everybody_can_read_starts_nothing()
    {
        using var host = new CronHost("DATABASE_URL=x");
        File.SetUnixFileMode(host.EnvironmentFile, (UnixFileMode)0b110_100_100);
        Assert.Contains("everybody can read", (await host.RunAsync("autopayment")).Stderr);
        File.Delete(host.EnvironmentFile);
        Assert.Contains("cannot be read", (await host.RunAsync("autopayment")).Stderr);
        Assert.Empty(host.Seen);
    }

    [Fact]
    public async Task A_run_that_fails_keeps_its_exit_code_and_leaves_its_result_for_cron_to_mail()
    {
        using var host = new CronHost("STUB_CODE=3");
        var result = await host.RunAsync("autopayment");
        Assert.Equal((3, ""), (result.ExitCode, result.Stdout));
        Assert.Contains("the result\nExit code 3; its log: journalctl -t autopayment\n", result.Stderr);
    }

    [Fact]
    public async Task A_run_past_its_deadline_is_stopped()
    {
        using var host = new CronHost("STUB_SLEEP=60") { Deadline = "1" };
        var result = await host.RunAsync("autopayment");
        Assert.Equal(124, result.ExitCode);
        Assert.Contains("autopayment said nothing.\nExit code 124", result.Stderr);
    }

    [Fact]
    public async Task An_image_runs_without_rights_within_its_memory_and_with_the_same_variables()
    {
        using var host = new CronHost("JOBS_RUN=image\nJOBS_IMAGE_PREFIX=registry.example/club/\nJOBS_IMAGE_TAG=1.2.3\nDATABASE_URL=x");
        Assert.Equal(0, (await host.RunAsync("expire-payments")).ExitCode);
        var line = Assert.Single(host.Seen, seen => seen.StartsWith("DOCKER=", StringComparison.Ordinal));
        Assert.Matches("^DOCKER=run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --user [0-9]+:[0-9]+ --memory 128m --network bridge ", line);
        Assert.Contains($" --env-file {host.EnvironmentFile} --env JOBS_TRIGGER --env JOBS_TIME_ZONE ", line);
        Assert.EndsWith(" registry.example/club/expire-payments:1.2.3", line);
        Assert.Contains("JOBS_TRIGGER=schedule", host.Seen);
    }

    private static int Number(Match line, string group) => int.Parse(line.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("^[A-Z_]+=[^ ]+$", RegexOptions.None, 1000)]
    private static partial Regex Variable();

    [GeneratedRegex(
        "^(?<schedule>[0-9*/,-]+( [0-9*/,-]+){4}) JOBS_DEADLINE=(?<deadline>[0-9]+) JOBS_MEMORY=(?<memory>[0-9]+) /opt/jobs/run-job (?<job>[a-z-]+)$",
        RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex JobLine();

    /// <summary>A host as cron sees it: /opt/jobs with jobs that only tell what they were given, a docker that tells its arguments, a zone.</summary>
    private sealed class CronHost : IDisposable
    {
        private const string Stub =
            """
            #!/bin/sh
            { env; echo "RAN=$(basename "$0")"; } > "$(dirname "$0")/seen"
            echo 'a line of the log' >&2
            sleep "${STUB_SLEEP:-0}"
            echo 'the result'
            exit "${STUB_CODE:-0}"
            """;

        private const string Docker =
            """
            #!/bin/sh
            { env; echo "DOCKER=$*"; } > "$(dirname "$0")/seen"
            """;

        private readonly Folder _folder = new();

        public CronHost(string environment)
        {
            EnvironmentFile = _folder.Write("env", environment + "\n");
            _folder.Write("run-job", File.ReadAllText(PostgresFixture.RepositoryFile("docker/cron/run-job")), executable: true);
            _folder.Write("docker", Docker, executable: true);
            foreach (var job in Catalogue.Jobs)
            {
                _folder.Write(job.Name, Stub, executable: true);
            }
        }

        public string EnvironmentFile { get; }

        public string Zone { get; init; } = "Europe/Paris";

        public string? Deadline { get; init; }

        /// <summary>What the job, or docker, was given.</summary>
        public string[] Seen => File.Exists(Path.Combine(_folder.Path, "seen")) ? File.ReadAllLines(Path.Combine(_folder.Path, "seen")) : [];

        /// <summary>By `sh -c`, in the environment that cron makes: the crontab's variables, HOME and LOGNAME.</summary>
        public Task<JobResult> RunAsync(string job)
        {
            var lines = Committed.Split('\n');
            var environment = lines.Where(line => Variable().IsMatch(line)).Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
            environment["PATH"] = $"{_folder.Path}:{environment["PATH"]}";
            (environment["HOME"], environment["LOGNAME"]) = ("/nonexistent", "jobs");
            (environment["TZ"], environment["JOBS_ENV_FILE"]) = (Zone, EnvironmentFile);
            var command = lines.Single(line => line.EndsWith(" " + job, StringComparison.Ordinal)).Split(' ', 6)[5].Replace("/opt/jobs", _folder.Path);
            return Shell.RunAsync(
                environment["SHELL"], ["-c", Deadline is null ? command : DeadlineOf().Replace(command, $"JOBS_DEADLINE={Deadline}")], environment);
        }

        public void Dispose() => _folder.Dispose();
    }

    [GeneratedRegex("JOBS_DEADLINE=[0-9]+", RegexOptions.None, 1000)]
    private static partial Regex DeadlineOf();
}
