using System.Text;

namespace Jobs.Database;

/// <summary>Percent-encoding as libpq reads it: a broken escape is an error, a plus sign is a plus sign.</summary>
internal static class PercentEncoding
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <param name="text">The part as it stands in the URL.</param>
    /// <param name="part">What it is, for the error: "the password", never its text.</param>
    public static string Decode(ReadOnlySpan<char> text, string part)
    {
        if (!text.Contains('%'))
            return text.ToString();

        var result = new StringBuilder(text.Length);
        List<byte> bytes = [];
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '%')
            {
                Flush(bytes, result, part);
                result.Append(text[i]);
                continue;
            }

            if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                throw new DatabaseUrlException($"The database URL has a % in {part} that two hexadecimal digits do not follow: write a literal % as %25.");
            bytes.Add(Convert.FromHexString(text.Slice(i + 1, 2))[0]);
            if (bytes[^1] == 0)
                throw new DatabaseUrlException($"The database URL has %00 in {part}, which PostgreSQL does not allow.");
            i += 2;
        }

        Flush(bytes, result, part);
        return result.ToString();
    }

    private static void Flush(List<byte> bytes, StringBuilder result, string part)
    {
        if (bytes.Count == 0)
            return;
        try
        {
            result.Append(Strict.GetString([.. bytes]));
        }
        catch (DecoderFallbackException)
        {
            throw new DatabaseUrlException($"The database URL has percent-encoded bytes in {part} that are not UTF-8: encode the characters as UTF-8.");
        }

        bytes.Clear();
    }
}
