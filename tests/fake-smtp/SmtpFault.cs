namespace Jobs.Testing.FakeSmtp;

/// <summary>Where in a conversation something can go wrong.</summary>
public enum SmtpStep
{
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,

    /// <summary>While the mail's text arrives.</summary>
    Text,

    /// <summary>The last byte has arrived, the mail is not kept yet.</summary>
    Dot,

    /// <summary>The mail is kept, the answer not given yet.</summary>
    Stored,
    Rset,
    Quit,
}

public enum SmtpTrouble
{
    /// <summary>The line is cut.</summary>
    Drop,

    /// <summary>Silence until <see cref="SmtpServer.Release"/>, then as if nothing had been.</summary>
    Hang,

    /// <summary>Another answer than the usual.</summary>
    Reply,

    /// <summary>Something that is no answer, without end.</summary>
    Garbage,

    /// <summary>The usual answer, a byte at a time.</summary>
    Slow,
}

/// <summary>A trouble at the n-th time of a step, counted over all connections, and at as many more as said.</summary>
/// <param name="Answer">Of a <see cref="SmtpTrouble.Reply"/>, such as <c>451 4.3.0 later</c>.</param>
public sealed record SmtpFault(SmtpStep Step, SmtpTrouble Trouble, string Answer = "", int Nth = 1, int Times = 1);
