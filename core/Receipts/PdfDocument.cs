using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Jobs.Receipts;

/// <summary>
/// A PDF 1.7 file of pages of text in two faces. Nothing random and no clock: the same calls give the same bytes.
/// </summary>
/// <remarks>
/// Our own, small as it is: PDFsharp from 6.5 on is AGPL or paid for, and the versions before, which this project's licence
/// would agree with, are not in the package source it is built from.
/// </remarks>
internal sealed class PdfDocument(string title, string author, string language, DateTime created)
{
    private const int Catalog = 1;
    private const int Pages = 2;
    private const int Information = 3;
    private const int FirstFont = 4;
    private const int ObjectsOfFont = 5;

    private readonly List<PdfPage> _pages = [];

    public FontSubset Regular { get; } = new(TrueTypeFont.Regular);
    public FontSubset Bold { get; } = new(TrueTypeFont.Bold);

    public PdfPage AddPage()
    {
        var page = new PdfPage(this);
        _pages.Add(page);
        return page;
    }

    public byte[] Save()
    {
        using var file = new PdfFile();
        var firstPage = FirstFont + 2 * ObjectsOfFont;
        file.Object(Catalog, $"<< /Type /Catalog /Pages {Pages} 0 R /Lang ({language}) /ViewerPreferences << /DisplayDocTitle true >> >>");
        file.Object(Pages, $"<< /Type /Pages /Kids [{string.Join(' ', _pages.Select((_, i) => $"{firstPage + 2 * i} 0 R"))}] /Count {_pages.Count} >>");
        var date = created.ToString("'D:'yyyyMMddHHmmss'Z'", CultureInfo.InvariantCulture);
        file.Object(Information, $"<< /Title {Text(title)} /Author {Text(author)} /CreationDate ({date}) /ModDate ({date}) >>");
        Embed(file, FirstFont, Regular);
        Embed(file, FirstFont + ObjectsOfFont, Bold);
        for (var i = 0; i < _pages.Count; i++)
        {
            var at = firstPage + 2 * i;
            file.Object(
                at,
                $"<< /Type /Page /Parent {Pages} 0 R /MediaBox [0 0 {PdfPage.Width} {PdfPage.Height}] /Contents {at + 1} 0 R "
                + $"/Resources << /Font << /F1 {FirstFont} 0 R /F2 {FirstFont + ObjectsOfFont} 0 R >> >> >>");
            file.Stream(at + 1, Encoding.ASCII.GetBytes(_pages[i].Content));
        }

        return file.End(Catalog, Information);
    }

    private static void Embed(PdfFile file, int at, FontSubset subset)
    {
        var font = subset.Font;
        var content = subset.File();
        var box = string.Join(' ', font.Box.Select(subset.Thousandths));
        file.Object(at, $"<< /Type /Font /Subtype /Type0 /BaseFont /{subset.Name} /Encoding /Identity-H /DescendantFonts [{at + 1} 0 R] /ToUnicode {at + 4} 0 R >>");
        file.Object(
            at + 1,
            $"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{subset.Name} /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
            + $"/FontDescriptor {at + 2} 0 R /CIDToGIDMap /Identity /W {subset.Widths()} >>");
        file.Object(
            at + 2,
            $"<< /Type /FontDescriptor /FontName /{subset.Name} /Flags 4 /FontBBox [{box}] /ItalicAngle 0 /Ascent {subset.Thousandths(font.Ascent)} "
            + $"/Descent {subset.Thousandths(font.Descent)} /CapHeight 729 /StemV 80 /FontFile2 {at + 3} 0 R >>");
        file.Stream(at + 3, content, $" /Length1 {content.Length}");
        file.Stream(at + 4, Encoding.ASCII.GetBytes(subset.ToUnicode()));
    }

    /// <summary>A text string in UTF-16, as hexadecimal digits: nothing in it needs escaping.</summary>
    private static string Text(string text) => $"<FEFF{Convert.ToHexString(Encoding.BigEndianUnicode.GetBytes(text))}>";

    /// <summary>Numbered objects, their places, the end of the file.</summary>
    private sealed class PdfFile : IDisposable
    {
        private const int UsualLength = 16384;

        private readonly MemoryStream _bytes = new(UsualLength);
        private readonly MemoryStream _packed = new(UsualLength);
        private readonly SortedDictionary<int, long> _places = [];

        // The second line tells programs that move files that this one is binary.
        public PdfFile() => Write("%PDF-1.7\n%\u00E2\u00E3\u00CF\u00D3\n");

        public void Object(int number, string content)
        {
            _places[number] = _bytes.Length;
            Write($"{number} 0 obj\n{content}\nendobj\n");
        }

        public void Stream(int number, ReadOnlySpan<byte> content, string more = "")
        {
            _packed.SetLength(0);
            using (var zlib = new ZLibStream(_packed, CompressionLevel.Optimal, leaveOpen: true))
            {
                zlib.Write(content);
            }

            _places[number] = _bytes.Length;
            Write($"{number} 0 obj\n<< /Length {_packed.Length} /Filter /FlateDecode{more} >>\nstream\n");
            _packed.WriteTo(_bytes);
            Write("\nendstream\nendobj\n");
        }

        public byte[] End(int catalog, int information)
        {
            var id = Convert.ToHexString(SHA256.HashData(_bytes.GetBuffer().AsSpan(0, (int)_bytes.Length)).AsSpan(0, 16));
            var table = _bytes.Length;
            Write($"xref\n0 {_places.Count + 1}\n0000000000 65535 f \n");
            foreach (var place in _places.Values)
            {
                Write($"{place:D10} 00000 n \n");
            }

            Write($"trailer\n<< /Size {_places.Count + 1} /Root {catalog} 0 R /Info {information} 0 R /ID [<{id}> <{id}>] >>\nstartxref\n{table}\n%%EOF\n");
            return _bytes.ToArray();
        }

        public void Dispose()
        {
            _bytes.Dispose();
            _packed.Dispose();
        }

        private void Write(string text) => _bytes.Write(Encoding.Latin1.GetBytes(text));
    }
}
