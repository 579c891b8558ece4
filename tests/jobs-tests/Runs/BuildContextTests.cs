using System.Text.RegularExpressions;
using System.Xml.Linq;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>.dockerignore lets through every file that the Dockerfiles compile. No engine is needed to tell.</summary>
public sealed partial class BuildContextTests
{
    private static readonly string Root = PostgresFixture.RepositoryFile("");

    private static readonly string[] Ignore =
        [.. File.ReadAllLines(PostgresFixture.RepositoryFile(".dockerignore")).Where(line => line.Length > 0 && line[0] != '#')];

    public static TheoryData<string> Dockerfiles => [.. Directory.EnumerateFiles(Path.Combine(Root, "docker"), "*Dockerfile").Select(Relative)];

    [Theory]
    [MemberData(nameof(Dockerfiles))]
    public void Every_file_that_an_image_is_built_from_is_in_the_build_context(string dockerfile)
    {
        var missing = Inputs(dockerfile).Where(file => !IsSent(Ignore, file)).Order(StringComparer.Ordinal).ToList();
        Assert.True(missing.Count == 0, $"{dockerfile} does not build: .dockerignore keeps out {string.Join(", ", missing.Take(5))}");
    }

    [Fact]
    public void A_shared_folder_that_dockerignore_forgets_is_found()
    {
        string[] forgetful = [.. Ignore.Where(line => line != "!tests/fake*"), "!tests/fake-smtp", "!tests/fake-stripe", "!tests/fake-sumup"];
        Assert.Equal(
            ["tests/fakes/LoopbackHost.cs", "tests/fakes/Waiting.cs"],
            Inputs("docker/fakes.Dockerfile").Where(file => !IsSent(forgetful, file)).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("core/Database/Db.cs", true)]
    [InlineData("Directory.Packages.props", true)]
    [InlineData("core/obj/project.assets.json", false)]
    [InlineData("jobs/autopayment/.env", false)]
    [InlineData("tests/jobs-tests/jobs-tests.csproj", false)]
    [InlineData("README.md", false)]
    public void The_patterns_are_read_as_Docker_reads_them(string path, bool sent) => Assert.Equal(sent, IsSent(Ignore, path));

    /// <summary>The last pattern that matches a path, or a folder that it is in, decides.</summary>
    private static bool IsSent(IEnumerable<string> patterns, string path)
    {
        var sent = true;
        foreach (var pattern in patterns)
        {
            var expression = Regex.Escape(pattern.TrimStart('!')).Replace(@"\*\*/", "(.*/)?", StringComparison.Ordinal).Replace(@"\*", "[^/]*", StringComparison.Ordinal);
            if (Regex.IsMatch(path, $"^{expression}(/.*)?$", RegexOptions.None, TimeSpan.FromSeconds(1)))
            {
                sent = pattern[0] == '!';
            }
        }

        return sent;
    }

    /// <summary>The files that a Dockerfile names, and the sources of the projects that it builds and of all that these refer to.</summary>
    private static HashSet<string> Inputs(string dockerfile)
    {
        var text = string.Join('\n', File.ReadLines(Path.Combine(Root, dockerfile)).Where(line => !line.StartsWith('#')));
        var named = PathInText().Matches(text).Select(match => match.Value)
            .Where(path => !path.StartsWith("artifacts/", StringComparison.Ordinal) && File.Exists(Path.Combine(Root, path))).ToList();
        var fakes = LoopOverFakes().Match(text).Groups["names"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(fake => $"tests/{fake}/{fake}.csproj");
        var projects = named.Where(path => path.EndsWith(".csproj", StringComparison.Ordinal)).Concat(fakes).ToList();
        Assert.True(projects.Count > 0, $"which projects {dockerfile} builds is not understood");

        var inputs = named.Append("global.json").Append(".editorconfig").ToHashSet(StringComparer.Ordinal);
        var waiting = new Queue<string>(projects.Select(project => Path.GetFullPath(Path.Combine(Root, project))));
        var read = waiting.ToHashSet(StringComparer.Ordinal);
        while (waiting.TryDequeue(out var project))
        {
            var folder = Path.GetDirectoryName(project)!;
            inputs.UnionWith(Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Append(Path.Combine(folder, "packages.lock.json")).Select(Relative));
            foreach (var file in BuildFiles(project))
            {
                inputs.Add(Relative(file));
                foreach (var (kind, path) in References(file, folder))
                {
                    inputs.Add(Relative(path));
                    if (kind == "ProjectReference" && read.Add(path))
                    {
                        waiting.Enqueue(path);
                    }
                }
            }
        }

        return inputs;
    }

    /// <summary>The project file, what MSBuild adds to it from the folders above, and what these import.</summary>
    private static HashSet<string> BuildFiles(string project)
    {
        var waiting = new Queue<string>([project]);
        foreach (var name in new[] { "Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props" })
        {
            for (var folder = Path.GetDirectoryName(project); folder is not null && folder.Length >= Root.TrimEnd('/').Length; folder = Path.GetDirectoryName(folder))
            {
                if (File.Exists(Path.Combine(folder, name)))
                {
                    waiting.Enqueue(Path.Combine(folder, name));
                    break;
                }
            }
        }

        var files = new HashSet<string>(StringComparer.Ordinal);
        while (waiting.TryDequeue(out var file))
        {
            if (files.Add(file))
            {
                foreach (var import in XDocument.Load(file).Descendants("Import").Select(import => import.Attribute("Project")!.Value))
                {
                    waiting.Enqueue(Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, import)));
                }
            }
        }

        return files;
    }

    private static IEnumerable<(string Kind, string Path)> References(string file, string folder) =>
        from item in XDocument.Load(file).Descendants()
        where item.Name.LocalName is "ProjectReference" or "Compile" or "EmbeddedResource" or "Content" or "None"
        let include = item.Attribute("Include")?.Value
        where include is not null
        let path = include.Replace("$(MSBuildThisFileDirectory)", Path.GetDirectoryName(file) + "/", StringComparison.Ordinal)
        from found in Expand(folder, path)
        select (item.Name.LocalName, found);

    private static IEnumerable<string> Expand(string folder, string path)
    {
        Assert.False(path.Contains("$(", StringComparison.Ordinal) || path.Contains("**", StringComparison.Ordinal), $"this test cannot read the path {path}");
        IEnumerable<string> found = [path.StartsWith('/') ? "/" : folder];
        foreach (var part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            found = part.Contains('*', StringComparison.Ordinal)
                ? [.. found.Where(Directory.Exists).SelectMany(parent => Directory.EnumerateFileSystemEntries(parent, part))]
                : [.. found.Select(parent => Path.GetFullPath(Path.Combine(parent, part)))];
        }

        return found.Where(File.Exists);
    }

    private static string Relative(string path) => Path.GetRelativePath(Root, path);

    [GeneratedRegex(@"[\w.-]+(/[\w.-]+)+", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PathInText();

    [GeneratedRegex("for fake in (?<names>[^;]+);", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LoopOverFakes();
}
