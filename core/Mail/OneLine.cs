using System.Globalization;
using System.Text;

namespace Jobs.Mail;

/// <summary>Text of unknown origin - names, reasons - as part of a line of ours.</summary>
internal static class OneLine
{
    private const int Longest = 200;

    /// <summary>
    /// Line ends and control characters become spaces, of which several become one; what is invisible or would turn the
    /// direction of the text around it is left out; what is too long ends in an ellipsis.
    /// </summary>
    public static string Of(string? text, int longest = Longest)
    {
        text ??= "";
        var line = new StringBuilder(Math.Min(text.Length, longest));
        var (length, space) = (0, false);
        Span<char> character = stackalloc char[2];
        // A half of a surrogate pair comes out as U+FFFD.
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsSpace(rune))
            {
                space = length > 0;
                continue;
            }

            if (IsInvisible(rune))
            {
                continue;
            }

            if (length + (space ? 1 : 0) >= longest)
            {
                line.Append('…');
                break;
            }

            if (space)
            {
                line.Append(' ');
                length++;
            }

            line.Append(character[..rune.EncodeToUtf16(character)]);
            (length, space) = (length + 1, false);
        }

        return line.ToString();
    }

    // The no-break space stays: amounts are written with it.
    private static bool IsSpace(Rune rune) =>
        Rune.IsControl(rune) || (Rune.IsWhiteSpace(rune) && rune.Value != 0xA0);

    // Joiners stay: Persian and many an emoji need them.
    private static bool IsInvisible(Rune rune) =>
        (Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format && rune.Value is not (0x200C or 0x200D))
        || (rune.Value & 0xFFFE) == 0xFFFE;
}
