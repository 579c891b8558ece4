using System.Text;
using System.Text.RegularExpressions;

namespace Jobs.Tests.Mail;

/// <summary>Reads a mail back as a mail program would: unfolds, decodes, takes the parts apart. Knows nothing of how it was written.</summary>
internal sealed partial class MimeReader
{
    public List<(string Name, string Value)> Headers { get; } = [];
    public List<MimeReader> Parts { get; } = [];
    public byte[] Content { get; private set; } = [];

    public string Text => Encoding.UTF8.GetString(Content);

    public string this[string name] => Headers.SingleOrDefault(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Value ?? "";

    public IEnumerable<MimeReader> Leaves() => Parts.Count == 0 ? [this] : Parts.SelectMany(p => p.Leaves());

    public static MimeReader Read(ReadOnlySpan<byte> bytes) => Read(Encoding.Latin1.GetString(bytes));

    private static MimeReader Read(string mail)
    {
        var mime = new MimeReader();
        var split = mail.StartsWith("\r\n", StringComparison.Ordinal) ? 0 : mail.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 2;
        foreach (Match header in Header().Matches(mail[..split]))
            mime.Headers.Add((header.Groups["name"].Value, Decode(header.Groups["value"].Value.Replace("\r\n", "", StringComparison.Ordinal))));
        var body = mail[(split + 2)..];
        if (Boundary().Match(mime["Content-Type"]) is { Success: true } boundary)
        {
            var pieces = ("\r\n" + body).Split("\r\n--" + boundary.Groups["b"].Value);
            if (!pieces[^1].StartsWith("--", StringComparison.Ordinal))
                throw new FormatException("the last boundary is missing");
            mime.Parts.AddRange(pieces[1..^1].Select(piece => Read(piece[2..])));
            return mime;
        }

        mime.Content = mime["Content-Transfer-Encoding"] switch
        {
            "base64" => Convert.FromBase64String(body),
            "quoted-printable" => QuotedPrintable(body),
            _ => Encoding.Latin1.GetBytes(body),
        };
        return mime;
    }

    private static byte[] QuotedPrintable(string body) => Encoding.Latin1.GetBytes(Escape().Replace(
        body.Replace("=\r\n", "", StringComparison.Ordinal), m => ((char)Convert.ToByte(m.Groups["hex"].Value, 16)).ToString()));

    private static string Decode(string value)
    {
        // Blanks between two encoded words are nothing; between a word and anything else they are blanks.
        var joined = BetweenWords().Replace(value, "${word}");
        return EncodedWord().Replace(joined, m => Encoding.UTF8.GetString(m.Groups["way"].Value is "B" or "b"
            ? Convert.FromBase64String(m.Groups["text"].Value)
            : QuotedPrintable(m.Groups["text"].Value.Replace('_', ' '))));
    }

    [GeneratedRegex("(?<name>[!-9;-~]+): ?(?<value>[^\r\n]*(\r\n[ \t][^\r\n]*)*)\r\n", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Header();

    [GeneratedRegex("^multipart/[a-z]+;\\s+boundary=\"(?<b>[^\"]+)\"$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Boundary();

    [GeneratedRegex("=(?<hex>[0-9A-F]{2})", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Escape();

    [GeneratedRegex(@"(?<word>=\?utf-8\?[BbQq]\?[^? ]*\?=)\s+(?==\?utf-8\?[BbQq]\?[^? ]*\?=)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex BetweenWords();

    [GeneratedRegex(@"=\?utf-8\?(?<way>[BbQq])\?(?<text>[^? ]*)\?=", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex EncodedWord();
}
