using System.Diagnostics;

namespace Jobs.Tests.Rig;

/// <summary>
/// The fake SumUp as a process of its own on a free port, one for all tests: what separates them is that each has a merchant of
/// its own, see <see cref="SumUpMerchant"/>. It dies with the test process.
/// </summary>
public sealed class FakeSumUpProcess
{
    private static readonly Lazy<Task<FakeSumUpProcess>> Started = new(StartAsync);

    // Held: its standard input closes with us.
    private readonly Process _process;

    private FakeSumUpProcess(Process process, Uri address)
    {
        (_process, Base) = (process, address);
        Control = new HttpClient { BaseAddress = new Uri(address, "/_fake/") };
    }

    /// <summary>What SUMUP_API_BASE is set to: <c>http://127.0.0.1:port/</c>.</summary>
    public Uri Base { get; }

    public HttpClient Control { get; }

    public int ProcessId => _process.Id;

    public static Task<FakeSumUpProcess> SharedAsync() => Started.Value;

    private static async Task<FakeSumUpProcess> StartAsync()
    {
        var start = new ProcessStartInfo(Program()) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        start.ArgumentList.Add("--exit-with-stdin");
        var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var line = await process.StandardOutput.ReadLineAsync(limit.Token);
        return line is not null && line.StartsWith("listening on ", StringComparison.Ordinal)
            ? new FakeSumUpProcess(process, new Uri(line["listening on ".Length..]))
            : throw new InvalidOperationException($"fake-sumup did not start: {line}");
    }

    private static string Program()
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory).Name;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            foreach (var configuration in new[] { own, "debug", "release" })
            {
                var program = Path.Combine(folder.FullName, "artifacts", "bin", "fake-sumup", configuration, "fake-sumup");
                if (File.Exists(program))
                    return program;
            }
        }

        throw new FileNotFoundException("no fake-sumup program: build tests/fake-sumup");
    }
}
