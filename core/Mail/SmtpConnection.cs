using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Jobs.Runs;

namespace Jobs.Mail;

/// <summary>
/// One connection to a mail server (RFC 5321), for one mail after the other. It knows at every moment whether the last byte of
/// a mail has left, and believes the server nothing else: answers are limited in length, number and time.
/// </summary>
internal sealed class SmtpConnection : IAsyncDisposable
{
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(2);
    // What is lost here is neither sent nor unsent: worth more patience (RFC 5321 has ten minutes).
    private const int PatienceAfterTheDot = 5;
    private const int LongestLine = 2048;
    private const int MostLines = 100;

    private readonly SmtpUrl _url;
    private readonly TcpClient _tcp = new() { NoDelay = true };
    private readonly byte[] _received = new byte[LongestLine];
    private Stream _stream = Stream.Null;
    private Dictionary<string, string> _extensions = [];
    private string _step = "connecting";
    private string? _login;
    private int _from;
    private int _until;
    private bool _needsReset;

    private SmtpConnection(SmtpUrl url) => _url = url;

    /// <summary>False: to be thrown away.</summary>
    public bool IsUsable { get; private set; } = true;

    private string Place => string.Create(CultureInfo.InvariantCulture, $"the mail server {_url.Host}:{_url.Port}");

    /// <exception cref="StopRunException">The server cannot be used as SMTP_URL says.</exception>
    public static async Task<SmtpConnection> OpenAsync(SmtpUrl url, CancellationToken cancellation)
    {
        var connection = new SmtpConnection(url);
        try
        {
            await connection.ConnectAsync(cancellation);
            return connection;
        }
        catch (Exception e)
        {
            await connection.CloseAsync();
            if (e is SmtpBrokenException)
            {
                throw new StopRunException($"{connection.Place} cannot be used: {e.Message}; check SMTP_URL and the server", e);
            }

            throw;
        }
    }

    private async Task ConnectAsync(CancellationToken cancellation)
    {
        await TimedAsync(_url.Timeout, async limit =>
        {
            await _tcp.ConnectAsync(_url.Host, _url.Port, limit);
            _stream = _tcp.GetStream();
        }, cancellation);
        if (_url.ImplicitTls)
        {
            await EncryptAsync(cancellation);
        }

        _step = "its greeting";
        Expect(await ReplyAsync(_url.Timeout, cancellation), 220);
        await HelloAsync(cancellation);
        await SecureAsync(cancellation);
        await LogInAsync(cancellation);
    }

    private async Task HelloAsync(CancellationToken cancellation)
    {
        var name = Environment.MachineName.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-') ? Environment.MachineName : "localhost";
        var reply = await CommandAsync("EHLO", $"EHLO {name}", cancellation);
        if (reply.Code is >= 500 and not 554)
        {
            // So old that it knows no extensions.
            reply = await CommandAsync("HELO", $"HELO {name}", cancellation);
            _extensions = [];
            Expect(reply, 250);
            return;
        }

        Expect(reply, 250);
        _extensions = [];
        foreach (var line in reply.Lines.Skip(1))
        {
            var words = line.Split(' ', 2);
            // AUTH=LOGIN is how some servers of old said AUTH LOGIN.
            _extensions[words[0].ToUpperInvariant()] = words.Length > 1 ? words[1].Trim().ToUpperInvariant() : "";
        }
    }

    private async Task SecureAsync(CancellationToken cancellation)
    {
        if (_url.ImplicitTls || _url.StartTls == StartTls.Off)
        {
            return;
        }

        if (!_extensions.ContainsKey("STARTTLS"))
        {
            var needed = _url.StartTls == StartTls.Required || (_url.User is not null && !_url.IsLoopback);
            if (needed)
            {
                throw new StopRunException(
                    $"{Place} offers no STARTTLS, and {(_url.User is null ? "SMTP_URL requires it" : "the password is not sent in the clear")}; use smtps://, or ?starttls=off in a network you trust");
            }

            return;
        }

        Expect(await CommandAsync("STARTTLS", "STARTTLS", cancellation), 220);
        if (_from < _until)
        {
            // What was slipped in before the encryption would be taken for the server's own words after it.
            throw new SmtpBrokenException("it said more before the encryption than it may");
        }

        await EncryptAsync(cancellation);
        await HelloAsync(cancellation);
    }

