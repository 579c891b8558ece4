using System.Text;
using PdfSharp.Drawing;
using PdfSharp.Fonts;

namespace Jobs.Receipts;

/// <summary>An A4 page. Places are in points from its top left corner, to the base line of text.</summary>
internal sealed class ReceiptPage(XGraphics graphics) : IDisposable
{
    public const int Width = 595;

    // Shown for what the fonts lack.
    private const int Replacement = 0xFFFD;

    public void Dispose() => graphics.Dispose();

    public void Text(double x, double y, string text, Style style) =>
        graphics.DrawString(Shown(RightToLeft.Visual(text), style), ReceiptFonts.Of(style), style.Ink, x, y);

    public void RightAligned(double right, double y, string text, Style style) => Text(right - WidthOf(text, style), y, text, style);

    public void Box(double x, double y, double width, double height, XBrush ink) => graphics.DrawRectangle(ink, x, y, width, height);

    public double WidthOf(string text, Style style) => graphics.MeasureString(Shown(text, style), ReceiptFonts.Of(style)).Width;

    /// <summary>Breaks at spaces, within a word only when it is wider than the line; what does not fit in the lines ends in an ellipsis.</summary>
    public IReadOnlyList<string> Wrap(string text, double width, Style style, int lines)
    {
        if (text.Length == 0 || WidthOf(text, style) <= width)
        {
            return text.Length == 0 ? [] : [text];
        }

        var wrapped = new List<string>();
        var rest = text;
        while (rest.Length > 0 && wrapped.Count < lines)
        {
            var fits = Fitting(rest, width, style);
            if (fits < rest.Length && wrapped.Count == lines - 1)
            {
                wrapped.Add(Cut(rest, width, style));
                break;
            }

            var space = fits < rest.Length ? rest.LastIndexOf(' ', fits) : -1;
            var end = space > 0 ? space : fits;
            wrapped.Add(rest[..end]);
            rest = rest[end..].TrimStart(' ');
        }

        return wrapped;
    }

    /// <summary>The style that shows all of the text: the regular face has more characters than the bold one.</summary>
    public static Style Suited(string text, Style style) =>
        style with { Bold = style.Bold && Shown(text, style) == Shown(text, style with { Bold = false }) };

    private string Cut(string text, double width, Style style)
    {
        for (var end = Fitting(text, width, style); end > 0; end--)
        {
            if (!char.IsHighSurrogate(text[end - 1]) && text[..end].TrimEnd() + "…" is var cut && WidthOf(cut, style) <= width)
            {
                return cut;
            }
        }

        return "…";
    }

    /// <returns>How many chars of the text fit, at least one character's.</returns>
    private int Fitting(string text, double width, Style style)
    {
        var (left, fits) = (width, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            left -= WidthOf(rune.ToString(), style);
            if (left < 0 && fits > 0)
            {
                break;
            }

            fits += rune.Utf16SequenceLength;
        }

        return fits;
    }

    /// <summary>Joiners go, all spaces are one, and what the font lacks is replaced for all to see.</summary>
    private static string Shown(string text, Style style)
    {
        var (shown, font) = (new StringBuilder(text.Length), ReceiptFonts.Of(style));
        foreach (var rune in text.EnumerateRunes().Where(rune => rune.Value is not (0x200C or 0x200D)))
        {
            var character = Rune.IsWhiteSpace(rune) ? ' ' : rune.Value;
            shown.Append(new Rune(GlyphHelper.GlyphIndexFromCodePoint(character, font) > 0 ? character : Replacement));
        }

        return shown.ToString();
    }
}
