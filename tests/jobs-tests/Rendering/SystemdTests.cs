using System.Globalization;
using System.Text.RegularExpressions;
using Jobs.Billing;
using Jobs.Render;
using Jobs.Runs;
using Xunit;

namespace Jobs.Tests.Rendering;

public sealed partial class SystemdTests
{
    private const string NoSystemd = "systemd-analyze is not on this machine (Debian: apt-get install systemd)";

    private static readonly string? Analyze = Shell.Find("systemd-analyze");

    /// <summary>What the units use, and what may be used in them: nothing misspelt gets past.</summary>
    private static readonly Dictionary<string, string[]> Directives = new(StringComparer.Ordinal)
    {
        ["Unit"] = ["Description", "Wants", "After", "PartOf"],
        ["Install"] = ["WantedBy"],
        ["Timer"] = ["OnCalendar", "Persistent", "AccuracySec"],
        ["Service"] =
        [
            "Type", "ExecStart", "ExecStopPost", "Environment", "EnvironmentFile", "SyslogIdentifier", "TimeoutStartSec", "TimeoutStopSec", "MemoryMax",
            "User", "DynamicUser", "StateDirectory", "UMask", "NoNewPrivileges", "CapabilityBoundingSet", "ProtectSystem", "ProtectHome", "ProtectProc",
            "ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectControlGroups", "PrivateTmp",
            "PrivateDevices", "PrivateUsers", "RemoveIPC", "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
            "LockPersonality", "KeyringMode", "SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber",
            "MemoryDenyWriteExecute",
        ],
    };

    private static IEnumerable<JobDefinition> Scheduled => Catalogue.Jobs.Where(job => job.Schedule is not null);

    public static TheoryData<string> Names => [.. Scheduled.Select(job => job.Name)];

    private static IEnumerable<RenderedFile> Files => RenderTests.Find("systemd").Files(Catalogue.Jobs, "Europe/Paris");

    [Fact]
    public void Every_line_of_every_unit_is_one_that_systemd_knows() => Assert.All(Files, file =>
    {
        var section = "";
        foreach (var line in file.Text.TrimEnd('\n').Split('\n').Where(line => line.Length > 0 && !line.StartsWith('#')))
        {
            if (Section().Match(line) is { Success: true } match)
            {
                section = match.Groups["name"].Value;
                Assert.Contains(section, Directives.Keys);
                continue;
            }

            Assert.True(line.Contains('='), $"{file.Path}: {line}");
            Assert.Contains(line.Split('=')[0], Directives[section]);
        }

        Assert.EndsWith("\n", file.Text);
    });

