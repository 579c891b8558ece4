namespace Jobs.Mail;

/// <summary>A mail ready to leave: every line of it ends with CRLF and is at most 998 bytes long.</summary>
/// <param name="MessageId">The same each time for the same notification, without the brackets.</param>
public sealed record OutgoingMail(string MessageId, MailAddress From, MailAddress To, ReadOnlyMemory<byte> Bytes);

public enum DeliveryOutcome
{
    Sent,

    /// <summary>It will not be taken later either.</summary>
    Refused,

    /// <summary>Not taken now.</summary>
    Deferred,

    /// <summary>Handed over, and the answer was lost: taken or not.</summary>
    Unknown,

    /// <summary>Another run took it back before it was handed over; not delivered by this one.</summary>
    LeftToAnother,
}

/// <param name="Reason">Why not.</param>
public sealed record Delivery(DeliveryOutcome Outcome, string Reason = "")
{
    /// <summary>On one line, whatever it quotes: it ends up in the log.</summary>
    public string Reason { get; } = MimeText.OneLine(Reason);
}

/// <summary>A way for mail to leave.</summary>
public interface IMailTransport : IAsyncDisposable
{
    /// <param name="handOver">Called once, when nothing but the last byte is left to be sent; false: it must not be sent.</param>
    /// <exception cref="Runs.StopRunException">No mail can leave this way at present; this one was not delivered.</exception>
    Task<Delivery> DeliverAsync(OutgoingMail mail, Func<Task<bool>> handOver, CancellationToken cancellation);
}
