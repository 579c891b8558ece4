using Jobs.Render;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Rendering;

/// <summary>The files that schedule the jobs are those of the catalogue, and nothing else need be touched for a new job.</summary>
public sealed class RenderTests
{
    /// <summary>A job that nobody has written.</summary>
    internal static readonly JobDefinition NewJob = new(
        "water-plants", "Waters the plants.", "30 5 * * 1-5", TimeSpan.FromMinutes(9), JobKind.Scheduled, [], MovesMoney: false)
    {
        MemoryMiB = 192,
    };

    public static TheoryData<string> Targets => [.. Target.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void The_committed_files_are_as_the_catalogue_says(string target)
    {
        var changes = Find(target).Changes(PostgresFixture.RepositoryFile("docker"), Catalogue.Jobs, "Europe/Paris").ToList();
        Assert.True(changes.Count == 0, $"run `make render` and commit what it writes: {string.Join(", ", changes.Select(change => change.Path))}");
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_new_job_needs_only_to_be_rendered_and_one_that_is_gone_leaves_nothing_behind(string target)
    {
        using var folder = new Folder();
        Assert.NotEmpty(Make(target, folder, Catalogue.Jobs));
        Assert.Empty(Make(target, folder, Catalogue.Jobs));
        var before = folder.Read();

        Assert.NotEmpty(Make(target, folder, [.. Catalogue.Jobs, NewJob]));
        var with = folder.Read();
        Assert.Contains(with, file => file.Value.Contains("water-plants", StringComparison.Ordinal));
        Assert.Empty(Make(target, folder, [.. Catalogue.Jobs, NewJob]));

        Assert.NotEmpty(Make(target, folder, Catalogue.Jobs));
        Assert.Equal(before, folder.Read());
        Assert.Empty(folder.EmptyFolders());
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void What_somebody_else_put_there_stays(string target)
    {
        using var folder = new Folder();
        Make(target, folder, Catalogue.Jobs);
        var place = Directory.CreateDirectory(Path.Combine(folder.Path, "systemd"));
        var own = Path.Combine(place.FullName, "own.conf");
        File.WriteAllText(own, "# mine\n");
        Make(target, folder, Catalogue.Jobs);
        Assert.Equal("# mine\n", File.ReadAllText(own));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Another_zone_is_rendered_as_told(string target)
    {
        var files = Find(target).Files(Catalogue.Jobs, "America/New_York").ToList();
        Assert.Contains(files, file => file.Text.Contains("America/New_York", StringComparison.Ordinal));
        Assert.DoesNotContain(files, file => file.Text.Contains("Europe/Paris", StringComparison.Ordinal));
    }

    internal static Target Find(string name) => Target.All.Single(target => target.Name == name);

    private static List<Change> Make(string target, Folder folder, IReadOnlyList<JobDefinition> jobs)
    {
        var changes = Find(target).Changes(folder.Path, jobs, "Europe/Paris").ToList();
        changes.ForEach(change => change.Make());
        return changes;
    }
}
