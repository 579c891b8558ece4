using System.Diagnostics;
using System.Threading.Channels;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Dashboard;

/// <summary>Follows `jobctl dashboard --watch` line by line, as a script does, and knows when each line came.</summary>
internal sealed class Follower : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task _reading;
    private readonly Task<string> _stderr;
    private readonly Channel<(string Line, long At)> _lines = Channel.CreateUnbounded<(string, long)>();

    private Follower(Process process)
    {
        _process = process;
        _stderr = process.StandardError.ReadToEndAsync();
        _reading = ReadAsync();
    }

    public static Follower Start(JobWorld world, params string[] args) => Start(world.Environment, args);

    public static Follower Start(IEnumerable<KeyValuePair<string, string?>> environment, params string[] args)
    {
        var start = new ProcessStartInfo(JobProcess.Executable("jobctl"))
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        foreach (var argument in new[] { "dashboard", "--watch" }.Concat(args))
        {
            start.ArgumentList.Add(argument);
        }

        return new Follower(Process.Start(start)!);
    }

    /// <summary>The next line that contains a text, and the <see cref="Stopwatch.GetTimestamp"/> at which it came.</summary>
    public async Task<(string Line, long At)> LineAsync(string containing, TimeSpan? within = null)
    {
        using var limit = new CancellationTokenSource(within ?? TimeSpan.FromSeconds(30));
        var passed = new List<string>();
        try
        {
            await foreach (var line in _lines.Reader.ReadAllAsync(limit.Token))
            {
                if (line.Line.Contains(containing, StringComparison.Ordinal))
                {
                    return line;
                }

                passed.Add(line.Line);
            }
        }
        catch (OperationCanceledException)
        {
            // Said below.
        }

        throw new InvalidOperationException($"no line with '{containing}' came; these did:\n{string.Join('\n', passed)}{(_process.HasExited ? "\n" + await _stderr : "")}");
    }

    /// <param name="signal">TERM or INT.</param>
    /// <returns>Exit code and stderr.</returns>
    public async Task<(int ExitCode, string Stderr)> SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        return await EndAsync();
    }

    public async Task<(int ExitCode, string Stderr)> EndAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        await _process.WaitForExitAsync(limit.Token);
        return (_process.ExitCode, await _stderr);
    }

    private async Task ReadAsync()
    {
        try
        {
            while (await _process.StandardOutput.ReadLineAsync() is { } line)
            {
                _lines.Writer.TryWrite((line, Stopwatch.GetTimestamp()));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // We left.
        }

        _lines.Writer.TryComplete();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _reading;
        _process.Dispose();
    }
}
