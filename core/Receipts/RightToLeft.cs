using System.Text;

namespace Jobs.Receipts;

/// <summary>
/// Hebrew and Arabic within a line that runs left to right: their stretches are turned round, digits within them are not.
/// Arabic letters stand alone, unjoined: legible, though not handsome.
/// </summary>
internal static class RightToLeft
{
    public static string Visual(string text)
    {
        if (!text.Any(IsRightToLeft))
        {
            return text;
        }

        var (line, at) = (new StringBuilder(), 0);
        while (at < text.Length)
        {
            var end = at;
            if (IsRightToLeft(text[at]))
            {
                end = EndOfStretch(text, at);
                line.Append(Turned(text[at..end]));
            }
            else
            {
                while (end < text.Length && !IsRightToLeft(text[end]))
                {
                    end++;
                }

                line.Append(text, at, end - at);
            }

            at = end;
        }

        return line.ToString();
    }

    /// <summary>Up to the last such letter, or number after one, before a letter of another direction.</summary>
    private static int EndOfStretch(string text, int start)
    {
        var end = start + 1;
        for (var i = start; i < text.Length && (IsRightToLeft(text[i]) || !char.IsLetter(text[i])) && !char.IsSurrogate(text[i]); i++)
        {
            if (IsRightToLeft(text[i]) || char.IsDigit(text[i]))
            {
                end = i + 1;
            }
        }

        return end;
    }

    private static string Turned(string stretch)
    {
        var turned = stretch.ToCharArray();
        Array.Reverse(turned);
        for (var i = 0; i < turned.Length; i++)
        {
            turned[i] = turned[i] switch { '(' => ')', ')' => '(', '[' => ']', ']' => '[', '«' => '»', '»' => '«', var c => c };
        }

        for (int from = 0, to; from < turned.Length; from = to + 1)
        {
            to = from;
            while (to < turned.Length && char.IsDigit(turned[to]))
            {
                to++;
            }

            Array.Reverse(turned, from, to - from);
        }

        return new string(turned);
    }

    private static bool IsRightToLeft(char c) => c is >= '\u0590' and <= '\u08FF' && !char.IsDigit(c) || c is >= '\uFB1D' and <= '\uFDFF' or >= '\uFE70' and <= '\uFEFC';
}
