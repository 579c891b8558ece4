using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Jobs.Runs;

/// <summary>JSON that people read on a terminal as well: letters of any script as they are, and nothing that turns the text around it.</summary>
public static class PlainJson
{
    public static readonly JsonWriterOptions Writing = new() { Encoder = new Encoder() };

    /// <summary>.NET's most readable encoder, and U+202A to U+202E, U+2066 to U+2069 escaped: a terminal shows "gpj.exe" as "exe.jpg" behind one.</summary>
    private sealed class Encoder : JavaScriptEncoder
    {
        private static readonly JavaScriptEncoder Readable = UnsafeRelaxedJsonEscaping;
        private static readonly SearchValues<char> Turning = SearchValues.Create("\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069");

        public override int MaxOutputCharactersPerInputCharacter => Readable.MaxOutputCharactersPerInputCharacter;

        public override bool WillEncode(int unicodeScalar) => IsTurning(unicodeScalar) || Readable.WillEncode(unicodeScalar);

        public override unsafe int FindFirstCharacterToEncode(char* text, int textLength)
        {
            var first = Readable.FindFirstCharacterToEncode(text, textLength);
            var turning = new ReadOnlySpan<char>(text, first < 0 ? textLength : first).IndexOfAny(Turning);
            return turning < 0 ? first : turning;
        }

        public override unsafe bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten) =>
            IsTurning(unicodeScalar)
                ? new Span<char>(buffer, bufferLength).TryWrite(CultureInfo.InvariantCulture, $"\\u{unicodeScalar:X4}", out numberOfCharactersWritten)
                : Readable.TryEncodeUnicodeScalar(unicodeScalar, buffer, bufferLength, out numberOfCharactersWritten);

        private static bool IsTurning(int scalar) => scalar <= char.MaxValue && Turning.Contains((char)scalar);
    }
}
