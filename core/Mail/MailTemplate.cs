using System.Text;
using System.Text.RegularExpressions;

namespace Jobs.Mail;

/// <summary>
/// A template: the subject on the first line, then paragraphs. A {placeholder} without a value takes its line away, and a
/// paragraph goes with its last line; ` || ` separates wordings of a line, of which the first that has all its values is taken.
/// A line that ends in a link becomes a button named as the line begins.
/// </summary>
internal sealed partial class MailTemplate
{
    private const string Or = " || ";

    private readonly string _subject;
    private readonly string[][] _paragraphs;

    private MailTemplate(string subject, string[][] paragraphs) => (_subject, _paragraphs) = (subject, paragraphs);

    /// <exception cref="FormatException">With what is wrong.</exception>
    public static MailTemplate Parse(string text)
    {
        var lines = text.ReplaceLineEndings("\n").Split('\n').Select(line => line.Trim()).ToList();
        var template = new MailTemplate(lines[0], [.. Paragraphs(lines.Skip(1))]);
        if (template._subject.Length == 0 || template._paragraphs.Length == 0)
        {
            throw new FormatException("needs a subject on its first line and then at least one paragraph");
        }

        if (lines.FirstOrDefault(line => Placeholder().Replace(line, "").AsSpan().ContainsAny('{', '}')) is { } broken)
        {
            throw new FormatException($"has a brace that belongs to no {{placeholder}} in the line '{OneLine.Of(broken, 80)}'");
        }

        return template;
    }

    public IEnumerable<string> Placeholders => PlaceholdersOf([_subject, .. _paragraphs.SelectMany(lines => lines)]);

    public IEnumerable<string> SubjectPlaceholders => PlaceholdersOf([_subject]);

    private static IEnumerable<string> PlaceholdersOf(IEnumerable<string> lines) =>
        lines.SelectMany(line => Placeholder().Matches(line)).Select(m => m.Groups["name"].Value).Distinct();

    /// <param name="find">The value of a placeholder, or null.</param>
    /// <returns>Null when the subject lacks a value.</returns>
    public string? Subject(Func<string, MailValue?> find) => Fill(_subject, find) is { } filled ? OneLine.Of(Written(filled)) : null;

    /// <inheritdoc cref="Subject"/>
    public IReadOnlyList<MailBlock> Body(Func<string, MailValue?> find)
    {
        var blocks = new List<MailBlock>();
        foreach (var lines in _paragraphs)
        {
            var text = new List<string>();
            foreach (var filled in lines.Select(line => Fill(line, find)).OfType<List<MailValue>>())
            {
                switch (filled[^1])
                {
                    case MailValue.Link link:
                        Flush(text, blocks);
                        blocks.Add(new MailBlock.Link(Written(filled[..^1]).TrimEnd(' ', ':', '\u00A0'), link.Url));
                        break;
                    case MailValue.Rows rows:
                        Flush(text, blocks);
                        blocks.Add(new MailBlock.Table(rows.Value));
                        break;
                    default:
                        text.Add(Written(filled));
                        break;
                }
            }

            Flush(text, blocks);
        }

        return blocks;
    }

    private static void Flush(List<string> text, List<MailBlock> blocks)
    {
        if (text.Count > 0)
        {
            blocks.Add(new MailBlock.Paragraph(string.Join(' ', text)));
            text.Clear();
        }
    }

    private static IEnumerable<string[]> Paragraphs(IEnumerable<string> lines)
    {
        var paragraph = new List<string>();
        foreach (var line in lines.Append(""))
        {
            if (line.Length > 0)
            {
                paragraph.Add(line);
            }
            else if (paragraph.Count > 0)
            {
                yield return [.. paragraph];
                paragraph.Clear();
            }
        }
    }

    private static List<MailValue>? Fill(string line, Func<string, MailValue?> find) =>
        line.Split(Or).Select(wording => FillOne(wording, find)).FirstOrDefault(filled => filled is not null);

    private static List<MailValue>? FillOne(string wording, Func<string, MailValue?> find)
    {
        var filled = new List<MailValue>();
        var at = 0;
        foreach (Match match in Placeholder().Matches(wording))
        {
            if (find(match.Groups["name"].Value) is not { } value)
            {
                return null;
            }

            if (match.Index > at)
            {
                filled.Add(new MailValue.Text(wording[at..match.Index]));
            }

            filled.Add(value);
            at = match.Index + match.Length;
        }

        if (at < wording.Length)
        {
            filled.Add(new MailValue.Text(wording[at..]));
        }

        return filled;
    }

    private static string Written(IEnumerable<MailValue> values)
    {
        var line = new StringBuilder();
        foreach (var value in values)
        {
            var part = value switch
            {
                MailValue.Text text => text.Value,
                MailValue.Link link => link.Url,
                MailValue.Rows rows => string.Join(", ", rows.Value.Select(r => r.Value)),
                _ => "",
            };
            // A Russian date ends in a point of its own: a sentence that ends with it has one, not two.
            line.Append(part.StartsWith('.') && line.Length > 0 && line[^1] == '.' ? part[1..] : part);
        }

        return line.ToString();
    }

    [GeneratedRegex(@"\{(?<name>[a-z][a-z0-9_]*)\}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Placeholder();
}
