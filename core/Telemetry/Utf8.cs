using System.Text;

namespace Jobs.Telemetry;

internal static class Utf8
{
    /// <summary>At most so many bytes, no character in two.</summary>
    public static string Cut(string text, int most)
    {
        if (Encoding.UTF8.GetByteCount(text) <= most)
        {
            return text;
        }

        var (bytes, chars) = (0, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            if (bytes + rune.Utf8SequenceLength > most)
            {
                break;
            }

            (bytes, chars) = (bytes + rune.Utf8SequenceLength, chars + rune.Utf16SequenceLength);
        }

        return text[..chars];
    }
}
