using System.Diagnostics;

namespace Jobs.Testing;

/// <summary>
/// A small shell that does one thing when our end of its standard input closes. The kernel closes it even when this process
/// is killed with SIGKILL, so nothing outlives us.
/// </summary>
internal sealed class Supervisor : IDisposable
{
    private readonly Process _process;
    private readonly SemaphoreSlim _turn = new(1, 1);

    public Supervisor(ServerAccount account, string script, params string[] arguments)
    {
        // A session of its own, where possible, so that Ctrl+C and a kill of our process group leave it to clean up.
        string[] session = Command.Find("setsid") is { } setsid ? [setsid] : [];
        string[] line = [.. session, .. account.Prefix, "sh", "-c", script, "throwaway-postgres", .. arguments];
        _process = Process.Start(Command.Describe(line[0], line[1..]))!;
    }

    /// <summary>Whether the shell did as told.</summary>
    public async Task<bool> TellAsync(string order, CancellationToken cancel)
    {
        await _turn.WaitAsync(cancel);
        try
        {
            await _process.StandardInput.WriteLineAsync(order.AsMemory(), cancel);
            await _process.StandardInput.FlushAsync(cancel);
            return await AnswerAsync(cancel);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task<bool> AnswerAsync(CancellationToken cancel) =>
        string.Equals(await _process.StandardOutput.ReadLineAsync(cancel), "ok", StringComparison.Ordinal);

    /// <summary>Closes its input and waits until it has cleaned up.</summary>
    public async Task EndAsync()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // Already gone.
        }

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(40));
        await _process.WaitForExitAsync(limit.Token);
    }

    public void Dispose()
    {
        _process.Dispose();
        _turn.Dispose();
    }
}
