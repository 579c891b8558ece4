using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Jobs.Tests.Rig;

/// <summary>One client's connection through the proxy: two pumps, and the queue of round trips that await their answers.</summary>
internal sealed class PostgresProxyConnection(PostgresProxy proxy, int number, TcpClient client)
{
    private const int TlsRequest = 80877103;
    private const int GssRequest = 80877104;
    private const int CancelRequest = 80877102;

    /// <summary>Answers that only make sense whole; anything else goes on at once.</summary>
    private const string PartsOfAnAnswer = "123tTDCnIs";

    private readonly ConcurrentQueue<Answer> _answers = new();
    private readonly Dictionary<string, string> _statements = new(StringComparer.Ordinal);
    private TcpClient? _server;
    private volatile bool _flushed;
    private volatile bool _mute;

    /// <summary>What becomes of the answer to a round trip.</summary>
    private readonly record struct Answer(bool Withheld = false, bool OnlyErrors = false, bool Held = false, PostgresFault? Fault = null);

    public Task Running { get; private set; } = Task.CompletedTask;

    public void Start() => Running = Task.Run(RunAsync);

    public void Cut()
    {
        client.Close();
        _server?.Close();
    }

    private async Task RunAsync()
    {
        try
        {
            await ServeAsync();
        }
        catch (Exception e) when (IsDisconnection(e))
        {
            // One side went away: so does the other.
        }
        finally
        {
            Cut();
            proxy.Forget(number);
        }
    }

    private async Task ServeAsync()
    {
        var fromClient = client.GetStream();
        await using var buffered = new BufferedStream(fromClient, 64 * 1024);
        var messages = new PostgresMessages(buffered);
        PostgresMessage? first;
        while (true)
        {
            first = await messages.ReadAsync(startup: true);
            if (first?.StartupCode is not (TlsRequest or GssRequest))
                break;
            await fromClient.WriteAsync("N"u8.ToArray());
        }

        if (first is not { } startup || (proxy.IsStopped && !await UntilGoneAsync(messages)))
            return;
        _server = await proxy.ConnectToServerAsync();
        var toServer = _server.GetStream();
        if (startup.StartupCode == CancelRequest)
        {
            await toServer.WriteAsync(startup.Bytes);
            return;
        }

        if (!await SendAsync("connect", startup: true, [startup.Bytes]))
        {
            await UntilGoneAsync(messages);
            return;
        }

        var answering = Task.Run(AnswerAsync);
        await ListenAsync(messages);
        _server.Close();
        await answering;
    }

    /// <summary>From the client to the server, round trip by round trip.</summary>
    private async Task ListenAsync(PostgresMessages messages)
    {
        List<byte[]> batch = [];
        List<string> sql = [];
        while (await messages.ReadAsync() is { } message)
        {
            batch.Add(message.Bytes);
            // A statement is named twice, when it is parsed and when it is bound.
            if (SqlOf(message)?.Trim() is { } statement && sql.LastOrDefault() != statement)
                sql.Add(statement);
            switch (message.Type)
            {
                case 'S' or 'Q':
                    await SendAsync(sql.Count == 0 ? "(nothing)" : string.Join(";\n", sql), startup: false, batch);
                    (batch, sql) = ([], []);
                    break;
                case 'H':
                    // The client will wait without a Sync.
                    _flushed = true;
                    await ForwardAsync(batch);
                    batch = [];
                    break;
                case 'p' or 'X' or 'd' or 'c' or 'f':
                    await ForwardAsync(batch);
                    batch = [];
                    break;
            }
        }
    }

    private async Task<bool> SendAsync(string sql, bool startup, List<byte[]> batch)
    {
        if (proxy.Delay is { } delay)
            await Task.Delay(delay());
        await proxy.NotPausedAsync();
        var (roundTrip, forward, answer, fault, hold) = proxy.Begin(number, sql, startup);
        if (fault is not null)
        {
            await BreakAsync(fault, sql, batch);
            return true;
        }

        if (forward)
        {
            if (hold == Phase.Before)
                await proxy.HoldAsync();
            _answers.Enqueue(new Answer(Withheld: !answer, Held: hold == Phase.After));
            await ForwardAsync(batch);
            return true;
        }

        _mute = true;
        if (roundTrip > 0)
            await StopServerAsync();
        return false;
    }

    private async Task BreakAsync(PostgresFault fault, string sql, List<byte[]> batch)
    {
        if (fault.Phase == Phase.After)
        {
            _answers.Enqueue(new Answer(Fault: fault));
            await ForwardAsync(batch);
            return;
        }

        // A BEGIN that travels ahead is answered first.
        for (var patience = 0; !_answers.IsEmpty && patience < 1000; patience++)
            await Task.Delay(5);
        if (fault.Meanwhile is { } meanwhile)
            await meanwhile();
        if (fault.GoesOn)
        {
            _answers.Enqueue(new Answer());
            await ForwardAsync(batch);
        }
        else if (fault is { IsFatal: false, SqlState: { } state })
        {
            _answers.Enqueue(new Answer(OnlyErrors: true));
            await ForwardAsync([PostgresMessage.FailingQuery(state, rollBack: sql == "COMMIT")]);
        }
        else
        {
            await HangUpAsync(fault);
            throw new IOException("Cut.");
        }
    }

