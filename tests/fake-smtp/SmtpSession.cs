using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Jobs.Testing.FakeSmtp;

/// <summary>One conversation, from the greeting to its end.</summary>
internal sealed class SmtpSession(SmtpServer server, TcpClient client, bool crowded)
{
    /// <summary>The line is cut on purpose.</summary>
    internal sealed class HangUpException(string message) : Exception(message);

    private readonly byte[] _received = new byte[65536];
    private Stream _stream = client.GetStream();
    private CancellationToken _ending;
    private int _from;
    private int _until;
    private int _said;
    private bool _encrypted;
    private bool _known;
    private string? _sender;
    private string? _recipient;

    public async Task TalkAsync(CancellationToken ending)
    {
        _ending = ending;
        if (server.Options.ImplicitTls)
            await EncryptAsync();
        if (crowded)
        {
            await SendAsync("421 4.7.0 too many connections");
            return;
        }

        await AnswerAsync(SmtpStep.Greeting, "220 fake-smtp ESMTP");
        while (await ReadLineAsync() is { } line)
        {
            server.Say($"C: {line}");
            if (!await HandleAsync(line))
                return;
        }
    }

    private async Task<bool> HandleAsync(string line)
    {
        var verb = line.Split(' ', 2)[0].ToUpperInvariant();
        var argument = line.Length > verb.Length ? line[(verb.Length + 1)..] : "";
        switch (verb)
        {
            case "EHLO":
                await AnswerAsync(SmtpStep.Ehlo, server.Options.KnowsEhlo ? Extensions() : "502 5.5.1 EHLO is not known");
                return true;
            case "HELO":
                await AnswerAsync(SmtpStep.Ehlo, "250 fake-smtp");
                return true;
            case "STARTTLS" when server.Options.Certificate is not null && !_encrypted:
                if (await AnswerAsync(SmtpStep.StartTls, "220 2.0.0 go ahead"))
                    await EncryptAsync();
                return true;
            case "AUTH":
                await AuthAsync(argument);
                return true;
            case "MAIL" when server.Options.User is not null && !_known:
                await SendAsync("530 5.7.0 authentication required");
                return true;
            case "MAIL":
                (_sender, _recipient) = (await AnswerAsync(SmtpStep.Mail, "250 2.1.0 ok") ? Address(argument) : null, null);
                return true;
            case "RCPT" when _sender is not null:
                _recipient = await AnswerAsync(SmtpStep.Rcpt, "250 2.1.5 ok") ? Address(argument) : _recipient;
                return true;
            case "DATA" when _recipient is not null:
                if (await AnswerAsync(SmtpStep.Data, "354 go on"))
                    await TakeMailAsync();
                return true;
            case "RSET":
                (_sender, _recipient) = (null, null);
                await AnswerAsync(SmtpStep.Rset, "250 2.0.0 ok");
                return true;
            case "NOOP":
                await SendAsync("250 2.0.0 ok");
                return true;
            case "QUIT":
                await AnswerAsync(SmtpStep.Quit, "221 2.0.0 bye");
                return false;
            default:
                await SendAsync(verb is "RCPT" or "DATA" ? "503 5.5.1 not now" : "500 5.5.2 what?");
                return true;
        }
    }

