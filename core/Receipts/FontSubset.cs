using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Jobs.Receipts;

/// <summary>The glyphs of a font that one document uses, numbered in the order of their first use.</summary>
internal sealed class FontSubset(TrueTypeFont font)
{
    private const int Composite = -1;
    private const int UsualOutlines = 16384;

    private readonly List<int> _glyphs = [0];
    private readonly Dictionary<int, int> _numbers = new() { [0] = 0 };
    private readonly SortedDictionary<int, int> _characters = [];

    public TrueTypeFont Font => font;

    /// <returns>The glyph's number in the subset.</returns>
    public int Use(int character)
    {
        var number = Number(font.Glyph(character));
        _characters.TryAdd(number, character);
        return number;
    }

    /// <summary>The font file with these glyphs alone, as PDF wants it: no names, no cmap.</summary>
    public byte[] File()
    {
        var (outlines, offsets) = Outlines();
        var head = font.Table("head").ToArray();
        BinaryPrimitives.WriteInt16BigEndian(head.AsSpan(50), 1);
        var hhea = font.Table("hhea").ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(hhea.AsSpan(34), (ushort)_glyphs.Count);
        var maxp = font.Table("maxp").ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(maxp.AsSpan(4), (ushort)_glyphs.Count);
        var metrics = new byte[4 * _glyphs.Count];
        for (var i = 0; i < _glyphs.Count; i++)
        {
            font.Metric(_glyphs[i]).CopyTo(metrics.AsSpan(4 * i));
        }

        return Assemble(("glyf", outlines), ("head", head), ("hhea", hhea), ("hmtx", metrics), ("loca", offsets), ("maxp", maxp));
    }

    /// <summary>Six letters that differ between subsets, and the font's name.</summary>
    public string Name
    {
        get
        {
            var hash = SHA256.HashData(Encoding.ASCII.GetBytes(string.Join(',', _glyphs)));
            return string.Concat(hash.Take(6).Select(b => (char)('A' + b % 26))) + "+" + font.Name;
        }
    }

    /// <summary>The widths in thousandths, as CIDFont's /W.</summary>
    public string Widths() => $"[0 [{string.Join(' ', _glyphs.Select(g => Thousandths(font.Advance(g))))}]]";

    public int Thousandths(int units) => units * 1000 / font.UnitsPerEm;

    /// <summary>From glyph numbers back to text.</summary>
    public string ToUnicode()
    {
        var map = new StringBuilder(
            """
            /CIDInit /ProcSet findresource begin
            12 dict begin
            begincmap
            /CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
            /CMapName /Adobe-Identity-UCS def
            /CMapType 2 def
            1 begincodespacerange
            <0000> <FFFF>
            endcodespacerange

            """);
        foreach (var some in _characters.Chunk(100))
        {
            map.Append(CultureInfo.InvariantCulture, $"{some.Length} beginbfchar\n");
            foreach (var (number, character) in some)
            {
                map.Append(CultureInfo.InvariantCulture, $"<{number:X4}> <{character:X4}>\n");
            }

            map.Append("endbfchar\n");
        }

        return map.Append("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n").ToString();
    }

    private int Number(int glyph)
    {
        if (!_numbers.TryGetValue(glyph, out var number))
        {
            number = _numbers[glyph] = _glyphs.Count;
            _glyphs.Add(glyph);
        }

        return number;
    }

    /// <summary>What a composite glyph is made of joins the end of the list, which grows while it is gone through.</summary>
    private (ReadOnlyMemory<byte> Outlines, byte[] Offsets) Outlines()
    {
        var outlines = new ArrayBufferWriter<byte>(UsualOutlines);
        var offsets = new List<int>();
        for (var i = 0; i < _glyphs.Count; i++)
        {
            offsets.Add(outlines.WrittenCount);
            var outline = font.Outline(_glyphs[i]);
            var padded = outlines.GetSpan(outline.Length + 3)[..((outline.Length + 3) & ~3)];
            padded[outline.Length..].Clear();
            outline.CopyTo(padded);
            if (outline.Length > 0 && BinaryPrimitives.ReadInt16BigEndian(outline) == Composite)
            {
                RenumberParts(padded);
            }

            outlines.Advance(padded.Length);
        }

        offsets.Add(outlines.WrittenCount);
        var table = new byte[4 * offsets.Count];
        for (var i = 0; i < offsets.Count; i++)
        {
            BinaryPrimitives.WriteInt32BigEndian(table.AsSpan(4 * i), offsets[i]);
        }

        return (outlines.WrittenMemory, table);
    }

    private void RenumberParts(Span<byte> outline)
    {
        const int wordArguments = 0x1, scale = 0x8, more = 0x20, twoScales = 0x40, matrix = 0x80;
        var at = 10;
        int flags;
        do
        {
            flags = BinaryPrimitives.ReadUInt16BigEndian(outline[at..]);
            var part = BinaryPrimitives.ReadUInt16BigEndian(outline[(at + 2)..]);
            BinaryPrimitives.WriteUInt16BigEndian(outline[(at + 2)..], (ushort)Number(part));
            at += 4 + ((flags & wordArguments) != 0 ? 4 : 2)
                + ((flags & scale) != 0 ? 2 : (flags & twoScales) != 0 ? 4 : (flags & matrix) != 0 ? 8 : 0);
        }
        while ((flags & more) != 0);
    }

    private static byte[] Assemble(params ReadOnlySpan<(string Tag, ReadOnlyMemory<byte> Content)> tables)
    {
        var length = 12 + 16 * tables.Length;
        foreach (var (_, content) in tables)
        {
            length += (content.Length + 3) & ~3;
        }

        var file = new byte[length];
        BinaryPrimitives.WriteInt32BigEndian(file, 0x00010000);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(4), (ushort)tables.Length);
        // For a binary search in four of six tables.
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(6), 64);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(8), 2);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(10), (ushort)(16 * tables.Length - 64));
        var (entry, at) = (12, 12 + 16 * tables.Length);
        foreach (var (tag, content) in tables)
        {
            Encoding.ASCII.GetBytes(tag, file.AsSpan(entry));
            content.Span.CopyTo(file.AsSpan(at));
            var padded = file.AsSpan(at, (content.Length + 3) & ~3);
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(entry + 4), Checksum(padded));
            BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(entry + 8), at);
            BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(entry + 12), content.Length);
            (entry, at) = (entry + 16, at + padded.Length);
        }

        return file;
    }

    private static uint Checksum(ReadOnlySpan<byte> table)
    {
        uint sum = 0;
        for (var i = 0; i < table.Length; i += 4)
        {
            sum = unchecked(sum + BinaryPrimitives.ReadUInt32BigEndian(table[i..]));
        }

        return sum;
    }
}
