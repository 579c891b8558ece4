using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using Jobs.Billing;
using Jobs.Mail;
using Jobs.Receipts;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>Receipts as rows, without a database.</summary>
internal static class ReceiptScene
{
    public static readonly BusinessZone Paris = new("Europe/Paris");

    public static Receipt Subscription(
        string name = "Ada Lovelace", string email = "ada@example.test", long amount = 123450, string currency = "eur", string status = "succeeded", long refunded = 0,
        string? plan = "Premium", DateOnly? start = null, string unit = "month", int count = 1, int anchor = 31, string number = "2026-000123") => new()
        {
            Number = number,
            IssuedAt = new DateTime(2026, 11, 20, 23, 30, 0, DateTimeKind.Utc),
            AmountMinor = amount,
            Currency = currency,
            PaymentId = 1,
            UserId = 1,
            Purpose = "subscription",
            Status = status,
            AmountRefundedMinor = refunded,
            Method = "card",
            ProviderPaymentId = "pi_3Q9XkLJ2eZvKYlo2",
            PayerName = name,
            PayerEmail = email,
            Plan = plan,
            PeriodStart = start ?? new DateOnly(2026, 11, 21),
            IntervalUnit = unit,
            IntervalCount = count,
            AnchorDay = anchor,
        };

    public static Receipt Order(int items, string product = "Poster") => new Receipt
    {
        Number = "2026-000124",
        IssuedAt = new DateTime(2026, 11, 20, 6, 0, 0, DateTimeKind.Utc),
        AmountMinor = items * 500,
        Currency = "eur",
        Purpose = "order",
        Status = "succeeded",
        Method = "card_terminal",
        PayerEmail = "ada@example.test",
        OrderId = 47,
    }.With([.. Enumerable.Range(1, Math.Min(items, 100)).Select(i => new ReceiptItem { Name = $"{product} {i}", Quantity = 2, UnitAmountMinor = 250, ItemCount = items, TotalMinor = items * 500m })]);

    public static ReceiptDocument In(this Receipt receipt, Language language, string business = "Atelier du Chapiteau") =>
        new(receipt, language, new Business(business, ["12 rue des Lilas", "75020 Paris"], "SIRET 123"), Paris);

    public static List<PdfText> Read(this ReceiptDocument document) => PdfReader.Read(ReceiptPdf.Render(document));

    public static string Words(this IEnumerable<PdfText> texts) => string.Join('\n', texts.Select(t => t.Text));
}

/// <summary>A piece of text on a page, where it stands and how wide it is.</summary>
internal sealed record PdfText(int Page, decimal X, decimal Y, decimal Width, string Text);

/// <summary>Reads back what a PDF says as other programs do: by its cross references, its fonts' widths and their ToUnicode maps.</summary>
internal static class PdfReader
{
    public static List<PdfText> Read(byte[] file)
    {
        var text = Encoding.Latin1.GetString(file);
        Assert.StartsWith("%PDF-1.7\n", text, StringComparison.Ordinal);
        Assert.EndsWith("%%EOF\n", text, StringComparison.Ordinal);
        var objects = Objects(text);
        var fonts = new Dictionary<string, Font>(StringComparer.Ordinal);
        var texts = new List<PdfText>();
        var pages = Regex.Matches(objects[2], @"(\d+) 0 R").Select(m => Number(m.Groups[1].Value)).ToList();
        foreach (var (page, i) in pages.Select((page, i) => (objects[page], i)))
        {
            foreach (Match font in Regex.Matches(page, @"/(F\d) (\d+) 0 R"))
            {
                fonts.TryAdd(font.Groups[1].Value, new Font(objects, Number(font.Groups[2].Value)));
            }

            var content = Stream(objects[Number(Regex.Match(page, @"/Contents (\d+) 0 R").Groups[1].Value)]);
            foreach (Match shown in Regex.Matches(content, @"BT [\d. ]+ rg /(F\d) ([\d.]+) Tf ([-\d.]+) ([-\d.]+) Td <([0-9A-F]*)> Tj ET"))
            {
                var font = fonts[shown.Groups[1].Value];
                var glyphs = shown.Groups[5].Value.Chunk(4).Select(hex => Convert.ToInt32(new string(hex), 16)).ToList();
                texts.Add(new PdfText(
                    i, Decimal(shown.Groups[3].Value), Decimal(shown.Groups[4].Value), glyphs.Sum(g => font.Widths[g]) * Decimal(shown.Groups[2].Value) / 1000,
                    string.Concat(glyphs.Select(g => font.Characters[g]))));
            }
        }

        return texts;
    }

