using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using PdfSharp.Pdf;

namespace Jobs.Receipts;

/// <summary>Saves a PDFsharp document so that the same drawing gives the same bytes: PDFsharp itself writes three kinds of random names.</summary>
internal static class SteadyPdf
{
    private static readonly string[] FontNames = ["/BaseFont", "/FontName"];

    /// <param name="document">Its pages are complete: nobody draws on them any more.</param>
    public static byte[] Save(PdfDocument document)
    {
        var drawn = Hash(document);
        var id = Encoding.Latin1.GetString(drawn.AsSpan(0, 16));
        (document.Internals.FirstDocumentID, document.Internals.SecondDocumentID) = (id, id);
        NameFonts(document, string.Concat(drawn.Take(6).Select(b => (char)('A' + b % 26))));
        using var file = new MemoryStream();
        document.Save(file);
        return WithoutMetadata(Encoding.Latin1.GetString(file.GetBuffer().AsSpan(0, (int)file.Length)));
    }

    /// <summary>Before it is saved, a document's only streams are what its pages show.</summary>
    private static byte[] Hash(PdfDocument document)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var stream in document.Internals.GetAllObjects().OfType<PdfDictionary>().Select(dictionary => dictionary.Stream))
        {
            hash.AppendData(stream?.Value ?? []);
        }

        return hash.GetHashAndReset();
    }

    /// <param name="tag">Six letters before a font's name: PDF tells different subsets of one font apart by them.</param>
    private static void NameFonts(PdfDocument document, string tag)
    {
        foreach (var elements in document.Internals.GetAllObjects().OfType<PdfDictionary>().Select(dictionary => dictionary.Elements))
        {
            foreach (var key in FontNames.Where(elements.ContainsKey))
            {
                var name = elements.GetName(key);
                elements.SetName(key, $"/{tag}{name[name.IndexOf('+', StringComparison.Ordinal)..]}");
            }
        }
    }

    /// <summary>
    /// PDFsharp's last object repeats title and author as XML, with random ids, and does not escape them: a business called
    /// "Smith &amp; Sons" makes it unreadable. It is cut out; the reference to it becomes spaces, its entry in the cross-reference
    /// table a free one, so that nothing before it moves.
    /// </summary>
    private static byte[] WithoutMetadata(string file)
    {
        const int entry = 20;
        var table = file.LastIndexOf("\nxref\n", StringComparison.Ordinal) + 1;
        var trailer = file.LastIndexOf("trailer\n", StringComparison.Ordinal);
        var metadata = int.Parse(file.AsSpan(trailer - entry, 10), CultureInfo.InvariantCulture);
        var reference = $"/Metadata {file[metadata..file.IndexOf(' ', metadata)]} 0 R";
        return Encoding.Latin1.GetBytes(
            file[..metadata].Replace(reference, new string(' ', reference.Length), StringComparison.Ordinal)
            + file[table..(trailer - entry)] + "0000000000 65535 f \n"
            + file[trailer..].Replace($"startxref\n{table}\n", $"startxref\n{metadata}\n", StringComparison.Ordinal));
    }
}
