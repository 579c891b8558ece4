using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// A program that works for the run, with pipes to it. It does not outlive the run: it is ended when this is disposed of, and when
/// the run is killed its pipes break, also that of its messages.
/// </summary>
internal sealed class Child : IAsyncDisposable
{
    private const int MostLines = 6;
    private const int Terminate = 15;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly string[] Inherited = ["PATH", "HOME", "GNUPGHOME", "TMPDIR"];
    private static readonly string[] Telling = ["error:", "fatal:", "detail:", "hint:", "FATAL:", "ERROR:", "DETAIL:", "HINT:"];

    private readonly Process _process;
    private readonly Task _listening;
    private readonly List<string> _told = [];
    private string _last = "";
    private bool _deaf;

    private Child(Process process, Action<string>? onLine)
    {
        _process = process;
        _listening = ListenAsync(onLine);
    }

    public required string Name { get; init; }
    public Stream Stdin => _process.StandardInput.BaseStream;
    public Stream Stdout => _process.StandardOutput.BaseStream;

    /// <summary>The lines that tell what went wrong.</summary>
    public IReadOnlyList<string> Told => _told;

    /// <param name="environment">All it is to know, besides where programs and its home are.</param>
    /// <param name="onLine">Hears each of its messages.</param>
    /// <param name="name">What it is called when it fails; null: as the program.</param>
    public static Child Start(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, Action<string>? onLine = null, string? name = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.Environment.Clear();
        foreach (var variable in Inherited)
        {
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value)
            {
                start.Environment[variable] = value;
            }
        }

        start.Environment["LC_ALL"] = "C";
        foreach (var (variable, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[variable] = value;
        }

        try
        {
            return new Child(Process.Start(start)!, onLine) { Name = Path.GetFileName(name ?? program) };
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new OperatorException($"{program} cannot be started ({e.Message}); install it, or name another", e);
        }
    }

    private async Task ListenAsync(Action<string>? onLine)
    {
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            if (line.Length > 0)
            {
                _last = line;
                onLine?.Invoke(line);
            }

            if (_told.Count < MostLines && Array.Exists(Telling, word => line.Contains(word, StringComparison.Ordinal)))
            {
                _told.Add(line.Trim());
            }
        }
    }

    /// <summary>Copies into it, and closes its input. What it has no use for any more is read all the same.</summary>
    public async Task FeedAsync(Stream from, Func<ReadOnlyMemory<byte>, Task>? also, CancellationToken cancellation)
    {
        await CopyAsync(
            from,
            async bytes =>
            {
                await OfferAsync(bytes, cancellation);
                if (also is not null)
                {
                    await also(bytes);
                }
            },
            cancellation);
        CloseInput();
    }

    /// <summary>Writes to it, unless it has ended: its exit code then tells why.</summary>
    public async Task OfferAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        try
        {
            if (!_deaf)
            {
                await Stdin.WriteAsync(bytes, cancellation);
            }
        }
        catch (IOException)
        {
            _deaf = true;
        }
    }

    public void CloseInput()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended.
        }
    }

    public static async Task CopyAsync(Stream from, Func<ReadOnlyMemory<byte>, Task> to, CancellationToken cancellation)
    {
        var buffer = new byte[128 * 1024];
        while (await from.ReadAsync(buffer, cancellation) is > 0 and var read)
        {
            await to(buffer.AsMemory(0, read));
        }
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> ExitAsync(CancellationToken cancellation)
    {
        await _process.WaitForExitAsync(cancellation);
        await _listening.WaitAsync(cancellation);
        return _process.ExitCode;
    }

    /// <exception cref="OperatorException">It failed; the sentence quotes what it said.</exception>
    public async Task SucceedAsync(CancellationToken cancellation)
    {
        if (await ExitAsync(cancellation) != 0)
        {
            throw Failure();
        }
    }

    public OperatorException Failure() => new(string.Create(
        CultureInfo.InvariantCulture, $"{Name} failed with exit code {_process.ExitCode}: {(_told.Count > 0 ? string.Join(' ', _told) : _last)}"));

    /// <summary>Asks it to end when that is cancelled: who waits for one of its pipes then goes on.</summary>
    public CancellationTokenRegistration EndWith(CancellationToken cancellation) => cancellation.Register(() => _ = EndAsync());

    /// <summary>Asks it to end, so that it also tells PostgreSQL, and ends it if it does not.</summary>
    private async Task EndAsync()
    {
        try
        {
            if (_process.HasExited)
            {
                return;
            }

            _ = kill(_process.Id, Terminate);
            using var patience = new CancellationTokenSource(Patience);
            try
            {
                await _process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
                await _process.WaitForExitAsync(CancellationToken.None);
            }
        }
        catch (InvalidOperationException)
        {
            // Disposed of just now.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _process.Dispose();
    }

    [DllImport("libc")]
    private static extern int kill(int process, int signal);
}