    [Fact]
    public void Every_scheduled_job_has_a_timer_that_the_target_wants_and_its_limits()
    {
        var files = Files.ToDictionary(file => file.Path, file => file.Text);
        Assert.Equal(
            Scheduled.Select(job => $"Wants=jobs@{job.Name}.timer"),
            files["systemd/jobs.target"].Split('\n').Where(line => line.StartsWith("Wants=", StringComparison.Ordinal)));
        Assert.All(Scheduled, job =>
        {
            var limits = files[$"systemd/jobs@{job.Name}.service.d/limits.conf"].Split('\n');
            Assert.Contains($"TimeoutStartSec={job.Deadline.TotalSeconds}s", limits);
            Assert.Contains($"MemoryMax={job.MemoryMiB}M", limits);
            Assert.Contains("WantedBy=jobs.target", files[$"systemd/jobs@{job.Name}.timer"].Split('\n'));
        });
        Assert.DoesNotContain(files.Keys, path => path.Contains("record-payment", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Systemd_has_nothing_to_say_about_the_units()
    {
        Assert.SkipWhen(Analyze is null, NoSystemd);
        using var folder = new Folder();
        Assert.Equal("", await VerifyAsync(folder, text => text));
        // With the images.
        folder.Write("jobs@.service.d/image.conf", Files.Single(file => file.Path == "systemd/image.conf").Text.Replace("/usr/bin/docker", "/bin/true"));
        Assert.Equal("", await VerifyAsync(folder, text => text));
        Assert.Contains("Unknown key", await VerifyAsync(folder, text => text.Replace("ProtectClock=", "ProtectClok=")));
    }

    [Fact]
    public async Task A_service_is_hardly_exposed()
    {
        Assert.SkipWhen(Analyze is null, NoSystemd);
        using var folder = new Folder();
        var unit = folder.Write("jobs@.service", Files.Single(file => file.Path == "systemd/jobs@.service").Text);
        var result = await Shell.RunAsync(Analyze, ["security", "--offline=true", "--no-pager", unit]);
        var match = Exposure().Match(result.Stdout);
        Assert.True(match.Success, result.ToString());
        Assert.InRange(double.Parse(match.Groups["level"].Value, CultureInfo.InvariantCulture), 0, 2.0);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public Task Systemd_elapses_when_the_schedule_says(string name) => ElapsesAsync(Catalogue.Find(name).Schedule!, "Europe/Paris");

    [Theory]
    [InlineData("30 2 * * *", "Europe/Paris")]
    [InlineData("15,45 1-3 * * *", "America/New_York")]
    [InlineData("0 */6 1,15 * *", "Australia/Lord_Howe")]
    [InlineData("5 4 * 2-11/3 *", "Europe/Paris")]
    [InlineData("0 9 * * 1-5", "Asia/Kolkata")]
    [InlineData("7-59/20 * * * *", "Europe/Paris")]
    public Task So_it_does_for_schedules_that_no_job_has_yet(string schedule, string zone) => ElapsesAsync(schedule, zone);

    /// <summary>A year of it, or of what runs every hour both nights on which clocks change.</summary>
    private static async Task ElapsesAsync(string text, string zoneId)
    {
        Assert.SkipWhen(Analyze is null, NoSystemd);
        var (schedule, zone) = (new CronSchedule(text), new BusinessZone(zoneId));
        (DateTime From, DateTime To)[] stretches = schedule.EveryHour
            ? [(Utc(2027, 3, 27), Utc(2027, 3, 29)), (Utc(2027, 10, 30), Utc(2027, 11, 1))]
            : [(Utc(2026, 11, 21), Utc(2027, 11, 21))];
        foreach (var (from, to) in stretches)
        {
            // A local time that comes twice elapses once.
            var expected = zone.Instants(schedule, from).TakeWhile(at => at < to).DistinctBy(at => schedule.EveryHour ? at : zone.OnTheWall(at).DateTime).ToList();
            var result = await Shell.RunAsync(
                Analyze,
                [
                    "calendar", $"--iterations={expected.Count}", string.Create(CultureInfo.InvariantCulture, $"--base-time={from.AddSeconds(-1):yyyy-MM-dd HH:mm:ss} UTC"),
                    SystemdUnits.OnCalendar(schedule, zoneId),
                ],
                [new("TZ", "UTC"), new("LANG", "C.UTF-8")]);
            Assert.Equal(expected, Elapse().Matches(result.Stdout).Select(match => DateTime.Parse(
                match.Groups["at"].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal)));
        }
    }

    private static async Task<string> VerifyAsync(Folder folder, Func<string, string> edit)
    {
        foreach (var file in Files.Where(file => file.Path != "systemd/image.conf"))
        {
            // Nothing is installed here.
            folder.Write(file.Path["systemd/".Length..], edit(file.Text).Replace("ExecStart=/opt/jobs/%i", "ExecStart=/bin/true"));
        }

        string[] units = ["jobs.target", "jobs@.service", .. Scheduled.SelectMany(job => new[] { $"jobs@{job.Name}.timer", $"jobs@{job.Name}.service" })];
        // An instance is a link to its template.
        foreach (var job in Scheduled.Where(job => !File.Exists(Path.Combine(folder.Path, $"jobs@{job.Name}.service"))))
        {
            File.CreateSymbolicLink(Path.Combine(folder.Path, $"jobs@{job.Name}.service"), "jobs@.service");
        }

        var result = await Shell.RunAsync(Analyze!, ["verify", "--man=no", .. units.Select(unit => Path.Combine(folder.Path, unit))]);
        return result.Stderr;
    }

    private static DateTime Utc(int year, int month, int day) => new(year, month, day, 0, 0, 0, DateTimeKind.Utc);

    [GeneratedRegex(@"^\[(?<name>[A-Z][a-z]+)\]$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Section();

    [GeneratedRegex(@"(Next elapse|Iter\. #\d+): [A-Z][a-z]{2} (?<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Elapse();

    [GeneratedRegex(@"Overall exposure level for .*: (?<level>\d+\.\d)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Exposure();
}
