using Jobs.Mail;

namespace Jobs.Tests.Mail;

internal static class MailBytes
{
    /// <returns>As they are sent, and as they lie in an .eml file.</returns>
    public static byte[] Bytes(this OutgoingMail mail)
    {
        using var bytes = new MemoryStream();
        mail.WriteToAsync(bytes, CancellationToken.None).GetAwaiter().GetResult();
        return bytes.ToArray();
    }
}
