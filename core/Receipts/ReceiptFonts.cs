using System.Collections.Concurrent;
using PdfSharp.Drawing;
using PdfSharp.Fonts;

namespace Jobs.Receipts;

/// <summary>How text looks: a size in points, a face, a colour.</summary>
internal readonly record struct Style(double Size, bool Bold, XBrush Ink);

/// <summary>The two faces of a receipt are read from this assembly: PDFsharp never looks for fonts on the machine.</summary>
internal sealed class ReceiptFonts : IFontResolver
{
    private const string Regular = "DejaVuSans";
    private const string Bold = "DejaVuSans-Bold";

    private static readonly ConcurrentDictionary<(double Size, bool Bold), XFont> Made = new();

    static ReceiptFonts() => GlobalFontSettings.FontResolver = new ReceiptFonts();

    private ReceiptFonts()
    {
    }

    public static XFont Of(Style style) => Made.GetOrAdd(
        (style.Size, style.Bold),
        static key => new XFont(Regular, key.Size, key.Bold ? XFontStyleEx.Bold : XFontStyleEx.Regular, XPdfFontOptions.UnicodeDefault));

    public FontResolverInfo ResolveTypeface(string familyName, bool bold, bool italic) => new(bold ? Bold : Regular);

    public byte[] GetFont(string faceName)
    {
        using var stream = typeof(ReceiptFonts).Assembly.GetManifestResourceStream($"fonts/{faceName}.ttf")!;
        var file = new byte[stream.Length];
        stream.ReadExactly(file);
        return file;
    }
}
