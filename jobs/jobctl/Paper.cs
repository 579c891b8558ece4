using System.Globalization;
using Spectre.Console;

namespace Jobs;

/// <summary>Where text with tables goes: stdout, in colour only where somebody looks at it and did not ask for none.</summary>
internal static class Paper
{
    // Where nobody says how wide the paper is.
    private const int PlainWidth = 132;

    public static IAnsiConsole Open()
    {
        var plain = Console.IsOutputRedirected || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = plain ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = int.TryParse(
                Environment.GetEnvironmentVariable("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var columns) && columns >= 40
                ? columns
                : PlainWidth;
        }

        return console;
    }
}
