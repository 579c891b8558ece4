using System.Diagnostics;
using System.Globalization;

namespace Jobs.Bench;

/// <summary>What is being measured now, on stderr.</summary>
internal static class Progress
{
    private static readonly Stopwatch Clock = Stopwatch.StartNew();

    public static void Say(FormattableString what) =>
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Clock.Elapsed.TotalSeconds,5:0} s  ") + what.ToString(CultureInfo.InvariantCulture));
}
