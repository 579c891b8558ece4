using System.Diagnostics;
using System.Text.Json;

namespace Jobs.Tests.Rig;

/// <summary>What a run of a published job left behind.</summary>
public sealed record JobResult(int ExitCode, string Stdout, string Stderr)
{
    /// <summary>The one JSON object on stdout; fails when there is anything else.</summary>
    public JsonElement Json => JsonDocument.Parse(Stdout).RootElement;

    public long Counter(string name) =>
        Json.GetProperty("counters").TryGetProperty(name, out var value) ? value.GetInt64() : 0;

    public override string ToString() => $"exit {ExitCode}\n{Stdout}\n{Stderr}";
}

/// <summary>A published job, compiled as it ships, as a process of its own.</summary>
public sealed class JobProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _stdout;
    private readonly Task<string> _stderr;

    private JobProcess(Process process)
    {
        _process = process;
        _stdout = process.StandardOutput.ReadToEndAsync();
        _stderr = process.StandardError.ReadToEndAsync();
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Starts with exactly these variables (and PATH): nothing leaks in from the tests' own environment.</summary>
    /// <param name="job">Its name, or a program's path.</param>
    /// <param name="environment">Variables without a value are left out.</param>
    /// <param name="args">The command line.</param>
    public static JobProcess Start(string job, IEnumerable<KeyValuePair<string, string?>> environment, params string[] args)
    {
        var start = new ProcessStartInfo(job.StartsWith('/') ? job : Executable(job))
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        // Where a built job, which is not compiled ahead of time, finds its runtime.
        if (!Published && Environment.GetEnvironmentVariable("DOTNET_ROOT") is { } root)
            start.Environment["DOTNET_ROOT"] = root;
        foreach (var (name, value) in environment)
        {
            if (value is not null)
            {
                start.Environment[name] = value;
            }
        }

        foreach (var argument in args)
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return new JobProcess(process);
    }

    public async Task<JobResult> EndAsync(TimeSpan? within = null)
    {
        using var limit = new CancellationTokenSource(within ?? TimeSpan.FromSeconds(120));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException e)
        {
            var threads = Threads();
            Kill();
            throw new TimeoutException($"{_process.StartInfo.FileName} did not end in time\n{await _stdout}\n{await _stderr}\n{threads}", e);
        }

        return new JobResult(_process.ExitCode, await _stdout, await _stderr);
    }

    /// <summary>What each thread is called, and the kernel function and system call it waits in.</summary>
    private string Threads()
    {
        var lines = new List<string>();
        foreach (var thread in Directory.GetDirectories($"/proc/{_process.Id}/task"))
        {
            lines.Add($"  {Read(Path.Combine(thread, "comm"))}: {Read(Path.Combine(thread, "wchan"))}, system call {Read(Path.Combine(thread, "syscall")).Split(' ')[0]}");
        }

        return string.Join('\n', lines);

        static string Read(string file)
        {
            try
            {
                return File.ReadAllText(file).Trim();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return "?";
            }
        }
    }

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill();
            _process.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    /// <param name="signal">A name kill(1) knows: TERM, INT, STOP, CONT.</param>
    public void Signal(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Whether processes are the published jobs. A part of the tests is run with the built ones, which need no compiling ahead of time.</summary>
    public static bool Published { get; } = Environment.GetEnvironmentVariable("JOBS_PROGRAMS") != "built";

    /// <summary>`make publish` puts it there; JOBS_PUBLISHED names another folder of the same shape.</summary>
    public static string Executable(string job)
    {
        if (!Published)
            return Path.Combine(AppContext.BaseDirectory, job);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var root = Environment.GetEnvironmentVariable("JOBS_PUBLISHED") ?? Path.Combine(folder.FullName, "artifacts", "jobs");
            var path = Path.Combine(root, job, job);
            if (File.Exists(path))
            {
                return path;
            }
        }

        throw new InvalidOperationException($"{job} is not published; run `make publish` first");
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }
}
