using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Jobs.Runs;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;

namespace Jobs.Mail;

/// <summary>
/// One connection to a mail server, for one mail after the other. MailKit talks; here its answers and exceptions become what happened
/// to the mail, and no mail ends before the hand-over allows it.
/// </summary>
internal sealed class SmtpConnection : IAsyncDisposable
{
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(2);
    private const int LongestQuote = 300;

    private readonly SmtpUrl _url;
    private readonly SmtpListener _listener = new();
    private readonly Client _client;
    private SmtpSocket? _socket;
    private bool _takesUtf8;

    private SmtpConnection(SmtpUrl url)
    {
        _url = url;
        var name = Environment.MachineName;
        _client = new Client(_listener) { LocalDomain = name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-') ? name : "localhost" };
    }

    /// <summary>False: to be thrown away.</summary>
    public bool IsUsable => _client.IsConnected && !Broken;

    /// <summary>The conversation came to an end that is not about the mail.</summary>
    public bool Broken { get; private set; }

    private string Place => string.Create(CultureInfo.InvariantCulture, $"the mail server {_url.Host}:{_url.Port}");

    /// <exception cref="StopRunException">The server cannot be used as SMTP_URL says.</exception>
    public static async Task<SmtpConnection> OpenAsync(SmtpUrl url, CancellationToken cancellation)
    {
        var connection = new SmtpConnection(url);
        try
        {
            await connection.ConnectAsync(cancellation);
            await connection.LogInAsync(cancellation);
            return connection;
        }
        catch (Exception e)
        {
            connection.Close();
            // MailKit wraps the end of the run during a TLS handshake like any other failure of it.
            cancellation.ThrowIfCancellationRequested();
            throw connection.Sentence(e) is { } sentence ? new StopRunException(sentence, e) : e;
        }
    }

    private async Task ConnectAsync(CancellationToken cancellation)
    {
        _socket = await SmtpSocket.ConnectAsync(_url.Host, _url.Port, _url.Timeout, cancellation);
        var security = (_url.ImplicitTls, _url.StartTls) switch
        {
            (true, _) => SecureSocketOptions.SslOnConnect,
            (_, StartTls.Off) => SecureSocketOptions.None,
            (_, StartTls.Required) => SecureSocketOptions.StartTls,
            _ => _url.User is not null && !_url.IsLoopback ? SecureSocketOptions.StartTls : SecureSocketOptions.StartTlsWhenAvailable,
        };
        await _client.ConnectAsync(_socket, _url.Host, _url.Port, security, cancellation);
        _takesUtf8 = _client.Capabilities.HasFlag(SmtpCapabilities.UTF8);
        // A mail is neither measured (that would write it, and writing it hands it over) nor sent in chunks, whose last one ends it.
        _client.Capabilities &= ~(SmtpCapabilities.Size | SmtpCapabilities.Chunking | SmtpCapabilities.BinaryMime);
    }

    private async Task LogInAsync(CancellationToken cancellation)
    {
        if (_url.User is not { } user || _url.Password is not { } password)
        {
            return;
        }

        var offered = _client.AuthenticationMechanisms;
        SaslMechanism mechanism = offered.Contains("PLAIN") ? new SaslMechanismPlain(user, password)
            : offered.Contains("LOGIN") ? new SaslMechanismLogin(user, password)
            : throw new StopRunException($"{Place} offers no login by PLAIN or LOGIN; take user and password out of SMTP_URL, or use another port");
        await _client.AuthenticateAsync(mechanism, cancellation);
    }

    /// <returns>Why the server cannot be used, and what to do; null: that is not what the exception is about.</returns>
    private string? Sentence(Exception e) => e switch
    {
        SslHandshakeException { InnerException: System.Security.Authentication.AuthenticationException refused } =>
            $"{Place} shows a TLS certificate that was refused ({refused.Message}); check the host in SMTP_URL, or name its root certificate in SSL_CERT_FILE",
        NotSupportedException =>
            $"{Place} offers no STARTTLS, and {(_url.User is null ? "SMTP_URL requires it" : "the password is not sent in the clear")}; use smtps://, or ?starttls=off in a network you trust",
        AuthenticationException => $"{Place} refused the login ({Clean(e.Message)}); check user and password in SMTP_URL",
        _ when IsOfConversation(e) => $"{Place} cannot be used: {Words(e)}; check SMTP_URL and the server",
        _ => null,
    };

    private static bool IsOfConversation(Exception e) => e is IOException or SocketException or ProtocolException or CommandException
        or ServiceNotAuthenticatedException or SslHandshakeException or ObjectDisposedException;

    private string Words(Exception e) => Code(e) is { } code ? $"it answered {code} {Clean(e.Message)}"
        : e is ProtocolException ? Clean(e.Message).TrimEnd('.')
        : e.InnerException is IOException or SocketException ? Words(e.InnerException)
        : $"the connection failed ({Clean(e.Message)})";

    /// <returns>Of the server's answer; null: there was none.</returns>
    private static int? Code(Exception e) => e switch
    {
        SmtpCommandException answer => (int)answer.StatusCode,
        ServiceNotAuthenticatedException => (int)SmtpStatusCode.AuthenticationRequired,
        _ => null,
    };

    /// <summary>What a server says ends up in the log: on one line, and without what it was told in confidence.</summary>
    private string Clean(string said)
    {
        if (_url.Password is { } password)
        {
            foreach (var secret in new[] { Base64($"\0{_url.User}\0{password}"), Base64(password), password })
            {
                said = said.Replace(secret, "***", StringComparison.Ordinal);
            }
        }

        return OneLine.Of(said, LongestQuote);
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    /// <summary>Before <paramref name="handOver"/> said yes nothing was delivered, whatever happens.</summary>
    /// <exception cref="StopRunException">The server takes no mail from us.</exception>
    public async Task<Delivery> DeliverAsync(OutgoingMail mail, Func<Task<bool>> handOver, CancellationToken cancellation)
    {
        if (await CannotAsync(mail, cancellation) is { } cannot)
        {
            return cannot;
        }

        var (asking, handedOver, left) = (false, false, false);
        mail.WhenWritten = async () =>
        {
            asking = true;
            left = !await handOver();
            asking = false;
            if (left)
            {
                // Makes MailKit hang up, without the final dot.
                throw new OperationCanceledException();
            }

            handedOver = true;
            _socket!.AwaitVerdict(alreadyGiven: _listener.HeardTooMuch);
        };
        try
        {
            var answer = await _client.SendAsync(mail.Message, mail.From, [mail.To], cancellation);
            Broken = _socket!.BrokeOff;
            return Broken ? new Delivery(DeliveryOutcome.Deferred, $"the mail's text: 250 {Clean(answer)}") : new Delivery(DeliveryOutcome.Sent);
        }
        catch (OperationCanceledException) when (left)
        {
            return new Delivery(DeliveryOutcome.LeftToAnother);
        }
        catch (Exception e) when (!asking && IsOfConversation(e))
        {
            return Outcome(e, handedOver);
        }
        finally
        {
            mail.WhenWritten = null;
        }
    }

    private async Task<Delivery?> CannotAsync(OutgoingMail mail, CancellationToken cancellation)
    {
        if (mail.NeedsSmtpUtf8 && !_takesUtf8)
        {
            return new Delivery(DeliveryOutcome.Refused, "the mail server takes no addresses with letters beyond ASCII (SMTPUTF8)");
        }

        if (!mail.NeedsSmtpUtf8 && (mail.To.IsInternational || mail.From.IsInternational))
        {
            // The domain goes out in ASCII, so that every server on the way takes the mail. MailKit would use SMTPUTF8.
            _client.Capabilities &= ~SmtpCapabilities.UTF8;
        }
        else if (mail.NeedsSmtpUtf8 && !_client.Capabilities.HasFlag(SmtpCapabilities.UTF8))
        {
            // Once turned off it stays off. Another connection has it.
            Broken = true;
            return new Delivery(DeliveryOutcome.Deferred);
        }

        return _client.MaxSize > 0 && await mail.SizeAsync(cancellation) is var size && size > _client.MaxSize
            ? new Delivery(DeliveryOutcome.Refused, string.Create(CultureInfo.InvariantCulture, $"the mail has {size} bytes, the mail server takes {_client.MaxSize} at most"))
            : null;
    }

    private Delivery Outcome(Exception e, bool handedOver)
    {
        var code = Code(e);
        // The last byte was held back: whatever the server said, nothing was delivered.
        var brokeOff = _socket!.BrokeOff;
        Broken = brokeOff || code is null or 421 or < 400 or > 599;
        var step = (e as SmtpCommandException)?.ErrorCode switch
        {
            _ when handedOver => brokeOff ? "the mail's text" : "the end of the mail",
            SmtpErrorCode.SenderNotAccepted => "MAIL",
            SmtpErrorCode.RecipientNotAccepted => "RCPT",
            SmtpErrorCode.UnexpectedStatusCode => "DATA",
            _ => "the login",
        };
        // Not about this mail: the next would be refused as well, and none of them may be given up for it.
        if (!handedOver && (code is 530 or 534 or 535 or 538 || (step == "MAIL" && code is >= 500 and not 552)))
        {
            throw new StopRunException($"{Place} refused the sender at {step} ({code} {Clean(e.Message)}); check MAIL_FROM, and user and password in SMTP_URL");
        }

        var outcome = code switch
        {
            >= 200 and < 300 when handedOver && !brokeOff => DeliveryOutcome.Sent,
            >= 400 and < 500 => DeliveryOutcome.Deferred,
            >= 500 and < 600 => DeliveryOutcome.Refused,
            _ => handedOver && !brokeOff ? DeliveryOutcome.Unknown : DeliveryOutcome.Deferred,
        };
        return new Delivery(outcome, code is null ? Words(e) : $"{step}: {code} {Clean(e.Message)}");
    }

    /// <summary>Takes leave; a server that does not answer has it too.</summary>
    public async ValueTask DisposeAsync()
    {
        if (IsUsable)
        {
            using var limit = new CancellationTokenSource(Goodbye);
            await _client.DisconnectAsync(quit: true, limit.Token);
        }

        Close();
    }

    private void Close()
    {
        _client.Dispose();
        _socket?.Dispose();
    }

    /// <summary>MailKit's client, but for the check of certificates: the platform's own, whose message names what is wrong.</summary>
    private sealed class Client(IProtocolLogger listener) : SmtpClient(listener)
    {
        protected override SslClientAuthenticationOptions GetSslClientAuthenticationOptions(string host, RemoteCertificateValidationCallback remoteCertificateValidationCallback)
        {
            var options = base.GetSslClientAuthenticationOptions(host, remoteCertificateValidationCallback);
            options.RemoteCertificateValidationCallback = null;
            // Runs that last a second do not ask a third party whether the certificate was revoked meanwhile.
            options.CertificateRevocationCheckMode = System.Security.Cryptography.X509Certificates.X509RevocationMode.NoCheck;
            return options;
        }
    }
}
