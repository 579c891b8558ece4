using System.Diagnostics;
using Xunit;

namespace Jobs.Tests.Rendering;

/// <summary>Programs that judge what is rendered, where they are installed.</summary>
internal static class Installed
{
    public static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <returns>Its stdout; fails unless it exits 0.</returns>
    public static string Run(string program, params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(program, args) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', args)}: {error.Result}{output}");
        return output;
    }
}

/// <summary>A folder's copy, gone at the end.</summary>
internal sealed class TemporaryCopy : IDisposable
{
    public TemporaryCopy(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            var target = System.IO.Path.Combine(Path, System.IO.Path.GetRelativePath(folder, file));
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("jobs-render-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