    private string Extensions()
    {
        List<string> lines = ["fake-smtp greets you"];
        if (server.Options.Pipelining)
            lines.Add("PIPELINING");
        if (server.Options.Certificate is not null && !_encrypted)
            lines.Add("STARTTLS");
        if (server.Options.User is not null)
            lines.Add($"AUTH {server.Options.Mechanisms}");
        if (server.Options.MostBytes > 0)
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"SIZE {server.Options.MostBytes}"));
        if (server.Options.Utf8)
            lines.Add("SMTPUTF8");
        lines.Add("8BITMIME");
        return string.Join("\r\n", lines.Select((line, i) => $"250{(i == lines.Count - 1 ? ' ' : '-')}{line}"));
    }

    private async Task AuthAsync(string argument)
    {
        string[] given;
        if (argument.StartsWith("PLAIN ", StringComparison.OrdinalIgnoreCase))
        {
            given = Decode(argument[6..]).Split('\0')[1..];
        }
        else
        {
            await SendAsync("334 VXNlcm5hbWU6");
            var user = Decode(await ReadLineAsync() ?? "");
            await SendAsync("334 UGFzc3dvcmQ6");
            given = [user, Decode(await ReadLineAsync() ?? "")];
        }

        var right = given is [var name, var password] && name == server.Options.User && password == server.Options.Password;
        _known = await AnswerAsync(SmtpStep.Auth, right ? "235 2.7.0 welcome" : "535 5.7.8 wrong user or password") && right;
    }

    private static string Decode(string base64) => Encoding.UTF8.GetString(Convert.FromBase64String(base64));

    private static string Address(string argument)
    {
        var (open, close) = (argument.IndexOf('<', StringComparison.Ordinal), argument.LastIndexOf('>'));
        return open >= 0 && close > open ? argument[(open + 1)..close] : "";
    }

    private async Task TakeMailAsync()
    {
        using var text = new MemoryStream();
        var first = true;
        while (true)
        {
            var line = await ReadLineBytesAsync() ?? throw new HangUpException("in the text");
            if (line.Span is [(byte)'.', (byte)'\r', (byte)'\n'])
                break;
            text.Write(line.Span is [(byte)'.', ..] ? line.Span[1..] : line.Span);
            if (first && await TroubleAsync(SmtpStep.Text) is { } early)
            {
                await SendAsync(early);
                throw new HangUpException("after an answer in the text");
            }

            first = false;
        }

        if (await TroubleAsync(SmtpStep.Dot) is { } refusal)
        {
            (_sender, _recipient) = (null, null);
            await SendAsync(refusal);
            return;
        }

        await server.KeepAsync(new CaughtMail(_sender!, _recipient!, text.ToArray(), _encrypted));
        (_sender, _recipient) = (null, null);
        await AnswerAsync(SmtpStep.Stored, "250 2.0.0 kept");
    }

    private async Task EncryptAsync()
    {
        var encrypted = new SslStream(_stream);
        await encrypted.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = server.Options.Certificate }, _ending);
        (_stream, _encrypted, _from, _until) = (encrypted, true, 0, 0);
    }

    /// <returns>False when a fault answered with another code.</returns>
    private async Task<bool> AnswerAsync(SmtpStep step, string usual)
    {
        var other = await TroubleAsync(step, usual);
        await SendAsync(other ?? usual[_said..]);
        _said = 0;
        return other is null || other.StartsWith(usual[..3], StringComparison.Ordinal);
    }

    /// <returns>What to answer instead of the usual; null: nothing went wrong, or is over.</returns>
    private async Task<string?> TroubleAsync(SmtpStep step, string usual = "250 ok")
    {
        if (server.FaultAt(step) is not { } fault)
            return null;
        switch (fault.Trouble)
        {
            case SmtpTrouble.Drop:
                client.Client.LingerState = new LingerOption(true, 0);
                throw new HangUpException(step.ToString());
            case SmtpTrouble.Hang:
                await server.HangAsync();
                return null;
            case SmtpTrouble.Garbage:
                while (true)
                    await SendAsync(new string('x', 4000));
            case SmtpTrouble.Slow:
                for (; _said < 3; _said++)
                {
                    await _stream.WriteAsync(new[] { (byte)usual[_said] }, _ending);
                    await Task.Delay(400, _ending);
                }

                return null;
            default:
                return fault.Answer;
        }
    }

    private async Task SendAsync(string text)
    {
        foreach (var line in text.Split("\r\n"))
            server.Say($"S: {line}");
        await _stream.WriteAsync(Encoding.ASCII.GetBytes(text + "\r\n"), _ending);
    }

    private async Task<string?> ReadLineAsync() =>
        await ReadLineBytesAsync() is { } line ? Encoding.UTF8.GetString(line.Span).TrimEnd('\r', '\n') : null;

    private async Task<ReadOnlyMemory<byte>?> ReadLineBytesAsync()
    {
        while (true)
        {
            var end = _received.AsSpan(_from, _until - _from).IndexOf((byte)'\n');
            if (end >= 0)
            {
                var line = _received.AsMemory(_from, end + 1);
                _from += end + 1;
                return line;
            }

            _received.AsSpan(_from, _until - _from).CopyTo(_received);
            (_from, _until) = (0, _until - _from);
            if (_until == _received.Length)
                throw new HangUpException("a line without end");
            var read = await _stream.ReadAsync(_received.AsMemory(_until), _ending);
            if (read == 0)
                return null;
            _until += read;
        }
    }
}
