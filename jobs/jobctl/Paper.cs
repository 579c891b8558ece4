using System.Globalization;
using Jobs.Runs;
using Spectre.Console;

namespace Jobs;

/// <summary>Where text with tables goes: stdout, in colour only where somebody looks at it and did not ask for none.</summary>
internal static class Paper
{
    // Where nobody says how wide the paper is.
    private const int PlainWidth = 132;

    public static IAnsiConsole Open(ToolRun run)
    {
        var context = run.Context;
        var plain = !context.OutputIsTerminal || run.Settings.IsSet("NO_COLOR");
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = context.OutputIsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            Out = new AnsiConsoleOutput(context.Output),
            ColorSystem = plain ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        if (!context.OutputIsTerminal)
        {
            console.Profile.Width = int.TryParse(
                run.Settings.Optional("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var columns) && columns >= 40
                ? columns
                : PlainWidth;
        }

        return console;
    }
}
