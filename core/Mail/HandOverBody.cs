using MimeKit;
using MimeKit.IO;

namespace Jobs.Mail;

/// <summary>
/// The body of a mail, which tells when it has been written. MailKit sends the final dot after the body, so a commit made here lies
/// before the last byte: until it is made, the server has no complete mail.
/// </summary>
internal sealed class HandOverBody(string subtype) : Multipart(subtype)
{
    public Func<Task>? WhenWritten { get; set; }

    public override async Task WriteToAsync(FormatOptions options, Stream stream, bool contentOnly, CancellationToken cancellationToken = default)
    {
        await base.WriteToAsync(options, stream, contentOnly, cancellationToken);
        if (WhenWritten is not { } whenWritten)
        {
            return;
        }

        // The mail leaves now, not after the commit: a server that breaks off while it reads is noticed in time. A filtered stream does
        // not flush the one behind it.
        for (var behind = stream; behind is not null; behind = (behind as FilteredStream)?.Source)
        {
            await behind.FlushAsync(cancellationToken);
        }

        await whenWritten();
    }
}
