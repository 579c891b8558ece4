using Jobs.Runs;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>All jobs are one program: the link by which it is started tells which of them it is.</summary>
public sealed class LinkTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("links");

    public void Dispose() => _folder.Delete(recursive: true);

    private static async Task<JobResult> RunAsync(string program, params string[] args)
    {
        using var process = JobProcess.Start(program, [], args);
        return await process.EndAsync();
    }

    [Fact]
    public async Task Every_job_answers_by_its_name()
    {
        foreach (var job in Catalogue.Jobs)
        {
            var help = await RunAsync(JobProcess.Executable(job.Name), "--help");
            Assert.Equal(0, help.ExitCode);
            Assert.Contains($"\n  {job.Name} ", help.Stdout, StringComparison.Ordinal);
        }
    }

    /// <summary>As an image does it: /job, relative, to a link elsewhere.</summary>
    [Fact]
    public async Task A_link_to_a_link_is_followed()
    {
        Assert.SkipUnless(JobProcess.Published, "a part of the tests starts the built jobs, and each of those is a program of its own");
        _folder.CreateSubdirectory("app").Refresh();
        File.CreateSymbolicLink(Path.Combine(_folder.FullName, "app", "fallback-mode"), JobProcess.Executable("fallback-mode"));
        var job = File.CreateSymbolicLink(Path.Combine(_folder.FullName, "job"), "app/fallback-mode");

        Assert.Contains("\n  fallback-mode ", (await RunAsync(job.FullName, "--help")).Stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_jobs_name_it_says_what_it_wants()
    {
        Assert.SkipUnless(JobProcess.Published, "a part of the tests starts the built jobs, and each of those is a program of its own");
        var program = new FileInfo(JobProcess.Executable("migrate")).ResolveLinkTarget(returnFinalTarget: true)!.FullName;

        var result = await RunAsync(program);

        Assert.Equal((1, ""), (result.ExitCode, result.Stdout));
        var line = Assert.Single(result.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith($"'{program}' is no job: start this program by a link with a job's name, one of ", line, StringComparison.Ordinal);
    }
}
