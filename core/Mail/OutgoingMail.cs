using MimeKit;
using MimeKit.IO;

namespace Jobs.Mail;

/// <summary>A mail ready to leave: the same bytes each time it is written, all of them ASCII but for the addresses.</summary>
public sealed class OutgoingMail
{
    private static readonly FormatOptions Format = Formatted();

    private readonly HandOverBody _body;

    internal OutgoingMail(MimeMessage message, HandOverBody body, MailboxAddress from, MailboxAddress to)
    {
        (Message, _body, From, To) = (message, body, from, to);
        message.Body = body;
    }

    /// <summary>The same each time for the same notification, without the brackets.</summary>
    public string MessageId => Message.MessageId!;

    public MailboxAddress From { get; }
    public MailboxAddress To { get; }

    /// <summary>One of the two is an address that not every server takes.</summary>
    internal bool NeedsSmtpUtf8 => From.NeedsSmtpUtf8() || To.NeedsSmtpUtf8();

    internal MimeMessage Message { get; }

    /// <summary>Awaited when whoever writes <see cref="Message"/> has written all of it; what it throws ends the writing.</summary>
    internal Func<Task>? WhenWritten
    {
        set => _body.WhenWritten = value;
    }

    public Task WriteToAsync(Stream stream, CancellationToken cancellation) => Message.WriteToAsync(Format, stream, cancellation);

    /// <summary>Bytes.</summary>
    internal async Task<long> SizeAsync(CancellationToken cancellation)
    {
        await using var measure = new MeasuringStream();
        await WriteToAsync(measure, cancellation);
        return measure.Length;
    }

    private static FormatOptions Formatted()
    {
        var format = FormatOptions.Default.Clone();
        format.NewLineFormat = NewLineFormat.Dos;
        format.EnsureNewLine = true;
        return format;
    }
}

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
    private const int LongestReason = 250;

    /// <summary>On one line, whatever it quotes: it ends up in the log.</summary>
    public string Reason { get; } = OneLine.Of(Reason, LongestReason);
}

/// <summary>A way for mail to leave.</summary>
public interface IMailTransport : IAsyncDisposable
{
    /// <param name="handOver">Called once, when nothing but the last byte is left to be sent; false: it must not be sent.</param>
    /// <exception cref="Runs.StopRunException">No mail can leave this way at present; this one was not delivered.</exception>
    Task<Delivery> DeliverAsync(OutgoingMail mail, Func<Task<bool>> handOver, CancellationToken cancellation);
}
