using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Jobs.Mail;

/// <summary>Text as mail can carry it: ASCII, in short lines, whatever characters it is made of.</summary>
internal static class MimeText
{
    private const int LongestSubject = 250;
    private const int LongestPlain = 66;
    private const int BytesABase64Line = 57;
    private const int BytesAnEncodedWord = 45;
    private const int LongestLine = 76;

    /// <summary>
    /// One line for a header: line ends, control characters and what turns the direction of the text around become blanks, a
    /// very long one is cut.
    /// </summary>
    public static string OneLine(string text)
    {
        var line = new StringBuilder();
        Span<char> character = stackalloc char[2];
        foreach (var rune in text.EnumerateRunes())
        {
            if (line.Length >= LongestSubject)
            {
                line.Append('…');
                break;
            }

            line.Append(IsUnprintable(rune) ? " " : character[..rune.EncodeToUtf16(character)]);
        }

        return line.ToString().Trim();
    }

    private static bool IsUnprintable(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        || rune.Value is (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069);

    /// <summary>A header's free text (RFC 2047): as it is when it is short ASCII, else in encoded words, one a line.</summary>
    public static string HeaderText(string text)
    {
        var line = OneLine(text);
        if (line.Length <= LongestPlain && Ascii.IsValid(line) && !line.Contains("=?", StringComparison.Ordinal))
        {
            return line;
        }

        var words = new List<string>();
        var word = new List<byte>();
        Span<byte> bytes = stackalloc byte[4];
        foreach (var rune in line.EnumerateRunes())
        {
            var length = rune.EncodeToUtf8(bytes);
            // A character is never torn apart.
            if (word.Count + length > BytesAnEncodedWord)
            {
                words.Add(EncodedWord(word));
                word.Clear();
            }

            word.AddRange(bytes[..length]);
        }

        words.Add(EncodedWord(word));
        return string.Join("\r\n ", words);
    }

    private static string EncodedWord(List<byte> bytes) => $"=?utf-8?B?{Convert.ToBase64String([.. bytes])}?=";

    /// <summary>A display name: quoted, or in encoded words.</summary>
    public static string Phrase(string name) => name.Length <= LongestPlain && Ascii.IsValid(name)
        ? $"\"{name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\""
        : HeaderText(name);

    /// <summary>The text with every line end, of whatever kind, as CRLF, in UTF-8; a lone surrogate and a NUL as U+FFFD.</summary>
    public static byte[] Body(string text) => Encoding.UTF8.GetBytes(
        text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Replace('\0', '\uFFFD').Replace("\n", "\r\n", StringComparison.Ordinal));

    /// <summary>Text in few foreign letters stays readable as it is; where most would be escaped, base64 is half as long.</summary>
    public static bool PrefersBase64(ReadOnlySpan<byte> body)
    {
        var escaped = 0;
        foreach (var b in body)
        {
            escaped += b is > 126 or (byte)'=' ? 1 : 0;
        }

        return escaped > body.Length / 6;
    }

    public static void Base64Lines(IBufferWriter<byte> output, ReadOnlySpan<byte> content)
    {
        while (content.Length > 0)
        {
            var line = content[..Math.Min(BytesABase64Line, content.Length)];
            var space = output.GetSpan(LongestLine + 2);
            Base64.EncodeToUtf8(line, space, out _, out var written);
            "\r\n"u8.CopyTo(space[written..]);
            output.Advance(written + 2);
            content = content[line.Length..];
        }
    }

    /// <param name="body">Lines ended by CRLF.</param>
    public static void QuotedPrintable(IBufferWriter<byte> output, ReadOnlySpan<byte> body)
    {
        // A line at a time: asking the output for every single byte would cost more than all the rest.
        var line = output.GetSpan(LongestLine + 2);
        var column = 0;
        for (var i = 0; i < body.Length; i++)
        {
            if (body[i] == '\r')
            {
                "\r\n"u8.CopyTo(line[column..]);
                output.Advance(column + 2);
                line = output.GetSpan(LongestLine + 2);
                (column, i) = (0, i + 1);
                continue;
            }

            // A blank at the end of a line would be lost on the way.
            var plain = body[i] is >= 33 and <= 126 and not (byte)'='
                || (body[i] is (byte)' ' or (byte)'\t' && i + 1 < body.Length && body[i + 1] != '\r');
            if (column + (plain ? 1 : 3) > LongestLine - 1)
            {
                "=\r\n"u8.CopyTo(line[column..]);
                output.Advance(column + 3);
                line = output.GetSpan(LongestLine + 2);
                column = 0;
            }

            if (plain)
            {
                line[column++] = body[i];
                continue;
            }

            line[column] = (byte)'=';
            body[i].TryFormat(line[(column + 1)..], out _, "X2", CultureInfo.InvariantCulture);
            column += 3;
        }

        output.Advance(column);
    }
}
