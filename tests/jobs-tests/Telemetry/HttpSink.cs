using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Jobs.Tests.Telemetry;

/// <summary>What somebody sent.</summary>
public sealed record Sent(string Method, string Target, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);
    public string Path => Target.Split('?')[0];
}

public enum Manner
{
    Well,
    Never,
    Closes,
    Error500,

    /// <summary>A header that comes byte by byte, and no end of it.</summary>
    Trickles,

    /// <summary>The header at once, of a body the bytes one by one.</summary>
    SlowBody,

    /// <summary>Another address, which must not be followed.</summary>
    Redirects,
}

/// <summary>An HTTP server on loopback that takes everything, and answers in a manner of its own.</summary>
public sealed class HttpSink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentQueue<Sent> _sent = new();
    private readonly Task _accepting;

    public HttpSink(Manner manner = Manner.Well)
    {
        Manner = manner;
        _listener.Start(100);
        _accepting = AcceptAsync();
    }

    public Manner Manner { get; set; }

    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public IReadOnlyList<Sent> Requests => [.. _sent];

    public async Task<IReadOnlyList<Sent>> UntilAsync(Func<IReadOnlyList<Sent>, bool> enough)
    {
        for (var end = DateTime.UtcNow.AddSeconds(60); !enough(Requests); await Task.Delay(20))
        {
            if (DateTime.UtcNow > end)
                throw new TimeoutException($"only {string.Join(", ", Requests.Select(r => $"{r.Method} {r.Target}"))}");
        }

        return Requests;
    }

    /// <summary>A port of loopback on which nobody listens.</summary>
    public static string Refusing()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        return string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
    }

    private async Task AcceptAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        try
        {
            await using var stream = client.GetStream();
            while (await ReadAsync(stream) is { } sent)
            {
                _sent.Enqueue(sent);
                if (!await AnswerAsync(stream))
                    return;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // Whoever sent it went away.
        }
    }

    private async Task<Sent?> ReadAsync(NetworkStream stream)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (head.Count < 4 || !head[^4..].SequenceEqual("\r\n\r\n"u8.ToArray()))
        {
            if (await stream.ReadAsync(one, _end.Token) == 0)
                return null;
            head.Add(one[0]);
        }

        var lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(h => h[0], h => h[1], StringComparer.OrdinalIgnoreCase);
        var body = new byte[headers.TryGetValue("Content-Length", out var length) ? int.Parse(length, CultureInfo.InvariantCulture) : 0];
        await stream.ReadExactlyAsync(body, _end.Token);
        var first = lines[0].Split(' ');
        return new Sent(first[0], first[1], headers, body);
    }

    /// <returns>Whether the connection is good for another.</returns>
    private async Task<bool> AnswerAsync(NetworkStream stream)
    {
        switch (Manner)
        {
            case Manner.Well:
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"u8.ToArray(), _end.Token);
                return true;
            case Manner.Error500:
                await stream.WriteAsync("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"u8.ToArray(), _end.Token);
                return true;
            case Manner.Redirects:
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 302 Found\r\nLocation: http://{Address}/elsewhere\r\nContent-Length: 0\r\n\r\n"), _end.Token);
                return true;
            case Manner.Closes:
                return false;
            case Manner.SlowBody:
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"u8.ToArray(), _end.Token);
                await TrickleAsync(stream);
                return false;
            case Manner.Trickles:
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nX-Slow: "u8.ToArray(), _end.Token);
                await TrickleAsync(stream);
                return false;
            default:
                await Task.Delay(Timeout.Infinite, _end.Token);
                return false;
        }
    }

    private async Task TrickleAsync(NetworkStream stream)
    {
        while (true)
        {
            await stream.WriteAsync("x"u8.ToArray(), _end.Token);
            await Task.Delay(200, _end.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        _end.Dispose();
    }
}
