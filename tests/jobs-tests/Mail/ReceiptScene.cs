using System.Buffers.Binary;
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
        var objects = Objects(file);
        var pages = Regex.Match(objects.Values.Single(o => o.Contains("/Type/Pages", StringComparison.Ordinal)), @"/Kids\[([^]]*)\]").Groups[1].Value;
        return [.. References(pages).SelectMany((page, i) => Texts(objects, objects[page], i))];
    }

    /// <summary>The objects that are not streams, each on a line: catalog, information, fonts.</summary>
    public static string Plain(byte[] file) => string.Join('\n', Objects(file).Values.Where(o => !o.Contains("\nstream\n", StringComparison.Ordinal)));

    private static List<PdfText> Texts(Dictionary<int, string> objects, string page, int number)
    {
        var fonts = Regex.Matches(page, @"/(F\d+) (\d+) 0 R").ToDictionary(m => m.Groups[1].Value, m => new Font(objects, Number(m.Groups[2].Value)));
        var content = Stream(objects[References(Regex.Match(page, @"/Contents (\d+ 0 R|\[[^]]*\])").Value).Single()]);
        var texts = new List<PdfText>();
        var (font, size, x, y) = (fonts.Values.First(), 0m, 0m, 0m);
        foreach (Match step in Regex.Matches(content, @"(?<begin>\bBT\b)|/(?<font>F\d+) (?<size>[\d.]+) Tf|(?<x>[-\d.]+) (?<y>[-\d.]+) Td|<(?<glyphs>[0-9A-Fa-f\n]*)> Tj"))
        {
            if (step.Groups["begin"].Success)
            {
                (x, y) = (0, 0);
            }
            else if (step.Groups["font"].Success)
            {
                (font, size) = (fonts[step.Groups["font"].Value], Decimal(step.Groups["size"].Value));
            }
            else if (step.Groups["x"].Success)
            {
                (x, y) = (x + Decimal(step.Groups["x"].Value), y + Decimal(step.Groups["y"].Value));
            }
            else
            {
                var glyphs = step.Groups["glyphs"].Value.Replace("\n", "", StringComparison.Ordinal).Chunk(4).Select(hex => Convert.ToInt32(new string(hex), 16)).ToList();
                texts.Add(new PdfText(number, x, y, glyphs.Sum(g => font.Widths[g]) * size / 1000, string.Concat(glyphs.Select(g => font.Characters[g]))));
            }
        }

        // Whatever else shows text or moves it would go unread.
        Assert.Equal(texts.Count, Regex.Count(content, "T[jJ*]"));
        Assert.DoesNotMatch(@"\b(Tm|TD|TL|cm)\b", content);
        return texts;
    }

    private static Dictionary<int, string> Objects(byte[] file)
    {
        var text = Encoding.Latin1.GetString(file);
        Assert.StartsWith("%PDF-1.7\n", text, StringComparison.Ordinal);
        Assert.EndsWith("%%EOF\n", text, StringComparison.Ordinal);
        var table = Number(Regex.Match(text, @"startxref\n(\d+)\n%%EOF").Groups[1].Value);
        Assert.StartsWith("xref\n0 ", text[table..], StringComparison.Ordinal);
        var objects = new Dictionary<int, string>();
        foreach (var (entry, number) in Regex.Matches(text[table..], @"(\d{10}) \d{5} ([nf]) \n").Select((entry, i) => (entry, i)).Where(e => e.entry.Groups[2].Value == "n"))
        {
            var at = Number(entry.Groups[1].Value);
            Assert.StartsWith($"{number} 0 obj\n", text[at..], StringComparison.Ordinal);
            objects[number] = text[at..text.IndexOf("\nendobj\n", at, StringComparison.Ordinal)];
        }

        Assert.All(objects.Values.Append(text[text.LastIndexOf("trailer", StringComparison.Ordinal)..]), o => Assert.All(References(o.Split("\nstream\n")[0]), to => Assert.Contains(to, objects)));
        return objects;
    }

    private static List<int> References(string text) => [.. Regex.Matches(text, @"(\d+) 0 R").Select(m => Number(m.Groups[1].Value))];

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
            Widths = Regex.Matches(Regex.Match(descendant, @"/W\[(.*)\]").Value, @"(\d+)\[(\d+)\]").ToDictionary(m => Number(m.Groups[1].Value), m => Number(m.Groups[2].Value));
            Characters = Regex.Matches(Stream(objects[Reference(objects[at], "ToUnicode")]), "<([0-9A-F]{4})><([0-9A-F]{4})><([0-9A-F]{4})>")
                .ToDictionary(m => Convert.ToInt32(m.Groups[1].Value, 16), m => ((char)Convert.ToInt32(m.Groups[3].Value, 16)).ToString());
            var file = Encoding.Latin1.GetBytes(Stream(objects[Reference(objects[Reference(descendant, "FontDescriptor")], "FontFile2")]));
            IsSound(file, Widths.Keys);
        }

        public Dictionary<int, int> Widths { get; }
        public Dictionary<int, string> Characters { get; }

        private static int Reference(string entry, string name) => Number(Regex.Match(entry, $@"/{name} ?\[?(\d+) 0 R").Groups[1].Value);

        /// <summary>Each glyph's outline lies within the table, and every part of those that are shown has one.</summary>
        private static void IsSound(byte[] file, IEnumerable<int> shown)
        {
            var tables = Enumerable.Range(0, file[5]).ToDictionary(
                i => Encoding.ASCII.GetString(file, 12 + 16 * i, 4), i => (Offset: Int32(file, 20 + 16 * i), Length: Int32(file, 24 + 16 * i)));
            var count = Int16(file, tables["maxp"].Offset + 4);
            var wide = Int16(file, tables["head"].Offset + 50) == 1;
            int Location(int g) => wide ? Int32(file, tables["loca"].Offset + 4 * g) : 2 * Int16(file, tables["loca"].Offset + 2 * g);
            Assert.All(Enumerable.Range(0, count), g => Assert.InRange(Location(g + 1), Location(g), tables["glyf"].Length));

            void IsWhole(int glyph)
            {
                Assert.InRange(glyph, 0, count - 1);
                var outline = file.AsSpan(tables["glyf"].Offset + Location(glyph));
                if (Location(glyph + 1) == Location(glyph) || BinaryPrimitives.ReadInt16BigEndian(outline) >= 0)
                {
                    return;
                }

                // The parts of a composite glyph: flags, number, then two offsets and a scale, as long as the flags say.
                int flags, at = 10;
                do
                {
                    flags = BinaryPrimitives.ReadUInt16BigEndian(outline[at..]);
                    var part = BinaryPrimitives.ReadUInt16BigEndian(outline[(at + 2)..]);
                    Assert.True(Location(part + 1) > Location(part), $"glyph {glyph} lacks its part {part}");
                    IsWhole(part);
                    at += 4 + ((flags & 0x1) != 0 ? 4 : 2) + ((flags & 0x8) != 0 ? 2 : (flags & 0x40) != 0 ? 4 : (flags & 0x80) != 0 ? 8 : 0);
                }
                while ((flags & 0x20) != 0);
            }

            Assert.All(shown, IsWhole);
        }

        private static int Int32(byte[] file, int at) => BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));

        private static int Int16(byte[] file, int at) => BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(at));
    }
}
