using System.Globalization;
using System.Text;

namespace Jobs.Mail;

/// <summary>
/// An address that can stand in an SMTP command and in a header: nothing in it can end the line, close the brackets or begin
/// a second address. The domain is in ASCII, as the DNS has it.
/// </summary>
/// <param name="Name">Empty when none was given.</param>
public sealed record MailAddress(string Name, string LocalPart, string Domain)
{
    private const int LongestLocalPart = 64;
    private const int Longest = 254;
    private const string Specials = "()<>[]:;@\\,\"";

    /// <summary>A server must have said that it takes such addresses (RFC 6531).</summary>
    public bool NeedsSmtpUtf8 => !Ascii.IsValid(LocalPart);

    public string Value => $"{LocalPart}@{Domain}";

    /// <param name="text">The address alone.</param>
    /// <exception cref="FormatException">Its message says what is wrong, without the address.</exception>
    public static MailAddress Parse(string text)
    {
        var parts = text.Trim().Split('@');
        if (parts is not [{ Length: > 0 } local, { Length: > 0 } domain])
        {
            throw new FormatException(parts is [""] ? "there is no address" : "an address has one @, with something on either side");
        }

        if (local.EnumerateRunes().Any(IsForbidden))
        {
            throw new FormatException("the address has blanks, brackets, quotes or control characters in it");
        }

        var address = new MailAddress("", local, InAscii(domain));
        return Encoding.UTF8.GetByteCount(local) > LongestLocalPart || Encoding.UTF8.GetByteCount(address.Value) > Longest
            ? throw new FormatException("the address is too long")
            : address;
    }

    /// <param name="text">Such as <c>Club &lt;office@example.org&gt;</c>, or the address alone.</param>
    /// <inheritdoc cref="Parse(string)"/>
    public static MailAddress ParseWithName(string text)
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

        return Parse(text.TrimEnd()[(open + 1)..^1]) with { Name = name.Length > 1 && name[0] == '"' && name[^1] == '"' ? name[1..^1] : name };
    }

    // A lone surrogate is read as the replacement character.
    private static bool IsForbidden(Rune rune) =>
        Rune.IsControl(rune) || Rune.IsWhiteSpace(rune) || rune == Rune.ReplacementChar || Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format
        || (rune.IsAscii && Specials.Contains((char)rune.Value, StringComparison.Ordinal));

    private static string InAscii(string domain)
    {
        try
        {
            var ascii = Ascii.IsValid(domain) ? domain : new IdnMapping().GetAscii(domain);
            if (ascii.Split('.').All(label => label.Length is > 0 and < 64 && label.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')))
            {
                return ascii;
            }
        }
        catch (ArgumentException)
        {
            // Said below.
        }

        throw new FormatException("what follows the @ is no name of a domain");
    }
}
