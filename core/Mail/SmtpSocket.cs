using System.Globalization;
using System.Net.Sockets;

namespace Jobs.Mail;

/// <summary>
/// The socket that MailKit talks through. MailKit waits without end for an answer and reads one of any length; here an answer has
/// a time limit and a size limit. And no last byte leaves to a server that broke off before it.
/// </summary>
internal sealed class SmtpSocket(Socket socket, TimeSpan patience) : NetworkStream(socket, ownsSocket: true)
{
    // A mail whose answer is lost is neither sent nor unsent: worth more patience (RFC 5321 has ten minutes).
    private const int PatienceAfterTheDot = 5;
    private const int LongestAnswer = 200_000;

    private readonly TimeSpan _usual = patience;
    private TimeSpan _patience = patience;
    private long _since = Environment.TickCount64;
    private int _received;
    private bool _lastByteHeldBack;

    /// <summary>The server spoke or hung up before the last byte of a mail, which was therefore not sent.</summary>
    public bool BrokeOff { get; private set; }

    /// <exception cref="IOException">Nobody answered in time.</exception>
    public static async Task<SmtpSocket> ConnectAsync(string host, int port, TimeSpan patience, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await WithinAsync(patience, Environment.TickCount64, async limit => { await socket.ConnectAsync(host, port, limit); return 0; }, cancellation);
            return new SmtpSocket(socket, patience);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>From now on nothing but the last byte of a mail is sent, and the answer to it awaited.</summary>
    /// <param name="alreadyGiven">The server has said more than that it waits for the mail.</param>
    public void AwaitVerdict(bool alreadyGiven)
    {
        BrokeOff = alreadyGiven || Socket.Poll(0, SelectMode.SelectRead);
        _patience = _usual * PatienceAfterTheDot;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // All of an answer, not each of its bytes, has to come in time.
        var read = await WithinAsync(_patience, _since, limit => base.ReadAsync(buffer, limit), cancellationToken);
        _received += read;
        return _received <= LongestAnswer ? read : throw new IOException("its answer has no end");
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (BrokeOff)
        {
            // MailKit takes the dot for sent and reads what the server had to say. Then there is nothing more to talk about.
            _lastByteHeldBack = !_lastByteHeldBack ? true : throw new IOException("it broke off");
            return;
        }

        if (_received > 0)
        {
            // An answer was read: this begins something new.
            (_received, _patience) = (0, _usual);
        }

        await WithinAsync(_usual, Environment.TickCount64, async limit => { await base.WriteAsync(buffer, limit); return 0; }, cancellationToken);
        _since = Environment.TickCount64;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    private static async Task<T> WithinAsync<T>(
        TimeSpan patience, long since, Func<CancellationToken, ValueTask<T>> work, CancellationToken cancellation)
    {
        var left = patience - TimeSpan.FromMilliseconds(Environment.TickCount64 - since);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        try
        {
            return await work(limit.Token);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"it did not answer within {patience.TotalSeconds:0} s"), e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        // At once: a graceful end would wait for a server that does not read.
        Socket.Close(0);
        base.Dispose(disposing);
    }
}