    private async Task EncryptAsync(CancellationToken cancellation)
    {
        _step = "TLS";
        var encrypted = new SslStream(_stream);
        _stream = encrypted;
        try
        {
            await TimedAsync(_url.Timeout, limit => encrypted.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = _url.Host }, limit), cancellation);
        }
        catch (AuthenticationException e)
        {
            throw new StopRunException(
                $"{Place} shows a TLS certificate that was refused ({e.Message}); check the host in SMTP_URL, or name its root certificate in SSL_CERT_FILE", e);
        }
    }

    private async Task LogInAsync(CancellationToken cancellation)
    {
        if (_url.User is not { } user || _url.Password is not { } password)
        {
            return;
        }

        var mechanisms = _extensions.GetValueOrDefault("AUTH", "").Split(' ');
        SmtpReply reply;
        if (mechanisms.Contains("PLAIN"))
        {
            reply = await CommandAsync("AUTH", $"AUTH PLAIN {_login = Base64($"\0{user}\0{password}")}", cancellation);
        }
        else if (mechanisms.Contains("LOGIN"))
        {
            reply = await CommandAsync("AUTH", "AUTH LOGIN", cancellation);
            reply = reply.Code == 334 ? await CommandAsync("AUTH", Base64(user), cancellation) : reply;
            reply = reply.Code == 334 ? await CommandAsync("AUTH", _login = Base64(password), cancellation) : reply;
        }
        else
        {
            throw new StopRunException($"{Place} offers no login by PLAIN or LOGIN; take user and password out of SMTP_URL, or use another port");
        }

        if (reply.Code != 235)
        {
            throw new StopRunException($"{Place} refused the login ({reply}); check user and password in SMTP_URL");
        }
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    /// <exception cref="SmtpBrokenException">Before <paramref name="handOver"/> was called: nothing was delivered.</exception>
    public async Task<Delivery> DeliverAsync(OutgoingMail mail, Func<Task<bool>> handOver, CancellationToken cancellation)
    {
        try
        {
            return Cannot(mail) is { } reason ? new Delivery(DeliveryOutcome.Refused, reason) : await ConverseAsync(mail, handOver, cancellation);
        }
        catch
        {
            IsUsable = false;
            throw;
        }
    }

    private string? Cannot(OutgoingMail mail)
    {
        if ((mail.To.NeedsSmtpUtf8 || mail.From.NeedsSmtpUtf8) && !_extensions.ContainsKey("SMTPUTF8"))
        {
            return "the mail server takes no addresses with letters beyond ASCII (SMTPUTF8)";
        }

        return _extensions.TryGetValue("SIZE", out var size) && long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var most)
            && most > 0 && mail.Bytes.Length > most
                ? string.Create(CultureInfo.InvariantCulture, $"the mail has {mail.Bytes.Length} bytes, the mail server takes {most} at most")
                : null;
    }

    private async Task<Delivery> ConverseAsync(OutgoingMail mail, Func<Task<bool>> handOver, CancellationToken cancellation)
    {
        if (_needsReset)
        {
            Expect(await CommandAsync("RSET", "RSET", cancellation), 250);
            _needsReset = false;
        }

        if (await AnnounceAsync(mail, cancellation) is { } refusal)
        {
            return refusal;
        }

        await SendBodyAsync(mail.Bytes, cancellation);
        _step = "the mail's text";
        // Listening already: what the server says or does before the last byte has left is about no mail of ours.
        var answer = ReplyAsync(_url.Timeout * PatienceAfterTheDot, cancellation);
        if (!await handOver())
        {
            IsUsable = false;
            await CloseAsync();
            await Task.WhenAny(answer);
            _ = answer.Exception;
            return new Delivery(DeliveryOutcome.LeftToAnother);
        }

        return answer.IsCompleted ? await BrokenOffAsync(answer) : await DotAsync(answer, cancellation);
    }

    /// <summary>Sender, recipient and the wish to send, at once where the server allows it.</summary>
    /// <returns>Null: the server waits for the text.</returns>
    private async Task<Delivery?> AnnounceAsync(OutgoingMail mail, CancellationToken cancellation)
    {
        var size = _extensions.ContainsKey("SIZE") ? string.Create(CultureInfo.InvariantCulture, $" SIZE={mail.Bytes.Length}") : "";
        var utf8 = mail.To.NeedsSmtpUtf8 || mail.From.NeedsSmtpUtf8 ? " SMTPUTF8" : "";
        (string Step, string Line)[] commands =
            [("MAIL", $"MAIL FROM:<{mail.From.Value}>{size}{utf8}"), ("RCPT", $"RCPT TO:<{mail.To.Value}>"), ("DATA", "DATA")];
        _needsReset = true;
        var pipelined = _extensions.ContainsKey("PIPELINING");
        if (pipelined)
        {
            _step = "MAIL";
            await WriteAsync(Encoding.UTF8.GetBytes(string.Concat(commands.Select(c => c.Line + "\r\n"))), cancellation);
        }

        Delivery? refusal = null;
        foreach (var (step, line) in commands)
        {
            var reply = pipelined ? await AnswerAsync(step, cancellation) : await CommandAsync(step, line, cancellation);
            var taken = step == "DATA" ? reply.Code == 354 : reply.IsPositive;
            if (step == "DATA" && taken && refusal is not null)
            {
                // It waits for a text although it took nobody to send it to: only hanging up ends that without a mail.
                IsUsable = false;
            }

            if (!taken)
            {
                refusal ??= Refusal(step, reply);
                if (!pipelined || !IsUsable)
                {
                    break;
                }
            }
        }

        return refusal;
    }

    private Delivery Refusal(string step, SmtpReply reply)
    {
        IsUsable &= !reply.EndsConversation;
        // Not about this mail: the next would be refused as well, and none of them may be given up for it.
        if (reply.IsAboutLogin || (step == "MAIL" && reply.Code is >= 500 and not 552))
        {
            throw new StopRunException($"{Place} refused the sender at {step} ({reply}); check MAIL_FROM, and user and password in SMTP_URL");
        }

        return reply.Code switch
        {
            >= 400 and < 500 => new Delivery(DeliveryOutcome.Deferred, $"{step}: {reply}"),
            >= 500 => new Delivery(DeliveryOutcome.Refused, $"{step}: {reply}"),
            _ => throw new SmtpBrokenException($"it said {reply} at {step}"),
        };
    }

    private async Task SendBodyAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        _step = "the mail's text";
        await WriteAsync(DotStuffed(bytes), cancellation);
    }

    /// <summary>A line that begins with a dot gets another, so that none looks like the end (RFC 5321, 4.5.2).</summary>
    internal static ReadOnlyMemory<byte> DotStuffed(ReadOnlyMemory<byte> bytes)
    {
        var body = bytes.Span;
        if (!body.StartsWith("."u8) && body.IndexOf("\n."u8) < 0)
        {
            return bytes;
        }

        var stuffed = new List<byte>(body.Length + 16);
        for (var i = 0; i < body.Length; i++)
        {
            if (body[i] == '.' && (i == 0 || body[i - 1] == '\n'))
            {
                stuffed.Add((byte)'.');
            }

            stuffed.Add(body[i]);
        }

        return stuffed.ToArray();
    }

    /// <summary>The server spoke or hung up before the last byte: whatever it said, nothing was delivered.</summary>
    private async Task<Delivery> BrokenOffAsync(Task<SmtpReply> answer)
    {
        IsUsable = false;
        try
        {
            var reply = await answer;
            return new Delivery(reply.Code >= 500 ? DeliveryOutcome.Refused : DeliveryOutcome.Deferred, $"{_step}: {reply}");
        }
        catch (SmtpBrokenException e)
        {
            return new Delivery(DeliveryOutcome.Deferred, e.Message);
        }
    }

    private async Task<Delivery> DotAsync(Task<SmtpReply> answer, CancellationToken cancellation)
    {
        _step = "the end of the mail";
        try
        {
            await WriteAsync(".\r\n"u8.ToArray(), cancellation);
            var reply = await answer;
            IsUsable &= !reply.EndsConversation;
            _needsReset = !reply.IsPositive;
            if (reply.Code is >= 300 and < 400)
            {
                throw new SmtpBrokenException($"it said {reply} at {_step}");
            }

            return reply.IsPositive ? new Delivery(DeliveryOutcome.Sent)
                : new Delivery(reply.Code < 500 ? DeliveryOutcome.Deferred : DeliveryOutcome.Refused, $"{_step}: {reply}");
        }
        catch (SmtpBrokenException e)
        {
            IsUsable = false;
            return new Delivery(DeliveryOutcome.Unknown, e.Message);
        }
    }

    private static void Expect(SmtpReply reply, int code)
    {
        if (reply.Code != code)
        {
            throw new SmtpBrokenException($"it answered {reply}");
        }
    }

    private async Task<SmtpReply> CommandAsync(string step, string line, CancellationToken cancellation)
    {
        _step = step;
        await WriteAsync(Encoding.UTF8.GetBytes(line + "\r\n"), cancellation);
        return await AnswerAsync(step, cancellation);
    }

    private async Task<SmtpReply> AnswerAsync(string step, CancellationToken cancellation)
    {
        _step = step;
        return await ReplyAsync(_url.Timeout, cancellation);
    }

    private async Task<SmtpReply> ReplyAsync(TimeSpan patience, CancellationToken cancellation)
    {
        SmtpReply? reply = null;
        await TimedAsync(patience, async limit => reply = await ReadReplyAsync(limit), cancellation);
        return reply!;
    }

    private async Task<SmtpReply> ReadReplyAsync(CancellationToken limit)
    {
        var lines = new List<string>();
        var code = 0;
        while (lines.Count < MostLines)
        {
            var line = await ReadLineAsync(limit);
            if (line.Length < 3 || !int.TryParse(line.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var said)
                || said is < 200 or > 599 || (code != 0 && said != code) || (line.Length > 3 && line[3] is not (' ' or '-')))
            {
                throw new SmtpBrokenException($"it said what is no SMTP answer at {_step}");
            }

            code = said;
            lines.Add(line.Length > 4 ? Clean(line[4..]) : "");
            if (line.Length == 3 || line[3] == ' ')
            {
                return new SmtpReply(code, lines);
            }
        }

        throw new SmtpBrokenException($"its answer at {_step} has no end");
    }

    /// <summary>What a server says ends up in the log: on one line, and without what it was told in confidence.</summary>
    private string Clean(string said)
    {
        var text = string.Concat(said.Select(c => char.IsControl(c) ? ' ' : c));
        foreach (var secret in new[] { _login, _url.Password })
        {
            text = secret is null ? text : text.Replace(secret, "***", StringComparison.Ordinal);
        }

        return text;
    }

    private async Task<string> ReadLineAsync(CancellationToken limit)
    {
        while (true)
        {
            var end = _received.AsSpan(_from, _until - _from).IndexOf((byte)'\n');
            if (end >= 0)
            {
                var line = Encoding.Latin1.GetString(_received, _from, end).TrimEnd('\r');
                _from += end + 1;
                return line;
            }

            if (_until - _from == LongestLine)
            {
                throw new SmtpBrokenException($"its answer at {_step} has a line without end");
            }

            _received.AsSpan(_from, _until - _from).CopyTo(_received);
            (_from, _until) = (0, _until - _from);
            var read = await _stream.ReadAsync(_received.AsMemory(_until), limit);
            _until += read > 0 ? read : throw new SmtpBrokenException($"it hung up at {_step}");
        }
    }

    private Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) =>
        TimedAsync(_url.Timeout, async limit =>
        {
            await _stream.WriteAsync(bytes, limit);
            await _stream.FlushAsync(limit);
        }, cancellation);

    /// <summary>Whatever goes wrong on the line is one kind of exception; only the run's own end stays what it is.</summary>
    private async Task TimedAsync(TimeSpan patience, Func<CancellationToken, Task> work, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(patience);
        try
        {
            await work(limit.Token);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new SmtpBrokenException(string.Create(CultureInfo.InvariantCulture, $"it did not answer within {patience.TotalSeconds:0} s at {_step}"), e);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            throw new SmtpBrokenException($"the connection failed at {_step} ({(e.InnerException ?? e).Message})", e);
        }
    }

    /// <summary>Takes leave; a server that does not answer has it too.</summary>
    public async ValueTask DisposeAsync()
    {
        if (IsUsable)
        {
            try
            {
                using var limit = new CancellationTokenSource(Goodbye);
                await CommandAsync("QUIT", "QUIT", limit.Token);
            }
            catch (Exception e) when (e is SmtpBrokenException or OperationCanceledException)
            {
                // Everything was said before.
            }
        }

        await CloseAsync();
    }

    private async Task CloseAsync()
    {
        IsUsable = false;
        try
        {
            // Not the stream's own farewell: it would wait for a server that does not read.
            _tcp.Client?.Close(0);
            await _stream.DisposeAsync();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Closed is closed.
        }

        _tcp.Dispose();
    }
}
