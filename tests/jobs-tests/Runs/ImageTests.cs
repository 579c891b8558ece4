using System.Diagnostics;
using System.Text.RegularExpressions;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>What can be said of the images without building one; `make images-test` says the rest.</summary>
public sealed partial class ImageTests
{
    private static readonly string Dockerfile = File.ReadAllText(PostgresFixture.RepositoryFile("docker/Dockerfile"));

    [Fact]
    public async Task Every_job_of_the_catalogue_has_an_image_by_its_name()
    {
        using var script = Process.Start(new ProcessStartInfo(PostgresFixture.RepositoryFile("docker/images.sh"), "names")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment = { ["IMAGE_PREFIX"] = "club", ["TAG"] = "7" },
        })!;
        var names = await script.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await script.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(
            Catalogue.Jobs.Select(j => j.Name).Append("scheduler").Select(name => $"club/{name}:7").Order(StringComparer.Ordinal),
            names.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("--mount")]
    [InlineData("--link")]
    [InlineData("--parents")]
    [InlineData("<<")]
    [InlineData("syntax=")]
    public void The_builder_before_BuildKit_understands_the_Dockerfile(string news) =>
        Assert.DoesNotContain(news, Dockerfile, StringComparison.Ordinal);

    [Fact]
    public void Whatever_the_images_are_built_from_can_be_chosen_and_is_Microsofts_or_PostgreSQLs_by_default()
    {
        var defaults = BaseImage().Matches(Dockerfile).ToDictionary(m => $"${{{m.Groups["name"].Value}}}", m => m.Groups["image"].Value, StringComparer.Ordinal);
        var stages = Stage().Matches(Dockerfile).Select(m => m.Groups["name"].Value).ToList();

        Assert.All(defaults.Where(d => d.Key != "${POSTGRES_IMAGE}"), image => Assert.StartsWith("mcr.microsoft.com/dotnet/", image.Value, StringComparison.Ordinal));
        Assert.Equal("postgres:17", defaults["${POSTGRES_IMAGE}"]);
        Assert.All(From().Matches(Dockerfile).Select(m => m.Groups["image"].Value), image => Assert.Contains(image, stages.Concat(defaults.Keys)));
    }

    [Theory]
    [InlineData("**/bin")]
    [InlineData("**/obj")]
    [InlineData("**/artifacts")]
    [InlineData("**/.env")]
    public void Neither_secrets_nor_what_was_built_here_goes_into_an_image(string left) =>
        Assert.Equal(["*", left], File.ReadAllLines(PostgresFixture.RepositoryFile(".dockerignore")).Where(line => line == "*" || line == left));

    [GeneratedRegex(@"^ARG (?<name>\w+_IMAGE)=(?<image>\S+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex BaseImage();

    [GeneratedRegex(@"^FROM (?<image>\S+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex From();

    [GeneratedRegex(@"^FROM \S+ AS (?<name>\S+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Stage();
}
