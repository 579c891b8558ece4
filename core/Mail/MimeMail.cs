using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Jobs.Database;
using MimeKit;

namespace Jobs.Mail;

/// <summary>
/// A notification as a mail: plain text and HTML, attachments if any. The same notification with the same content at the same time
/// is the same mail, byte by byte, whatever the server can do: nothing in it needs 8BITMIME.
/// </summary>
public static class MimeMail
{
    private const int LongestSubject = 250;

    /// <param name="settings">The sender, and where to unsubscribe.</param>
    /// <param name="date">Of the mail, UTC.</param>
    /// <exception cref="FormatException">The notification's address is none.</exception>
    public static OutgoingMail Of(Notification notification, MailContent content, MailSettings settings, DateTime date)
    {
        var intended = MailAddresses.Parse(notification.ToAddress);
        var to = settings.RedirectTo ?? intended;
        var mark = Mark(notification);
        var message = new MimeMessage
        {
            Date = new DateTimeOffset(date, TimeSpan.Zero),
            MessageId = string.Create(CultureInfo.InvariantCulture, $"{notification.Id}.{mark}@{settings.From.AsciiDomain()}"),
        };
        message.Headers[HeaderId.Subject] = HeaderText(content.Subject);
        message.From.Add(new MailboxAddress(HeaderText(settings.From.Name ?? ""), settings.From.Address));
        message.To.Add(new MailboxAddress("", to.Address));
        if (to.Address != intended.Address)
        {
            message.Headers.Add("X-Original-To", HeaderText(intended.Ascii()));
        }

        // Nobody's holiday notice is to come back.
        message.Headers.Add(HeaderId.AutoSubmitted, "auto-generated");
        message.Headers.Add("X-Auto-Response-Suppress", "All");
        if (!MailPolicy.IsCritical(notification.Kind))
        {
            AddUnsubscribe(message.Headers, notification, settings);
        }

        return new OutgoingMail(message, Body(content, mark), settings.From, to);
    }

    /// <summary>Not to be guessed from the id alone, and not repeated by a restored backup that gives the id again.</summary>
    private static string Mark(Notification notification) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonText.Of(
        ("id", notification.Id), ("dedupe_key", notification.DedupeKey), ("created_at", notification.CreatedAt)))).AsSpan(0, 10));

    // MimeKit leaves ASCII as it is, also where it looks like an encoded word, which a mail program would decode. With an invisible
    // character (a word joiner) in it, it is text like any other.
    private static string HeaderText(string text) => OneLine.Of(text, LongestSubject).Replace("=?", "=\u2060?", StringComparison.Ordinal);

    /// <summary>An address of the web may be called by the reader's mail program itself (one click, RFC 8058), if it is encrypted.</summary>
    private static void AddUnsubscribe(HeaderList headers, Notification notification, MailSettings settings)
    {
        if (settings.UnsubscribeUrl is not { } url || notification.UserId is not { } user)
        {
            headers.Add(
                HeaderId.ListUnsubscribe, $"<mailto:{Uri.EscapeDataString(settings.From.LocalPart)}@{settings.From.AsciiDomain()}?subject=unsubscribe>");
            return;
        }

        headers.Add(HeaderId.ListUnsubscribe, $"<{url.Replace("{user_id}", user.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)}>");
        if (url.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
        {
            headers.Add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
        }
    }

    private static HandOverBody Body(MailContent content, string mark)
    {
        // No encoded line begins like this: neither base64 nor quoted-printable has "=_".
        var texts = new HandOverBody("alternative") { Boundary = $"=_text_{mark}" };
        texts.Add(Text("plain", content.Text));
        texts.Add(Text("html", content.Html));
        if (content.Attachments.Count == 0)
        {
            return texts;
        }

        var all = new HandOverBody("mixed") { Boundary = $"=_mixed_{mark}" };
        all.Add(texts);
        foreach (var attachment in content.Attachments)
        {
            all.Add(new MimePart(attachment.MediaType)
            {
                Content = new MimeContent(new MemoryStream(attachment.Content, writable: false)),
                ContentDisposition = new ContentDisposition(ContentDisposition.Attachment) { FileName = attachment.FileName },
                ContentTransferEncoding = ContentEncoding.Base64,
            });
        }

        return all;
    }

    /// <summary>Every line end becomes CRLF, a lone surrogate or a NUL becomes U+FFFD.</summary>
    private static MimePart Text(string subtype, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(
            text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Replace('\0', '\uFFFD').Replace("\n", "\r\n", StringComparison.Ordinal));
        var part = new MimePart("text", subtype) { Content = new MimeContent(new MemoryStream(bytes, writable: false)) };
        part.ContentType.Charset = "utf-8";
        // Text with few foreign letters stays readable; where most would be escaped, base64 is half as long.
        part.ContentTransferEncoding =
            part.GetBestEncoding(EncodingConstraint.SevenBit) == ContentEncoding.Base64 ? ContentEncoding.Base64 : ContentEncoding.QuotedPrintable;
        return part;
    }
}
