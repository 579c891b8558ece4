using System.Globalization;
using Jobs.Counter;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Jobs;

/// <summary>A table on paper. Whatever is written into it is cleaned: nothing in a name moves a cursor.</summary>
internal sealed class Sheet
{
    private readonly Table _table = new() { Border = TableBorder.Rounded };

    /// <param name="title">Above it; empty: none.</param>
    /// <param name="columns">A number's begins with &gt;, one that must not be broken with =.</param>
    public Sheet(string title, params string[] columns)
    {
        if (title.Length > 0)
        {
            _table.Title = new TableTitle(title, new Style(decoration: Decoration.Bold));
        }

        foreach (var column in columns)
        {
            _table.AddColumn(new TableColumn(new Text(column.TrimStart('>', '='), new Style(decoration: Decoration.Dim)))
            {
                Alignment = column[0] == '>' ? Justify.Right : Justify.Left,
                NoWrap = column[0] == '=',
            });
        }
    }

    public int Count => _table.Rows.Count;

    public void Add(params Cell[] cells) => _table.AddRow(cells.Select(cell => (IRenderable)cell.Text));

    /// <summary>Says below it what is not listed.</summary>
    public void More(string sentence) => _table.Caption = new TableTitle(sentence, new Style(decoration: Decoration.Dim));

    public void WriteTo(IAnsiConsole console) => console.Write(_table);

    public static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>One cell: text as it was found, and how good or bad that is.</summary>
internal readonly record struct Cell(Text Text)
{
    public Cell(string? text, Tone tone)
        : this(new Text(Words.Clean(text), StyleOf(tone)))
    {
    }

    public static implicit operator Cell(string? text) => new(new Text(Words.Clean(text)));

    public static Style StyleOf(Tone tone) => tone switch
    {
        Tone.Good => new Style(Color.Green),
        Tone.Active => new Style(Color.Aqua),
        Tone.Warning => new Style(Color.Yellow),
        Tone.Bad => new Style(Color.Red),
        _ => Style.Plain,
    };
}
