namespace Jobs.StartUpProfile;

/// <summary>A type as the runtime writes it: <c>Outer`1+Inner[int,System.String[]]</c>, the arguments of all levels at the end.</summary>
internal sealed record TypeName(string Name, IReadOnlyList<TypeName> Arguments, int ArrayRanks = 0);

/// <summary>A method as the runtime writes it: <c>Type:Method[Arguments](parameters)</c>.</summary>
/// <param name="Parameters">Only their number is certain: what is passed by reference has lost its type.</param>
internal sealed record MethodName(TypeName Owner, string Name, IReadOnlyList<TypeName> Arguments, int Parameters)
{
    /// <exception cref="FormatException">Not such a name.</exception>
    public static MethodName Parse(string text)
    {
        var reader = new Reader(text);
        var owner = reader.Type();
        reader.Skip(':');
        var name = reader.Word("[(");
        var arguments = reader.Peek == '[' ? reader.List('[', ']') : [];
        return new MethodName(owner, name, arguments, reader.List('(', ')').Count);
    }

    private sealed class Reader(string text)
    {
        private int _at;

        public char Peek => _at < text.Length ? text[_at] : '\0';

        public void Skip(char expected)
        {
            if (Peek != expected)
            {
                throw new FormatException($"'{expected}' expected at {_at} of '{text}'");
            }

            _at++;
        }

        /// <summary>Up to one of the ends; what the compiler names, such as <c>&lt;Read&gt;d__1</c>, may hold them in its brackets.</summary>
        public string Word(string ends)
        {
            var (start, depth) = (_at, 0);
            for (; _at < text.Length && (depth > 0 || !ends.Contains(Peek, StringComparison.Ordinal)); _at++)
            {
                depth += Peek switch { '<' => 1, '>' => -1, _ => 0 };
            }

            return text[start.._at];
        }

        public TypeName Type()
        {
            var name = Word("[],():");
            var array = text.AsSpan(_at).StartsWith("[]");
            var type = new TypeName(name, Peek == '[' && !array ? List('[', ']') : []);
            while (text.AsSpan(_at).StartsWith("[]"))
            {
                _at += 2;
                type = type with { ArrayRanks = type.ArrayRanks + 1 };
            }

            return type;
        }

        public List<TypeName> List(char begin, char end)
        {
            var types = new List<TypeName>();
            Skip(begin);
            while (Peek != end)
            {
                types.Add(Type());
                if (Peek == ',')
                {
                    _at++;
                }
            }

            Skip(end);
            return types;
        }
    }
}
