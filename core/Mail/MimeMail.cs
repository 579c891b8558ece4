using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Jobs.Database;

namespace Jobs.Mail;

/// <summary>
/// A notification as a mail (RFC 5322, MIME): plain text and HTML, attachments if any. The same notification with the same
/// content at the same time is the same mail, byte by byte.
/// </summary>
public static class MimeMail
{
    /// <param name="settings">The sender, and where to unsubscribe.</param>
    /// <param name="date">Of the mail, UTC.</param>
    /// <param name="output">Empty; the mail lies in it and is good as long as that is.</param>
    /// <exception cref="FormatException">The notification's address is none.</exception>
    public static OutgoingMail Of(Notification notification, MailContent content, MailSettings settings, DateTime date, ArrayBufferWriter<byte> output)
    {
        var intended = MailAddress.Parse(notification.ToAddress);
        var to = settings.RedirectTo ?? intended;
        var mark = Mark(notification);
        var messageId = string.Create(CultureInfo.InvariantCulture, $"{notification.Id}.{mark}@{settings.From.Domain}");
        Line(output, settings.From.Name.Length == 0 ? $"From: {settings.From.Value}" : $"From: {MimeText.Phrase(settings.From.Name)}\r\n <{settings.From.Value}>");
        Line(output, $"To: {to.Value}");
        if (to != intended)
        {
            Line(output, $"X-Original-To: {MimeText.HeaderText(intended.Value)}");
        }

        Line(output, $"Subject: {MimeText.HeaderText(content.Subject)}");
        Line(output, $"Date: {date.ToString("ddd, dd MMM yyyy HH:mm:ss", CultureInfo.InvariantCulture)} +0000");
        Line(output, $"Message-ID: <{messageId}>");
        Line(output, "MIME-Version: 1.0");
        // Nobody's holiday notice is to come back.
        Line(output, "Auto-Submitted: auto-generated");
        Line(output, "X-Auto-Response-Suppress: All");
        if (!MailPolicy.IsCritical(notification.Kind))
        {
            Unsubscribe(output, notification, settings);
        }

        Content(output, content, mark);
        return new OutgoingMail(messageId, settings.From, to, output.WrittenMemory);
    }

    /// <summary>Not to be guessed from the id alone, and not repeated by a restored backup that gives the id again.</summary>
    private static string Mark(Notification notification) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonText.Of(
        ("id", notification.Id), ("dedupe_key", notification.DedupeKey), ("created_at", notification.CreatedAt)))).AsSpan(0, 10));

    private static void Unsubscribe(ArrayBufferWriter<byte> output, Notification notification, MailSettings settings)
    {
        if (settings.UnsubscribeUrl is not { } url || notification.UserId is not { } user)
        {
            Line(output, $"List-Unsubscribe: <mailto:{Uri.EscapeDataString(settings.From.LocalPart)}@{settings.From.Domain}?subject=unsubscribe>");
            return;
        }

        Line(output, $"List-Unsubscribe: <{url.Replace("{user_id}", user.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)}>");
        if (url.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
        {
            Line(output, "List-Unsubscribe-Post: List-Unsubscribe=One-Click");
        }
    }

    private static void Content(ArrayBufferWriter<byte> output, MailContent content, string mark)
    {
        // No encoded line begins like this: neither base64 nor quoted-printable has "=_".
        var (mixed, alternative) = ($"=_mixed_{mark}", $"=_text_{mark}");
        if (content.Attachments.Count > 0)
        {
            Line(output, $"Content-Type: multipart/mixed; boundary=\"{mixed}\"");
            Line(output, $"\r\n--{mixed}");
        }

        Line(output, $"Content-Type: multipart/alternative; boundary=\"{alternative}\"");
        Line(output, $"\r\n--{alternative}");
        Text(output, "text/plain", content.Text);
        Line(output, $"--{alternative}");
        Text(output, "text/html", content.Html);
        Line(output, $"--{alternative}--");
        foreach (var attachment in content.Attachments)
        {
            Line(output, $"--{mixed}");
            Line(output, $"Content-Type: {Token(attachment.MediaType)}");
            Line(output, "Content-Transfer-Encoding: base64");
            Line(output, $"Content-Disposition: attachment; filename=\"{Token(attachment.FileName)}\"\r\n");
            MimeText.Base64Lines(output, attachment.Content.Span);
            Line(output, "");
        }

        if (content.Attachments.Count > 0)
        {
            Line(output, $"--{mixed}--");
        }
    }

    private static void Text(ArrayBufferWriter<byte> output, string mediaType, string text)
    {
        var body = MimeText.Body(text);
        var base64 = MimeText.PrefersBase64(body);
        Line(output, $"Content-Type: {mediaType}; charset=utf-8");
        Line(output, $"Content-Transfer-Encoding: {(base64 ? "base64" : "quoted-printable")}\r\n");
        if (base64)
        {
            MimeText.Base64Lines(output, body);
        }
        else
        {
            MimeText.QuotedPrintable(output, body);
        }

        Line(output, "");
    }

    private static string Token(string text) =>
        string.Concat(text.Take(100).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '/' or '+' ? c : '_'));

    private static void Line(ArrayBufferWriter<byte> output, string line)
    {
        Encoding.UTF8.GetBytes(line, output);
        output.Write("\r\n"u8);
    }
}