    /// <summary>First on the server, which then has rolled back what was open, and then on the client.</summary>
    private async Task HangUpAsync(PostgresFault fault)
    {
        _mute = true;
        await EndServerAsync();
        if (fault is { IsFatal: true, SqlState: { } state })
        {
            await client.GetStream().WriteAsync(PostgresMessage.Fatal(state));
            client.Client?.Shutdown(SocketShutdown.Send);
            // It reads that before it learns that nobody listens any more.
            await Task.Delay(100);
        }

        if (fault.Everywhere)
            proxy.DropAll();
        else
            Cut();
    }

    private async Task ForwardAsync(List<byte[]> batch)
    {
        if (_mute)
            return;
        await proxy.NotPausedAsync();
        await _server!.GetStream().WriteAsync(batch.Count == 1 ? batch[0] : batch.SelectMany(bytes => bytes).ToArray());
    }

    /// <summary>From the server to the client. The answer that a stop withholds is read to its end and dropped.</summary>
    private async Task AnswerAsync()
    {
        try
        {
            await PassOnAsync();
        }
        catch (Exception e) when (IsDisconnection(e))
        {
            // One side hung up.
        }

        // A server that hangs up without the answer (no connection left, an administrator's command) has done what it will do.
        if (_answers.TryPeek(out var answer) && answer.Withheld)
            proxy.Stopped();
        // After a stop the client must not learn even that the server went away.
        if (!_mute && !proxy.IsStopped)
            client.Close();
    }

    private async Task PassOnAsync()
    {
        await using var buffered = new BufferedStream(_server!.GetStream(), 64 * 1024);
        var messages = new PostgresMessages(buffered);
        var toClient = client.GetStream();
        using var held = new MemoryStream();
        while (await messages.ReadAsync() is { } message)
        {
            _answers.TryPeek(out var answer);
            if (answer.Withheld)
            {
                // Only the exchange of passwords has to go on, else the server never gets to its answer.
                if (message.Type == 'R')
                    await toClient.WriteAsync(message.Bytes);
                if (message.Type != 'Z')
                    continue;
                _mute = true;
                await StopServerAsync();
                return;
            }

            if (answer.OnlyErrors && message.Type is not ('E' or 'Z'))
                continue;
            held.Write(message.Bytes);
            if (answer.Fault is { } fault && message.Type != 'R')
            {
                if (message.Type != 'Z')
                    continue;
                if (fault.Meanwhile is { } meanwhile)
                    await meanwhile();
                if (!fault.GoesOn)
                {
                    if (fault.Halfway)
                        await toClient.WriteAsync(held.GetBuffer().AsMemory(0, (int)held.Length / 2));
                    await HangUpAsync(fault);
                    return;
                }
            }

            if (!_flushed && held.Length < 64 * 1024 && PartsOfAnAnswer.Contains(message.Type, StringComparison.Ordinal))
                continue;
            if (answer.Held && message.Type == 'Z')
                await proxy.HoldAsync();
            await proxy.NotPausedAsync();
            await toClient.WriteAsync(held.GetBuffer().AsMemory(0, (int)held.Length));
            held.SetLength(0);
            if (message.Type == 'Z')
            {
                _answers.TryDequeue(out _);
                _flushed = false;
            }
        }

    }

    private async Task StopServerAsync()
    {
        await EndServerAsync();
        proxy.Stopped();
    }

    /// <summary>Hangs up on the server and waits until it has hung up too: by then it has rolled back what was open.</summary>
    private async Task EndServerAsync()
    {
        try
        {
            _server!.Client?.Shutdown(SocketShutdown.Send);
            var rest = new byte[4096];
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            while (await _server.GetStream().ReadAsync(rest, limit.Token) > 0)
            {
            }
        }
        catch (Exception e) when (IsDisconnection(e) || e is OperationCanceledException)
        {
            // Gone already, or stuck: what matters is that nothing more is sent.
        }
    }

    private static async Task<bool> UntilGoneAsync(PostgresMessages messages)
    {
        while (await messages.ReadAsync() is not null)
        {
        }

        return false;
    }

    /// <summary>What streams and sockets throw when either side closes them, at whatever moment.</summary>
    private static bool IsDisconnection(Exception e) =>
        e is IOException or SocketException or InvalidOperationException or NotSupportedException;

    private string? SqlOf(PostgresMessage message)
    {
        switch (message.Type)
        {
            case 'Q':
                return message.Text(0);
            case 'P':
                return _statements[message.Text(0)] = message.Text(1);
            case 'B':
                return _statements.GetValueOrDefault(message.Text(1));
            default:
                return null;
        }
    }
}
