using System.Collections.Concurrent;
using System.Text;

namespace Jobs.Database;

/// <summary>
/// A statement as PostgreSQL takes it: its parameters by number. Ours are written with names, several in one text where they travel
/// together; each text is taken apart once a run. Npgsql would do so for every command, which was 6 % of the CPU of a charge.
/// </summary>
/// <param name="Sql">With $1, $2 ... where it said @Name.</param>
/// <param name="Names">The parameters' names, each once, by their numbers.</param>
internal sealed record Statement(string Sql, IReadOnlyList<string> Names)
{
    /// <summary>Our texts are few, but what if one were made from data?</summary>
    private const int MostKept = 1_000;

    private static readonly ConcurrentDictionary<string, Statement[]> Kept = new(StringComparer.Ordinal);

    /// <summary>The statements of a text, in their order.</summary>
    public static Statement[] AllOf(string text)
    {
        if (!Kept.TryGetValue(text, out var statements))
        {
            statements = new Scanner(text).Statements();
            if (Kept.Count < MostKept)
            {
                Kept.TryAdd(text, statements);
            }
        }

        return statements;
    }

    /// <summary>PostgreSQL's lexical rules (section 4.1 of its manual), as far as a semicolon or an @ may stand in something else.</summary>
    private sealed class Scanner(string text)
    {
        private readonly List<Statement> _statements = [];
        private readonly List<string> _names = [];
        private readonly StringBuilder _sql = new();
        private int _at;
        private bool _isEmpty = true;

        public Statement[] Statements()
        {
            while (_at < text.Length)
            {
                Step();
            }

            End();
            return [.. _statements];
        }

        private void Step()
        {
            switch (text[_at])
            {
                case ';':
                    _at++;
                    End();
                    break;
                case '@' when IsStartOfName(_at + 1) && !IsOperator(_at - 1):
                    Parameter();
                    break;
                case '\'':
                    Take(EndOfQuoted('\'', hasEscapes: IsEscapeString()));
                    break;
                case '"':
                    Take(EndOfQuoted('"', hasEscapes: false));
                    break;
                case '-' when At(_at + 1) == '-':
                    Skip(IndexOr(text.IndexOf('\n', _at)));
                    break;
                case '/' when At(_at + 1) == '*':
                    Skip(EndOfComment());
                    break;
                case '$' when !IsPartOfName(_at - 1) && EndOfDollarQuoted() is { } end:
                    Take(end);
                    break;
                default:
                    _isEmpty &= char.IsWhiteSpace(text[_at]);
                    _sql.Append(text[_at++]);
                    break;
            }
        }

        private void End()
        {
            if (!_isEmpty)
            {
                _statements.Add(new Statement(_sql.ToString().Trim(), [.. _names]));
            }

            _names.Clear();
            _sql.Clear();
            _isEmpty = true;
        }

        private void Parameter()
        {
            var end = _at + 1;
            while (IsPartOfName(end))
            {
                end++;
            }

            var name = text[(_at + 1)..end];
            var number = _names.FindIndex(n => n.Equals(name, StringComparison.OrdinalIgnoreCase)) + 1;
            if (number == 0)
            {
                _names.Add(name);
                number = _names.Count;
            }

            _sql.Append('$').Append(number);
            _at = end;
        }

        private void Take(int end)
        {
            _isEmpty = false;
            _sql.Append(text, _at, end - _at);
            _at = end;
        }

        // A comment separates what stands on its sides.
        private void Skip(int end)
        {
            _sql.Append(' ');
            _at = end;
        }

        private int EndOfQuoted(char quote, bool hasEscapes)
        {
            for (var i = _at + 1; i < text.Length; i++)
            {
                // An escaped character, or a doubled quote, which stands for itself.
                if ((hasEscapes && text[i] == '\\') || (text[i] == quote && At(i + 1) == quote))
                {
                    i++;
                }
                else if (text[i] == quote)
                {
                    return i + 1;
                }
            }

            return text.Length;
        }

        // E'...', where E is not the end of a name.
        private bool IsEscapeString() => At(_at - 1) is 'E' or 'e' && !IsPartOfName(_at - 2);

        private int EndOfComment()
        {
            var depth = 0;
            for (var i = _at; i < text.Length - 1; i++)
            {
                if (text[i] == '/' && text[i + 1] == '*')
                {
                    depth++;
                    i++;
                }
                else if (text[i] == '*' && text[i + 1] == '/')
                {
                    i++;
                    if (--depth == 0)
                    {
                        return i + 1;
                    }
                }
            }

            return text.Length;
        }

        // $$...$$ or $tag$...$tag$; null for a $ of anything else.
        private int? EndOfDollarQuoted()
        {
            var end = _at + 1;
            if (IsStartOfName(end))
            {
                while (IsPartOfName(end) && text[end] != '$')
                {
                    end++;
                }
            }

            if (At(end) != '$')
            {
                return null;
            }

            var tag = text[_at..(end + 1)];
            var closing = text.IndexOf(tag, end + 1, StringComparison.Ordinal);
            return closing < 0 ? text.Length : closing + tag.Length;
        }

        private int IndexOr(int index) => index < 0 ? text.Length : index;

        private char At(int index) => index >= 0 && index < text.Length ? text[index] : '\0';

        private bool IsStartOfName(int index) => At(index) is '_' || char.IsLetter(At(index));

        private bool IsPartOfName(int index) => At(index) is '_' or '$' || char.IsLetterOrDigit(At(index));

        private bool IsOperator(int index) => "+-*/<>=~!@#%^&|`?".Contains(At(index), StringComparison.Ordinal);
    }
}
