using System.Globalization;

namespace Jobs.Runs;

/// <summary>A slice of the ids: those whose id modulo <see cref="Count"/> is <see cref="Index"/>. Counts from 0.</summary>
public readonly record struct Shard(int Index, int Count)
{
    public static readonly Shard All = new(0, 1);

    public bool IsAll => Count == 1;

    public static Shard Parse(string text)
    {
        var parts = text.Split('/');
        if (parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count is >= 1 and <= 10_000 && index < count)
        {
            return new Shard(index, count);
        }

        throw new FormatException("I/N with I counting from 0 and below N, such as 0/4");
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}/{Count}");
}
