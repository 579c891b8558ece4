using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Jobs.Bench;

/// <summary>One program from its start to its exit, as the kernel saw it.</summary>
/// <param name="Cpu">User and system time, all threads.</param>
/// <param name="PeakKiB">The most memory resident at once.</param>
internal sealed record Measured(int ExitCode, TimeSpan Wall, TimeSpan Cpu, long PeakKiB, string Stdout, string Stderr)
{
    /// <summary>What it got done a second, where somebody counted.</summary>
    public double Rate { get; init; }

    /// <summary>CPU of one more of what it did, where somebody counted.</summary>
    public TimeSpan CpuEach { get; init; }

    public double PeakMiB => PeakKiB / 1024.0;

    public Measured Succeeding(string what) =>
        ExitCode == 0 ? this : throw new InvalidOperationException($"{what} ended with exit code {ExitCode}: {Stdout}{Stderr}");

    /// <summary>Runs a program with exactly these variables (and PATH), as it is or in a box.</summary>
    public static Measured Run(string program, IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string?>> environment, Box? box = null)
    {
        var folder = Directory.CreateTempSubdirectory("bench");
        try
        {
            var (stdout, stderr) = (Path.Combine(folder.FullName, "out"), Path.Combine(folder.FullName, "err"));
            // The shell only steps into the box and redirects; it becomes the program, which keeps its process id.
            string?[] line = ["sh", "-c", box?.Enter + "exec \"$0\" \"$@\" >" + stdout + " 2>" + stderr + " </dev/null", program, .. arguments, null];
            string?[] variables = ["PATH=" + Environment.GetEnvironmentVariable("PATH"), .. environment.Where(e => e.Value is not null).Select(e => $"{e.Key}={e.Value}"), null];
            var clock = Stopwatch.StartNew();
            if (posix_spawn(out var pid, "/bin/sh", 0, 0, line, variables) is var failure and not 0)
                throw new InvalidOperationException($"posix_spawn: {Marshal.GetPInvokeErrorMessage(failure)}");
            using var peak = new Peak(pid);
            var usage = new long[18];
            if (wait4(pid, out var status, 0, usage) != pid)
                throw new InvalidOperationException($"wait4: {Marshal.GetLastPInvokeErrorMessage()}");
            var wall = clock.Elapsed;
            return new Measured(
                (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f),
                wall,
                // struct rusage begins with two timevals, user and system: seconds, microseconds.
                TimeSpan.FromSeconds(usage[0] + usage[2]) + TimeSpan.FromMicroseconds(usage[1] + usage[3]),
                peak.KiB,
                File.ReadAllText(stdout),
                File.ReadAllText(stderr));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [DllImport("libc", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int posix_spawn(out int pid, string path, nint actions, nint attributes, string?[] line, string?[] variables);

    [DllImport("libc", SetLastError = true)]
    private static extern int wait4(int pid, out int status, int options, [Out] long[] usage);

    /// <summary>
    /// Watches VmHWM. Not ru_maxrss: that of a spawned process begins with what its parent, this program, had resident.
    /// </summary>
    private sealed class Peak : IDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly Thread _watch;
        private long _kib;

        public Peak(int pid)
        {
            var status = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/status");
            _watch = new Thread(() =>
            {
                while (!_end.IsCancellationRequested)
                {
                    Look(status);
                    _end.Token.WaitHandle.WaitOne(2);
                }
            });
            _watch.Start();
        }

        public long KiB => _kib;

        private void Look(string status)
        {
            try
            {
                var line = File.ReadLines(status).FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
                if (line is not null)
                    _kib = Math.Max(_kib, long.Parse(line.AsSpan(6, line.Length - 9).Trim(), CultureInfo.InvariantCulture));
            }
            catch (IOException)
            {
                // It has ended.
            }
        }

        public void Dispose()
        {
            _end.Cancel();
            _watch.Join();
            _end.Dispose();
        }
    }
}
