using System.Buffers.Binary;

namespace Jobs.Receipts;

/// <summary>A TrueType font with outlines, read only as far as a PDF needs: widths, glyphs, and which character is which.</summary>
internal sealed class TrueTypeFont
{
    public static readonly TrueTypeFont Regular = Embedded("DejaVuSans");
    public static readonly TrueTypeFont Bold = Embedded("DejaVuSans-Bold");

    private readonly byte[] _file;
    private readonly Dictionary<string, (int Offset, int Length)> _tables = new(StringComparer.Ordinal);
    private readonly Dictionary<int, int> _glyphs = [];
    private readonly int _metrics;
    private readonly bool _longOffsets;

    private TrueTypeFont(string name, byte[] file)
    {
        (Name, _file) = (name, file);
        for (int i = 0, entry = 12; i < UInt16(4); i++, entry += 16)
        {
            _tables[System.Text.Encoding.ASCII.GetString(file, entry, 4)] = (Int32(entry + 8), Int32(entry + 12));
        }

        UnitsPerEm = UInt16(At("head") + 18);
        _longOffsets = UInt16(At("head") + 50) == 1;
        _metrics = UInt16(At("hhea") + 34);
        (Ascent, Descent) = (Int16(At("hhea") + 4), Int16(At("hhea") + 6));
        Box = [.. Enumerable.Range(0, 4).Select(i => (int)Int16(At("head") + 36 + 2 * i))];
        ReadCharacters();
    }

    public string Name { get; }
    public int UnitsPerEm { get; }
    public int Ascent { get; }
    public int Descent { get; }

    /// <summary>xMin, yMin, xMax, yMax.</summary>
    public int[] Box { get; }

    /// <returns>0 when the font lacks the character.</returns>
    public int Glyph(int character) => _glyphs.GetValueOrDefault(character);

    /// <returns>In units of the em.</returns>
    public int Advance(int glyph) => UInt16(At("hmtx") + 4 * Math.Min(glyph, _metrics - 1));

    public ReadOnlySpan<byte> Table(string name) => _file.AsSpan(_tables[name].Offset, _tables[name].Length);

    /// <summary>Width and left side bearing, as in hmtx.</summary>
    public ReadOnlySpan<byte> Metric(int glyph) => _file.AsSpan(At("hmtx") + 4 * Math.Min(glyph, _metrics - 1), 4);

    public ReadOnlySpan<byte> Outline(int glyph)
    {
        var (from, to) = (Location(glyph), Location(glyph + 1));
        return _file.AsSpan(At("glyf") + from, to - from);
    }

    private int Location(int glyph) => _longOffsets ? Int32(At("loca") + 4 * glyph) : 2 * UInt16(At("loca") + 2 * glyph);

    /// <summary>cmap, format 4 for (Windows, Unicode): the fonts here have no character beyond 16 bits.</summary>
    private void ReadCharacters()
    {
        var map = At("cmap") + Enumerable.Range(0, UInt16(At("cmap") + 2)).Select(i => At("cmap") + 4 + 8 * i)
            .Where(record => UInt16(record) == 3 && UInt16(record + 2) == 1).Select(record => Int32(record + 4)).Single();
        var segments = UInt16(map + 6) / 2;
        var (ends, starts) = (map + 14, map + 16 + 2 * segments);
        var (deltas, ranges) = (starts + 2 * segments, starts + 4 * segments);
        for (var s = 0; s < segments; s++)
        {
            for (int c = UInt16(starts + 2 * s); c <= UInt16(ends + 2 * s) && c < 0xFFFF; c++)
            {
                int range = UInt16(ranges + 2 * s);
                var glyph = range == 0 ? c : UInt16(ranges + 2 * s + range + 2 * (c - UInt16(starts + 2 * s)));
                _glyphs[c] = range != 0 && glyph == 0 ? 0 : (glyph + UInt16(deltas + 2 * s)) & 0xFFFF;
            }
        }
    }

    private int At(string table) => _tables[table].Offset;

    private ushort UInt16(int at) => BinaryPrimitives.ReadUInt16BigEndian(_file.AsSpan(at));

    private short Int16(int at) => BinaryPrimitives.ReadInt16BigEndian(_file.AsSpan(at));

    private int Int32(int at) => BinaryPrimitives.ReadInt32BigEndian(_file.AsSpan(at));

    private static TrueTypeFont Embedded(string name)
    {
        using var stream = typeof(TrueTypeFont).Assembly.GetManifestResourceStream($"fonts/{name}.ttf")!;
        var file = new byte[stream.Length];
        stream.ReadExactly(file);
        return new TrueTypeFont(name, file);
    }
}
