using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Jobs.Doctor;
using Jobs.Pauses;
using Jobs.Render;
using Jobs.Runs;
using Jobs.Schedules;
using Jobs.Settle;
using Jobs.Starting;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>One name everywhere: folder, project, catalogue, solution, README.</summary>
public sealed partial class CatalogueTests
{
    private static readonly string[] Folders =
        [.. Directory.GetDirectories(PostgresFixture.RepositoryFile("jobs")).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Names => [.. Catalogue.Jobs.Select(j => j.Name)];

    [Fact]
    public void Every_folder_of_a_job_has_an_entry_and_every_entry_a_folder() =>
        Assert.Equal(Folders.Append("migrate").Order(StringComparer.Ordinal), Catalogue.Jobs.Select(j => j.Name).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_job_is_in_the_solution_and_in_the_readme(string name)
    {
        Assert.Contains($"\\{name}.csproj\"", File.ReadAllText(PostgresFixture.RepositoryFile("Jobs.sln")), StringComparison.Ordinal);
        Assert.Contains($"`{name}`", File.ReadAllText(PostgresFixture.RepositoryFile("README.md")), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_jobs_project_file_says_nothing_but_that_it_is_one(string name)
    {
        if (Catalogue.Find(name).Kind is JobKind.Schema or JobKind.Tool)
        {
            // One embeds its scripts, the other draws tables on terminals: no job does.
            return;
        }

        var text = File.ReadAllText(PostgresFixture.RepositoryFile($"jobs/{name}/{name}.csproj")).Trim();
        Assert.Equal("<Project Sdk=\"Microsoft.NET.Sdk\" />", text);
        Assert.Empty(XDocument.Parse(text).Root!.Elements());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_schedule_is_five_fields_that_crontab_understands(string name)
    {
        if (Catalogue.Find(name).Schedule is not { } schedule)
        {
            return;
        }

        var fields = schedule.Split(' ');
        (int Least, int Most)[] limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        Assert.Equal(limits.Length, fields.Length);
        Assert.All(fields.Zip(limits), pair =>
        {
            var match = Field().Match(pair.First);
            Assert.True(match.Success, $"{name}: {pair.First}");
            foreach (var number in match.Groups["n"].Captures.Select(c => int.Parse(c.Value, System.Globalization.CultureInfo.InvariantCulture)))
            {
                Assert.InRange(number, pair.Second.Least, pair.Second.Most);
            }
        });
    }

    [Fact]
    public void Entries_are_complete_and_no_two_daily_jobs_start_together()
    {
        Assert.All(Catalogue.Jobs, job =>
        {
            Assert.Matches("^[a-z]+(-[a-z]+)*$", job.Name);
            Assert.Matches(@"^[A-Z].*\.$", job.Summary);
            Assert.InRange(job.Timeout, TimeSpan.FromMinutes(1), TimeSpan.FromHours(12));
            Assert.All(job.Needs, need => Assert.Contains(need, Settings.KnownNames));
            Assert.Equal(job.Kind == JobKind.Scheduled, job.Schedule is not null);
            Assert.True(!job.MovesMoney || job.Needs.Length > 0 || job.Kind == JobKind.OnDemand, job.Name);
        });
        var schedules = Catalogue.Jobs.Select(j => j.Schedule).OfType<string>().Where(schedule => schedule != "* * * * *").ToList();
        Assert.Equal(schedules.Count, schedules.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void Every_variable_is_in_the_example_of_an_environment()
    {
        var example = File.ReadAllLines(PostgresFixture.RepositoryFile(".env.example"));
        ToolCommand[] commands =
        [
            Jobs.Dashboard.Command, NextCommand.Command, RenderCommand.Command, Metrics.MetricsCommand.Command,
            DoctorCommand.Command, ResolveCommand.Command, PauseCommand.Command, ResumeCommand.Command, RunCommand.Command, BackfillCommand.Command, ManifestCommand.Command,
            Ledger.StatusCommand.Command, Ledger.HistoryCommand.Command, Ledger.ShowCommand.Command, Explain.ExplainCommand.Command, Report.ReportCommand.Command,
        ];
        Assert.All(
            Settings.KnownNames.Concat(commands.SelectMany(command => command.Options).Select(option => option.EnvironmentVariable)),
            name => Assert.Contains(example, line => line.TrimStart('#').StartsWith(name + "=", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_newest_script_that_a_job_asks_for_is_the_last_in_the_folder()
    {
        var last = Directory.GetFiles(PostgresFixture.RepositoryFile("migrations/scripts"), "*.sql").Select(f => Path.GetFileName(f)).Max(StringComparer.Ordinal);
        var latest = typeof(Catalogue).Assembly.GetType("Jobs.Runs.RunLedger")!
            .GetField("LatestScript", BindingFlags.Static | BindingFlags.Public)!.GetRawConstantValue();
        Assert.Equal(last, latest);
    }

    [GeneratedRegex(@"^(\*|(?<n>\d+)(-(?<n>\d+))?(,(?<n>\d+)(-(?<n>\d+))?)*)(/(?<n>\d+))?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Field();
}
