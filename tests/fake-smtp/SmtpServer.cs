using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Jobs.Testing.FakeSmtp;

/// <summary>A mail server on loopback that keeps what it is sent, tells what was said, and goes wrong where it is told to.</summary>
public sealed class SmtpServer : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _ending = new();
    private readonly ConcurrentQueue<CaughtMail> _mails = new();
    private readonly ConcurrentQueue<string> _said = new();
    private readonly ConcurrentDictionary<SmtpStep, int> _times = new();
    private readonly List<SmtpFault> _faults = [];
    private readonly Lock _lock = new();
    private Task _accepting = Task.CompletedTask;
    private TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _held;
    private int _open;
    private int _connections;
    private long _count;

    private SmtpServer(SmtpServerOptions options)
    {
        Options = options;
        _listener = new TcpListener(IPAddress.Loopback, options.Port);
    }

    internal SmtpServerOptions Options { get; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The mails kept so far.</summary>
    public IReadOnlyList<CaughtMail> Mails => [.. _mails];

    /// <summary>Mails received, kept or not.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>Connections accepted so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Every line of both sides, the mails' texts aside: <c>C: EHLO host</c>, <c>S: 250 ok</c>.</summary>
    public IReadOnlyList<string> Said => [.. _said];

    public static SmtpServer Start(SmtpServerOptions? options = null)
    {
        var server = new SmtpServer(options ?? new SmtpServerOptions());
        server._listener.Start();
        server._accepting = server.AcceptAsync();
        return server;
    }

    public void Fault(SmtpFault fault)
    {
        lock (_lock)
            _faults.Add(fault);
    }

    public void ClearFaults()
    {
        lock (_lock)
            _faults.Clear();
        _times.Clear();
    }

    /// <summary>Forgets mails, conversations and faults.</summary>
    public void Reset()
    {
        ClearFaults();
        _mails.Clear();
        _said.Clear();
        Interlocked.Exchange(ref _count, 0);
        Interlocked.Exchange(ref _connections, 0);
        Release();
    }

    /// <summary>Waits until a conversation hangs.</summary>
    public async Task HeldAsync(TimeSpan? within = null)
    {
        var until = DateTime.UtcNow + (within ?? TimeSpan.FromSeconds(30));
        while (Volatile.Read(ref _held) == 0)
        {
            if (DateTime.UtcNow > until)
                throw new TimeoutException($"no conversation came as far as it was to be held:\n{string.Join('\n', _said)}");
            await Task.Delay(5);
        }
    }

    /// <summary>Lets all that hang go on.</summary>
    public void Release()
    {
        lock (_lock)
        {
            _released.TrySetResult();
            _released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    internal SmtpFault? FaultAt(SmtpStep step)
    {
        lock (_lock)
        {
            var time = _times.AddOrUpdate(step, 1, (_, n) => n + 1);
            return _faults.Find(f => f.Step == step && time >= f.Nth && time < (long)f.Nth + f.Times);
        }
    }

    internal async Task HangAsync()
    {
        Task released;
        lock (_lock)
            released = _released.Task;
        Interlocked.Increment(ref _held);
        try
        {
            await released.WaitAsync(_ending.Token);
        }
        finally
        {
            Interlocked.Decrement(ref _held);
        }
    }

    internal void Say(string line)
    {
        if (Options.Keeps)
            _said.Enqueue(line);
    }

    internal async Task KeepAsync(CaughtMail mail)
    {
        var number = Interlocked.Increment(ref _count);
        if (Options.Keeps)
            _mails.Enqueue(mail);
        if (Options.Directory is { } folder)
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{number:000000}-{string.Concat(mail.To.Select(c => char.IsLetterOrDigit(c) || c is '.' or '-' or '@' ? c : '_'))}.eml"), mail.Bytes);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_ending.Token);
                client.NoDelay = true;
                Interlocked.Increment(ref _connections);
                _ = TalkAsync(client);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The server ends.
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        var crowded = Interlocked.Increment(ref _open) > Options.MostConnections;
        try
        {
            using (client)
                await new SmtpSession(this, client, crowded).TalkAsync(_ending.Token);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException
            or InvalidOperationException or System.Security.Authentication.AuthenticationException or SmtpSession.HangUpException)
        {
            Say($"S: (hung up: {e.Message})");
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Stop();
        await _accepting;
        _ending.Dispose();
    }
}
