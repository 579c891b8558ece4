using System.Security.Cryptography.X509Certificates;

namespace Jobs.Testing.FakeSmtp;

public sealed record SmtpServerOptions
{
    /// <summary>0: a free one.</summary>
    public int Port { get; init; }

    /// <summary>With it STARTTLS is offered, or TLS spoken from the first byte.</summary>
    public X509Certificate2? Certificate { get; init; }

    public bool ImplicitTls { get; init; }

    /// <summary>Null: everybody may send.</summary>
    public string? User { get; init; }

    public string? Password { get; init; }
    public string Mechanisms { get; init; } = "PLAIN LOGIN";

    /// <summary>False: so old that it knows only HELO.</summary>
    public bool KnowsEhlo { get; init; } = true;

    public bool Pipelining { get; init; } = true;
    public bool Utf8 { get; init; }

    /// <summary>0: not said.</summary>
    public long MostBytes { get; init; }

    public int MostConnections { get; init; } = int.MaxValue;

    /// <summary>False: mails are counted, not kept.</summary>
    public bool Keeps { get; init; } = true;

    /// <summary>Where mails are put as .eml files too.</summary>
    public string? Directory { get; init; }
}

/// <param name="From">Of the envelope.</param>
/// <param name="To">Of the envelope.</param>
/// <param name="Bytes">As sent, the doubled dots undone.</param>
/// <param name="Encrypted">Whether it came by TLS.</param>
public sealed record CaughtMail(string From, string To, byte[] Bytes, bool Encrypted)
{
    public string Text => System.Text.Encoding.UTF8.GetString(Bytes);

    /// <summary>The first header of this name, folded lines and all; empty: none.</summary>
    public string Header(string name)
    {
        var head = "\r\n" + Text.Split("\r\n\r\n", 2)[0] + "\r\n";
        var at = head.IndexOf($"\r\n{name}: ", StringComparison.OrdinalIgnoreCase);
        if (at < 0)
            return "";
        var rest = head[(at + name.Length + 4)..];
        var end = rest.IndexOf("\r\n", StringComparison.Ordinal);
        while (end + 2 < rest.Length && rest[end + 2] is ' ' or '\t')
            end = rest.IndexOf("\r\n", end + 2, StringComparison.Ordinal);
        return rest[..end];
    }

    public string MessageId => Header("Message-ID").Trim('<', '>');
}
