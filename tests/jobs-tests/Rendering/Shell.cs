using System.Diagnostics;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Rendering;

/// <summary>Programs of the machine, with exactly the environment that they are given.</summary>
internal static class Shell
{
    /// <returns>Its path; null when this machine lacks it.</returns>
    public static string? Find(string program) =>
        new[] { "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin" }.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    public static async Task<JobResult> RunAsync(string program, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        foreach (var (name, value) in environment ?? [new("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")])
        {
            start.Environment[name] = value;
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var (stdout, stderr) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        await process.WaitForExitAsync(limit.Token);
        return new JobResult(process.ExitCode, await stdout, await stderr);
    }
}
