using System.Globalization;
using Jobs.Runs;

namespace Jobs.Mail;

public enum StartTls
{
    /// <summary>Where the server offers it; where credentials would cross a network in the clear without it, required.</summary>
    Auto,
    Required,
    Off,
}

/// <summary>
/// Where mail goes: <c>smtp://user:password@host:587</c> (STARTTLS) or <c>smtps://user:password@host:465</c> (TLS from the first
/// byte), user and password percent-encoded. Query: <c>starttls=auto|required|off</c>, <c>timeout=60s</c> (an answer's).
/// </summary>
public sealed record SmtpUrl(string Host, int Port, bool ImplicitTls, string? User, string? Password, StartTls StartTls, TimeSpan Timeout)
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Whatever is said there stays on this machine.</summary>
    public bool IsLoopback => Host is "localhost" or "::1" || (Host.StartsWith("127.", StringComparison.Ordinal) && System.Net.IPAddress.TryParse(Host, out _));

    /// <exception cref="OperatorException">The URL cannot be understood in full; what it holds is not quoted.</exception>
    public static SmtpUrl Parse(string text)
    {
        var implicitTls = text.StartsWith("smtps://", StringComparison.OrdinalIgnoreCase);
        if (!implicitTls && !text.StartsWith("smtp://", StringComparison.OrdinalIgnoreCase))
        {
            throw Mistake("must begin with smtp:// or smtps://");
        }

        var rest = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..];
        // The last @: a user is often an address.
        var at = rest.LastIndexOf('@');
        var (login, place) = (at < 0 ? null : rest[..at], rest[(at + 1)..]);
        if (login?.AsSpan().IndexOfAny("/?#") >= 0)
        {
            throw Mistake("has a /, ? or # in the user or the password: write them as %2F, %3F, %23");
        }

        var query = place.IndexOf('?', StringComparison.Ordinal);
        var (host, port) = HostAndPort((query < 0 ? place : place[..query]).TrimEnd('/'));
        var colon = login?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        if (login is not null && (colon <= 0 || colon == login.Length - 1))
        {
            throw Mistake("needs both user and password before the @, or neither");
        }

        var url = new SmtpUrl(
            host, port ?? (implicitTls ? 465 : login is null ? 25 : 587), implicitTls, login is null ? null : Decode(login[..colon]),
            login is null ? null : Decode(login[(colon + 1)..]), StartTls.Auto, DefaultTimeout);
        return query < 0 ? url : url.WithOptions(place[(query + 1)..]);
    }

    private SmtpUrl WithOptions(string query)
    {
        var url = this;
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            url = pair switch
            {
                "starttls=auto" => url with { StartTls = StartTls.Auto },
                "starttls=required" => url with { StartTls = StartTls.Required },
                "starttls=off" => url with { StartTls = StartTls.Off },
                _ when pair.StartsWith("timeout=", StringComparison.Ordinal) => url with { Timeout = TimeoutOf(pair["timeout=".Length..]) },
                _ => throw Mistake("has an option that is neither starttls=auto, required or off nor timeout=60s"),
            };
        }

        return url;
    }

    private static TimeSpan TimeoutOf(string text)
    {
        try
        {
            return Duration.Parse(text) is { } timeout && timeout > TimeSpan.Zero ? timeout : throw new FormatException();
        }
        catch (FormatException)
        {
            throw Mistake("needs a duration above 0 after timeout=, such as 60s");
        }
    }

    private static (string Host, int? Port) HostAndPort(string text)
    {
        var end = text.StartsWith('[') ? text.IndexOf(']', StringComparison.Ordinal) + 1 : text.Split(':')[0].Length;
        var host = text[..end].Trim('[', ']');
        if (host.Length == 0 || !host.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or ':' or '_'))
        {
            throw Mistake("needs a host name or an IP address after :// or @");
        }

        if (end == text.Length)
        {
            return (host, null);
        }

        return text[end] == ':' && int.TryParse(text.AsSpan(end + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536
            ? (host, port)
            : throw Mistake("needs a port between 1 and 65535 after the host");
    }

    private static string Decode(string text)
    {
        for (var i = text.IndexOf('%', StringComparison.Ordinal); i >= 0; i = text.IndexOf('%', i + 1))
        {
            if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
            {
                throw Mistake("has a % in the user or the password that two hexadecimal digits do not follow: write a literal % as %25");
            }
        }

        var decoded = Uri.UnescapeDataString(text);
        return decoded.Any(char.IsControl) ? throw Mistake("has control characters in the user or the password") : decoded;
    }

    private static OperatorException Mistake(string what) =>
        new($"SMTP_URL {what}; it is written smtp://user:password@host:587 or smtps://user:password@host:465");
}
