using System.Globalization;
using System.Text;
using MimeKit;

namespace Jobs.Mail;

/// <summary>
/// Which addresses are written to: plain ones, without the comments, quotes and lists that mail allows too, and never two. Nobody
/// types those, except to have a mail sent to somebody else as well.
/// </summary>
public static class MailAddresses
{
    private const int LongestLocalPart = 64;
    private const int Longest = 254;
    private const string Specials = "()<>[]:;\\,\"";

    /// <param name="text">The address alone.</param>
    /// <exception cref="FormatException">Its message says what is wrong, without the address.</exception>
    public static MailboxAddress Parse(string text)
    {
        text = text.Trim();
        if (text.Length == 0)
        {
            throw new FormatException("there is no address");
        }

        if (text.EnumerateRunes().Any(IsForbidden))
        {
            throw new FormatException("the address has blanks, brackets, quotes or control characters in it");
        }

        if (!MailboxAddress.TryParse(text, out var mailbox) || mailbox.LocalPart.Length == 0 || mailbox.Domain.Length == 0)
        {
            throw new FormatException("an address has one @, with something on either side");
        }

        if (!mailbox.AsciiDomain().Split('.').All(label => label.Length is > 0 and < 64 && label.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')))
        {
            throw new FormatException("what follows the @ is no name of a domain");
        }

        return Encoding.UTF8.GetByteCount(mailbox.LocalPart) > LongestLocalPart || Encoding.UTF8.GetByteCount(mailbox.Ascii()) > Longest
            ? throw new FormatException("the address is too long")
            : mailbox;
    }

    /// <param name="text">Such as <c>Club &lt;office@example.org&gt;</c>, or the address alone.</param>
    /// <inheritdoc cref="Parse(string)"/>
    public static MailboxAddress ParseWithName(string text)
    {
        var open = text.LastIndexOf('<');
        if (open < 0)
        {
            return Parse(text);
        }

        var name = text[..open].Trim();
        if (!text.TrimEnd().EndsWith('>'))
        {
            throw new FormatException("after the address a > is missing");
        }

        if (name.EnumerateRunes().Any(r => Rune.IsControl(r) || r == Rune.ReplacementChar))
        {
            throw new FormatException("the name has control characters in it");
        }

        var mailbox = Parse(text.TrimEnd()[(open + 1)..^1]);
        mailbox.Name = name.Length > 1 && name[0] == '"' && name[^1] == '"' ? name[1..^1] : name;
        return mailbox;
    }

    /// <summary>With the domain in ASCII, as the DNS has it.</summary>
    public static string Ascii(this MailboxAddress mailbox) => mailbox.GetAddress(idnEncode: true);

    public static string AsciiDomain(this MailboxAddress mailbox) => mailbox.Ascii()[(mailbox.LocalPart.Length + 1)..];

    /// <summary>Letters beyond ASCII before the @: a server must have said that it takes such addresses (RFC 6531).</summary>
    public static bool NeedsSmtpUtf8(this MailboxAddress mailbox) => !System.Text.Ascii.IsValid(mailbox.LocalPart);

    // A lone surrogate is read as the replacement character.
    private static bool IsForbidden(Rune rune) =>
        Rune.IsControl(rune) || Rune.IsWhiteSpace(rune) || rune == Rune.ReplacementChar || Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format
        || (rune.IsAscii && Specials.Contains((char)rune.Value, StringComparison.Ordinal));
}
