using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Jobs.Tests.Rig;

/// <summary>Where in a round trip a program is stopped.</summary>
public enum Phase
{
    /// <summary>The server never hears of it.</summary>
    Before,

    /// <summary>The server has done it, and the program never learns.</summary>
    After,
}

/// <summary>One round trip: the SQL texts it carried, and the step it is, which tells one COMMIT from another.</summary>
public sealed record RoundTrip(int Number, int Connection, string Sql, string Step)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number} [{Connection}] {Sql}");
}

/// <summary>
/// Stands between a program and PostgreSQL, counts the round trips of all its connections in order of arrival, and can stop
/// the program's world just before or just after any of them, so that it may be killed there.
/// </summary>
/// <remarks>
/// A round trip is what the client sends up to a Sync or a simple Query, with the server's answer up to ReadyForQuery. Npgsql's
/// BEGIN is one of its own, although it travels with the next. Connecting is one too, unless asked otherwise. Plain TCP
/// only: requests for TLS are declined.
/// </remarks>
public sealed partial class PostgresProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<int, PostgresProxyConnection> _connections = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly string _host;
    private readonly int _port;
    private readonly bool _countStartup;
    private readonly Lock _lock = new();
    private readonly List<RoundTrip> _log = [];
    private readonly Dictionary<int, string> _previous = [];
    private TaskCompletionSource _reached = NewSignal();
    private TaskCompletionSource? _paused;
    private Task _accepting = Task.CompletedTask;
    private int _roundTrips;
    private int _accepted;
    private int _stopAt;
    private string? _stopStep;
    private int _stepsToGo;
    private Phase _phase;
    private string? _breakStep;
    private int _breaksToGo;
    private PostgresFault? _fault;
    private string? _holdStep;
    private int _holdsToGo;
    private Phase _holdPhase;
    private readonly TaskCompletionSource _held = NewSignal();
    private readonly TaskCompletionSource _letGo = NewSignal();

    private PostgresProxy(string host, int port, bool countStartup)
    {
        _host = host;
        _port = port;
        _countStartup = countStartup;
    }

    /// <summary>Where the program connects, on 127.0.0.1.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Round trips begun since the start or the last <see cref="Reset"/>.</summary>
    public int RoundTrips
    {
        get
        {
            lock (_lock)
                return _roundTrips;
        }
    }

    /// <summary>Completes when the stop is reached and the server has ended that connection, rolling back what was open.</summary>
    public Task Reached
    {
        get
        {
            lock (_lock)
                return _reached.Task;
        }
    }

    /// <summary>Asked at each round trip, for how long it is held back.</summary>
    public Func<TimeSpan>? Delay { get; set; }

    public IReadOnlyList<RoundTrip> Log
    {
        get
        {
            lock (_lock)
                return [.. _log];
        }
    }

    /// <param name="host">Of the server.</param>
    /// <param name="port">Of the server.</param>
    /// <param name="countStartup">Whether connecting and authenticating counts as a round trip.</param>
    public static Task<PostgresProxy> StartAsync(string host, int port, bool countStartup = true)
    {
        var proxy = new PostgresProxy(host, port, countStartup);
        proxy._listener.Start();
        proxy._accepting = proxy.AcceptAsync();
        return Task.FromResult(proxy);
    }

    /// <summary>
    /// Stops at the n-th round trip since the last <see cref="Reset"/>. From then on no client hears or is heard: those that wait
    /// go on waiting until they are killed, also on other connections. What was begun earlier is finished by the server.
    /// </summary>
    public void StopAt(int n, Phase phase)
    {
        lock (_lock)
            (_stopAt, _phase) = (n, phase);
    }

    /// <summary>
    /// Stops at the n-th time of a <see cref="RoundTrip.Step"/>: the same place, however the connections of a program that does
    /// several things at once interleave.
    /// </summary>
    public void StopAt(string step, int time, Phase phase)
    {
        lock (_lock)
            (_stopStep, _stepsToGo, _phase) = (step, time, phase);
    }

    /// <summary>
    /// At the n-th time of a <see cref="RoundTrip.Step"/> something goes wrong; the program lives, is heard and goes on.
    /// </summary>
    public void BreakAt(string step, int time, PostgresFault fault)
    {
        lock (_lock)
            (_breakStep, _breaksToGo, _fault) = (step, time, fault);
    }

    /// <summary>How often that went wrong.</summary>
    public int Broken { get; private set; }

    /// <summary>
    /// Holds the n-th time of a <see cref="RoundTrip.Step"/> back on its connection alone, before the server hears of it or before
    /// the program hears the answer, until <see cref="LetGo"/>: then all goes on.
    /// </summary>
    public void HoldAt(string step, int time, Phase phase)
    {
        lock (_lock)
            (_holdStep, _holdsToGo, _holdPhase) = (step, time, phase);
    }

    /// <summary>Completes when the round trip is held.</summary>
    public Task Held => _held.Task;

    public void LetGo() => _letGo.TrySetResult();

    internal Task HoldAsync()
    {
        _held.TrySetResult();
        return _letGo.Task;
    }

    /// <summary>Cuts what is connected, counts from zero again and stops nowhere.</summary>
    public void Reset()
    {
        DropAll();
        lock (_lock)
        {
            _log.Clear();
            _previous.Clear();
            _roundTrips = _stopAt = Broken = 0;
            _stopStep = _breakStep = null;
            _reached = NewSignal();
        }

        Resume();
    }

    /// <summary>Cuts all connections, as a failing network or a restarting pooler does.</summary>
    public void DropAll()
    {
        foreach (var connection in _connections.Values)
            connection.Cut();
    }

    /// <summary>Holds back everything in both directions until <see cref="Resume"/>.</summary>
    public void Pause()
    {
        lock (_lock)
            _paused ??= NewSignal();
    }

    public void Resume()
    {
        lock (_lock)
        {
            _paused?.TrySetResult();
            _paused = null;
        }
    }

    /// <summary>The stop was reached and the server said nothing more for so long that it was taken for done.</summary>
    public bool GaveUp { get; private set; }

    /// <summary>Where it is, for a test that waited in vain.</summary>
    public override string ToString()
    {
        lock (_lock)
        {
            var last = _log.TakeLast(6).Select(trip => $"\n  {trip.Number} [{trip.Connection}] {string.Join(' ', trip.Sql.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
            return $"the proxy: {(IsStopped ? "stopped" : "running")}, {_connections.Count} connections of {_accepted}; the last round trips:{string.Concat(last)}";
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Stop();
        Resume();
        LetGo();
        DropAll();
        await _accepting;
        await Task.WhenAll(_connections.Values.Select(connection => connection.Running));
        _ending.Dispose();
    }

    internal Task NotPausedAsync()
    {
        lock (_lock)
            return _paused?.Task ?? Task.CompletedTask;
    }

    /// <summary>Counts a round trip.</summary>
    internal (int Number, bool Forward, bool Answer, PostgresFault? Fault, Phase? Hold) Begin(int connection, string sql, bool startup)
    {
        if (startup && !_countStartup)
            return (0, true, true, null, null);
        lock (_lock)
        {
            if (_stopAt > 0 && _roundTrips >= _stopAt)
                return (0, false, false, null, null);
            var named = RunId().Replace(sql, "*");
            var step = sql == "COMMIT" && _previous.TryGetValue(connection, out var previous) ? $"COMMIT of {previous}" : named;
            _previous[connection] = named;
            _log.Add(new RoundTrip(++_roundTrips, connection, sql, step));
            if (step == _stopStep && --_stepsToGo == 0)
                _stopAt = _roundTrips;
            var stops = _roundTrips == _stopAt;
            if (stops)
                _ = StoppedAtLastAsync(_reached);
            var fault = IsToBreak(step) && (--_breaksToGo == 0 || (_breaksToGo < 0 && _fault!.Lasts)) ? _fault : null;
            if (fault is not null)
                Broken++;
            Phase? hold = step == _holdStep && --_holdsToGo == 0 ? _holdPhase : null;
            return (_roundTrips, !(stops && _phase == Phase.Before), !stops, fault, hold);
        }
    }

    // What is done a second time may have another first statement, which then takes the settings along.
    private bool IsToBreak(string step) =>
        step == _breakStep || (_breaksToGo <= 0 && _breakStep is { } wanted && _fault!.Lasts && WithoutSettings(step) == WithoutSettings(wanted));

    private static string WithoutSettings(string step)
    {
        while (step.StartsWith("SET LOCAL ", StringComparison.Ordinal) && step.IndexOf(';', StringComparison.Ordinal) is > 0 and var end)
            step = step[(end + 1)..].TrimStart();
        return step;
    }

    internal bool IsStopped
    {
        get
        {
            lock (_lock)
                return _stopAt > 0 && _roundTrips >= _stopAt;
        }
    }

    internal void Stopped()
    {
        lock (_lock)
            _reached.TrySetResult();
    }

    // Nothing is heard any more, so that a server that never answers cannot be told from one that has: long enough for its time-outs.
    private async Task StoppedAtLastAsync(TaskCompletionSource reached)
    {
        if (await Task.WhenAny(reached.Task, Task.Delay(TimeSpan.FromSeconds(40), _ending.Token)) != reached.Task)
        {
            GaveUp = true;
            reached.TrySetResult();
        }
    }

    internal void Forget(int connection) => _connections.TryRemove(connection, out _);

    internal async Task<TcpClient> ConnectToServerAsync()
    {
        var server = new TcpClient { NoDelay = true };
        try
        {
            await server.ConnectAsync(_host, _port);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_ending.Token);
                client.NoDelay = true;
                var connection = new PostgresProxyConnection(this, ++_accepted, client);
                _connections[_accepted] = connection;
                connection.Start();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The proxy ends.
        }
    }

    // What a run calls after itself, such as a database to restore into, is the same step in the next.
    [GeneratedRegex("[0-9a-f]{32}", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex RunId();

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
