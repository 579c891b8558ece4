using System.Globalization;
using System.Text;

namespace Jobs.Receipts;

/// <summary>A colour in hundredths of red, green and blue.</summary>
internal readonly record struct Ink(int Red, int Green, int Blue)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Red / 100m} {Green / 100m} {Blue / 100m}");
}

/// <summary>How text looks: a size in points, a face, a colour.</summary>
internal readonly record struct Style(decimal Size, bool Bold, Ink Ink);

/// <summary>An A4 page. Places are in points from its top left corner, to the base line of text.</summary>
internal sealed class PdfPage(PdfDocument document)
{
    public const int Width = 595;
    public const int Height = 842;

    // Shown for what the fonts lack.
    private const int Replacement = 0xFFFD;

    private readonly StringBuilder _content = new();

    public string Content => _content.ToString();

    public void Text(decimal x, decimal y, string text, Style style)
    {
        var subset = Face(style);
        _content.Append(CultureInfo.InvariantCulture, $"BT {style.Ink} rg /{(style.Bold ? "F2" : "F1")} {style.Size} Tf {x} {Height - y} Td <");
        foreach (var character in Characters(RightToLeft.Visual(text), subset.Font))
        {
            _content.Append(CultureInfo.InvariantCulture, $"{subset.Use(character):X4}");
        }

        _content.Append("> Tj ET\n");
    }

    public void RightAligned(decimal right, decimal y, string text, Style style) => Text(right - WidthOf(text, style), y, text, style);

    public void Box(decimal x, decimal y, decimal width, decimal height, Ink ink) =>
        _content.Append(CultureInfo.InvariantCulture, $"{ink} rg {x} {Height - y - height} {width} {height} re f\n");

    public decimal WidthOf(string text, Style style)
    {
        var font = Face(style).Font;
        return Characters(text, font).Sum(c => font.Advance(font.Glyph(c))) * style.Size / font.UnitsPerEm;
    }

    /// <summary>Breaks at spaces, within a word only when it is wider than the line; what does not fit in the lines ends in an ellipsis.</summary>
    public IReadOnlyList<string> Wrap(string text, decimal width, Style style, int lines)
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

    private string Cut(string text, decimal width, Style style)
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
    private int Fitting(string text, decimal width, Style style)
    {
        var font = Face(style).Font;
        var (left, fits) = (width * font.UnitsPerEm / style.Size, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            left -= Characters(rune.ToString(), font).Sum(c => font.Advance(font.Glyph(c)));
            if (left < 0 && fits > 0)
            {
                break;
            }

            fits += rune.Utf16SequenceLength;
        }

        return fits;
    }

    /// <summary>The style that shows all of the text: the regular face has more characters than the bold one.</summary>
    public static Style Suited(string text, Style style) =>
        style with { Bold = style.Bold && Characters(text, TrueTypeFont.Regular).All(c => c == Replacement || TrueTypeFont.Bold.Glyph(c) > 0) };

    private FontSubset Face(Style style) => style.Bold ? document.Bold : document.Regular;

    /// <summary>Joiners go, all spaces are one, and what the font lacks is replaced for all to see.</summary>
    private static IEnumerable<int> Characters(string text, TrueTypeFont font)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value is 0x200C or 0x200D)
            {
                continue;
            }

            var character = Rune.IsWhiteSpace(rune) ? ' ' : rune.Value;
            yield return font.Glyph(character) > 0 ? character : Replacement;
        }
    }
}
