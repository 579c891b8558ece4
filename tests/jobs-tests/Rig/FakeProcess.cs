using System.Diagnostics;

namespace Jobs.Tests.Rig;

/// <summary>A fake provider as a process of its own on a free port. It dies with this process: its standard input closes.</summary>
public sealed class FakeProcess : IAsyncDisposable
{
    private readonly Process _process;

    private FakeProcess(Process process, Uri address)
    {
        (_process, Base) = (process, address);
        Control = new HttpClient { BaseAddress = new Uri(address, "/_fake/") };
    }

    /// <summary><c>http://127.0.0.1:port/</c></summary>
    public Uri Base { get; }

    /// <summary>How it is steered.</summary>
    public HttpClient Control { get; }

    public int Id => _process.Id;

    /// <param name="name">Such as <c>fake-stripe</c>.</param>
    public static async Task<FakeProcess> StartAsync(string name, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Program(name), ["--exit-with-stdin", .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var line = await process.StandardOutput.ReadLineAsync(limit.Token);
        return line is not null && line.StartsWith("listening on ", StringComparison.Ordinal)
            ? new FakeProcess(process, new Uri(line["listening on ".Length..]))
            : throw new InvalidOperationException($"{name} did not start: {line}");
    }

    public async ValueTask DisposeAsync()
    {
        Control.Dispose();
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    /// <summary>What the build left beside the program that asks, same configuration first; or what JOBS_FAKE_STRIPE and the like name.</summary>
    private static string Program(string name)
    {
        var variable = $"JOBS_{name.Replace('-', '_').ToUpperInvariant()}";
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } given)
            return given;
        var own = new DirectoryInfo(AppContext.BaseDirectory).Name;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            foreach (var configuration in new[] { own, "debug", "release" })
            {
                var program = Path.Combine(folder.FullName, "artifacts", "bin", name, configuration, name);
                if (File.Exists(program))
                    return program;
            }
        }

        throw new FileNotFoundException($"no {name} program: build tests/{name} or set {variable}");
    }
}
