using System.Globalization;
using System.Text.RegularExpressions;

namespace Jobs.Bench;

/// <summary>What the images weigh, as `make images-size` tells: one on disk, and all together, whose common layer is there once.</summary>
internal static partial class Images
{
    private const double MostMB = 120;
    private const double MostRatio = 1.2;

    public static IReadOnlyList<Result> Measure()
    {
        Progress.Say($"images: what they weigh");
        // Against its limits it ends with 1; without a weight it says what is missing.
        var size = Measured.Run(Ground.RepositoryFile("docker/images.sh"), ["size"], [new("HOME", Environment.GetEnvironmentVariable("HOME"))]);
        var said = Weight().Match(size.Stdout);
        if (!said.Success)
            return [Result.NotMeasured("images", "size", size.Stderr.Trim() is { Length: > 0 } why ? why.Split('\n')[^1] : "docker/images.sh size says nothing")];
        double Number(string group) => double.Parse(said.Groups[group].Value, CultureInfo.InvariantCulture);
        return
        [
            Result.AtMost("images", "one", Number("one"), MostMB, "MB"),
            Result.AtMost("images", $"all {said.Groups["count"].Value} together against one", Number("ratio"), MostRatio, "x", $" ({said.Groups["all"].Value} MB)"),
        ];
    }

    [GeneratedRegex(@"one image (?<one>[\d.]+) MB .*, all (?<count>\d+) together (?<all>[\d.]+) MB: (?<ratio>[\d.]+) times", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Weight();
}