    public static string Information(byte[] file) => Objects(Encoding.Latin1.GetString(file))[3];

    private static Dictionary<int, string> Objects(string text)
    {
        var objects = new Dictionary<int, string>();
        var table = Number(Regex.Match(text, @"startxref\n(\d+)\n").Groups[1].Value);
        Assert.StartsWith("xref\n0 ", text[table..], StringComparison.Ordinal);
        var number = 0;
        foreach (Match entry in Regex.Matches(text[table..], @"(\d{10}) \d{5} n "))
        {
            number++;
            var at = Number(entry.Groups[1].Value);
            Assert.StartsWith($"{number} 0 obj\n", text[at..], StringComparison.Ordinal);
            var end = text.IndexOf("\nendobj\n", at, StringComparison.Ordinal);
            objects[number] = text[at..end];
        }

        return objects;
    }

    private static string Stream(string entry)
    {
        var length = Number(Regex.Match(entry, @"/Length (\d+)").Groups[1].Value);
        var start = entry.IndexOf("stream\n", StringComparison.Ordinal) + "stream\n".Length;
        using var zlib = new ZLibStream(new MemoryStream(Encoding.Latin1.GetBytes(entry.Substring(start, length))), CompressionMode.Decompress);
        using var content = new MemoryStream();
        zlib.CopyTo(content);
        return Encoding.Latin1.GetString(content.ToArray());
    }

    private static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);

    private static decimal Decimal(string digits) => decimal.Parse(digits, CultureInfo.InvariantCulture);

    private sealed class Font
    {
        public Font(Dictionary<int, string> objects, int at)
        {
            var descendant = objects[Reference(objects[at], "DescendantFonts")];
            var widths = Regex.Match(descendant, @"/W \[0 \[([\d ]+)\]\]").Groups[1].Value.Split(' ').Select(Number).ToList();
            Widths = widths;
            Characters = Regex.Matches(Stream(objects[Reference(objects[at], "ToUnicode")]), "<([0-9A-F]{4})> <([0-9A-F]{4})>")
                .ToDictionary(m => Convert.ToInt32(m.Groups[1].Value, 16), m => ((char)Convert.ToInt32(m.Groups[2].Value, 16)).ToString());
            var file = Encoding.Latin1.GetBytes(Stream(objects[Reference(objects[Reference(descendant, "FontDescriptor")], "FontFile2")]));
            IsSound(file, widths.Count);
        }

        public IReadOnlyList<int> Widths { get; }
        public Dictionary<int, string> Characters { get; }

        private static int Reference(string entry, string name) => Number(Regex.Match(entry, $@"/{name} \[?(\d+) 0 R").Groups[1].Value);

        /// <summary>Each glyph's outline lies within the table, and what it is made of within the font.</summary>
        private static void IsSound(byte[] file, int glyphs)
        {
            var tables = Enumerable.Range(0, file[5]).ToDictionary(
                i => Encoding.ASCII.GetString(file, 12 + 16 * i, 4), i => (Offset: Int32(file, 20 + 16 * i), Length: Int32(file, 24 + 16 * i)));
            var count = Int16(file, tables["maxp"].Offset + 4);
            Assert.True(count >= glyphs);
            Assert.Equal(4 * (count + 1), tables["loca"].Length);
            Assert.Equal(4 * count, tables["hmtx"].Length);
            for (var g = 0; g < count; g++)
            {
                var (from, to) = (Int32(file, tables["loca"].Offset + 4 * g), Int32(file, tables["loca"].Offset + 4 * g + 4));
                Assert.InRange(to, from, tables["glyf"].Length);
                if (to > from && Int16(file, tables["glyf"].Offset + from) == 0xFFFF)
                {
                    Assert.InRange(Int16(file, tables["glyf"].Offset + from + 12), 0, count - 1);
                }
            }
        }

        private static int Int32(byte[] file, int at) => System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));

        private static int Int16(byte[] file, int at) => System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(at));
    }
}
